//! `perigee rerun`: repeats a run by its manifest, and compares.
//!
//! A manifest comes from somebody else: its modules are found by their digests where the operator says, never by its paths, and its
//! devices and paths are shown and need his word.

use crate::args::RerunArgs;
use crate::read::{self, refuse_problems};
use crate::run::{self, Session};
use crate::table::{Table, packet_rate};
use crate::{load, output};
use anyhow::{Context, Result, bail};
use perigee_runtime::config::secret::{Secret, SecretEntry};
use perigee_runtime::config::{Config, Directory, JailMode};
use perigee_runtime::load::digest;
use perigee_runtime::{Manifest, Summary, text};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Folders in folders that modules are looked for in.
const MAX_DEPTH: u32 = 4;

/// `perigee rerun`.
pub(crate) fn rerun(args: &RerunArgs) -> Result<ExitCode> {
    let before = read::summary(&args.manifest)?;
    let manifest = before.manifest.as_ref().context("the file has no manifest: it is not of a run")?;
    let Some(text) = &manifest.config else {
        let command = text::line(&manifest.command.join(" "), text::WORDS);
        bail!("the run had no configuration file, so its command is all there is to repeat: {command}");
    };
    let name = args.manifest.display().to_string();
    let mut config = Config::read(text, &name).context("the manifest's configuration")?;
    find_modules(manifest, &mut config, &args.modules)?;
    if config.run.duration.is_none() && args.options.duration.is_none() {
        config.run.duration = Some(Duration::from_nanos(before.snapshot.elapsed_ns));
    }
    let named = named(&config);
    if !args.yes {
        let list = named.iter().map(|line| format!("  {}\n", text::line(line, text::WORDS))).collect::<String>();
        bail!("the manifest is not yours to trust unseen. It names:\n{list}look at these, then give --yes");
    }
    let base = args.base.clone().unwrap_or_default();
    load::apply(&args.options.load, &mut config)?;
    refuse_problems(&config.problems(&base))?;
    config.read_secrets(&base)?;
    let secrets = other_secrets(manifest, &config);
    let asked = Session { name: "rerun", base: &base, text: Some(text) };
    let (code, summary) = run::session_and_summary(&asked, config, &args.options)?;
    if !args.options.quiet && !args.options.json.is_stdout() {
        output::result(&(compared(manifest, &before.snapshot, &summary) + &secrets))?;
    }
    Ok(code)
}

/// Puts the files with the manifest's digests in the places of its modules' files.
fn find_modules(manifest: &Manifest, config: &mut Config, folders: &[PathBuf]) -> Result<()> {
    let mut found = BTreeMap::new();
    for folder in folders {
        look(folder, MAX_DEPTH, &mut found).with_context(|| format!("cannot look into {}", folder.display()))?;
    }
    let mut missing = Vec::new();
    for module in &mut config.modules {
        let digest = manifest.modules.iter().find(|facts| facts.name == module.name).map(|facts| &facts.origin.sha256);
        match digest.and_then(|digest| found.get(digest)) {
            Some(file) => module.file = std::path::absolute(file)?.display().to_string(),
            None => missing.push(format!("{:?} ({})", module.name, digest.map_or("no digest", String::as_str))),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let folders = folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
    bail!("{folders}: no file has the digest of module {}", missing.join(", "));
}

/// All modules in a folder, by their digests.
fn look(folder: &Path, depth: u32, found: &mut BTreeMap<String, PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let is_module = path.extension().is_some_and(|end| end == "wasm" || end == "wat");
        if kind.is_dir() && depth > 0 {
            look(&path, depth - 1, found)?;
        } else if kind.is_file() && is_module {
            found.insert(digest(&std::fs::read(&path)?), path);
        }
    }
    Ok(())
}

/// What a configuration would open, beside its modules.
fn named(config: &Config) -> Vec<String> {
    let ports = config.ports.iter().map(|port| format!("port {:?}: device {:?}", port.name, port.device));
    let mut lines: Vec<String> = ports.collect();
    lines.extend(config.run.evidence.iter().map(|path| format!("evidence: folder {path:?}")));
    lines.extend(config.run.eal_args.iter().map(|arg| format!("eal_args: {arg:?}")));
    let (run, load) = (&config.run, &config.load);
    lines.extend(load.policy.iter().map(|path| format!("load.policy: file {path:?}")));
    lines.extend(config.modules.iter().flat_map(|module| {
        let line = |(name, entry): (&String, &SecretEntry)| {
            format!("module {:?}: secret {name:?}: file {:?}", module.name, entry.file)
        };
        module.secrets.iter().map(line)
    }));
    let folders = [("load.cache", &load.cache), ("load.state", &load.state)];
    let is_path = |folder: &Directory| matches!(folder, Directory::Path(_));
    lines
        .extend(folders.iter().filter(|(_, folder)| is_path(folder)).map(|(key, folder)| format!("{key}: {folder:?}")));
    lines.extend(run.control.iter().map(|socket| format!("control: socket {socket:?}")));
    lines.extend(run.metrics.iter().map(|address| format!("metrics: listens on {address}")));
    lines.extend(run.web.iter().map(|address| format!("web: a page listens on {address}")));
    lines.extend(run.user.iter().map(|user| format!("user: runs as {user:?}")));
    lines.extend(run.jail.filter(|jail| *jail != JailMode::On).map(|jail| format!("jail: {jail:?}")));
    lines.extend(config.streams.iter().filter_map(|stream| {
        let perigee_runtime::config::stream::Pattern::Trace(trace) = &stream.pattern else { return None };
        Some(format!("stream {:?}: file {:?}", stream.name, trace.file.as_ref()?))
    }));
    lines
}

/// Secrets that are not those of the run before, by what its manifest tells of them.
fn other_secrets(manifest: &Manifest, config: &Config) -> String {
    let told = |module: &str, name: &str| {
        manifest.modules.iter().find(|facts| facts.name == module).and_then(|facts| facts.secrets.get(name))
    };
    let secrets = config.modules.iter().flat_map(|module| {
        module.secrets.iter().filter_map(|(name, entry)| Some((&module.name, name, entry.secret.as_ref()?)))
    });
    let line = |(module, name, secret): (&String, &String, &Secret)| {
        let is_same = told(module, name).and_then(|digest| secret.is_told_by(digest));
        match is_same {
            Some(true) => None,
            Some(false) => Some(format!("not as before: module {module:?} has another secret {name:?}\n")),
            None => Some(format!("secret {name:?} of module {module:?}: the manifest does not tell which it was\n")),
        }
    };
    secrets.filter_map(line).collect()
}

/// Both runs' figures beside each other.
fn compared(manifest: &Manifest, before: &perigee_runtime::Snapshot, summary: &Summary) -> String {
    let after = &summary.snapshot;
    let mut table = Table::new(&["<compared", "<of", "before", "now", "now/before"]);
    let mut row = |what: &str, name: &str, old: (u64, u64), new: (u64, u64)| {
        let per_second = |(count, ns): (u64, u64)| count as f64 / (ns.max(1) as f64 / 1e9);
        let ratio = per_second(new) / per_second(old);
        let ratio = if ratio.is_finite() { format!("{ratio:.4}") } else { "-".to_owned() };
        table.row([what.to_owned(), name.to_owned(), packet_rate(old.0, old.1), packet_rate(new.0, new.1), ratio]);
    };
    for (old, new) in before.chains.iter().zip(&after.chains) {
        let rates = |all: u64, elapsed: u64| (all, elapsed);
        row("chain, in", &new.name, rates(old.taken(), before.elapsed_ns), rates(new.taken(), after.elapsed_ns));
        row("chain, sent", &new.name, rates(old.sent, before.elapsed_ns), rates(new.sent, after.elapsed_ns));
    }
    for (old, new) in before.streams.iter().zip(&after.streams) {
        row("stream, sent", &new.name, (old.sent, old.ran_ns), (new.sent, new.ran_ns));
    }
    table.text() + &differences(manifest, summary)
}

/// What is not as it was.
fn differences(before: &Manifest, summary: &Summary) -> String {
    let Some(now) = &summary.manifest else { return String::new() };
    let pairs = [
        ("perigee", &before.perigee, &now.perigee),
        ("wasmtime", &before.wasmtime, &now.wasmtime),
        ("dpdk", &before.dpdk, &now.dpdk),
        ("cpu", &before.machine.cpu, &now.machine.cpu),
        ("kernel", &before.machine.kernel, &now.machine.kernel),
    ];
    let differ = pairs.into_iter().filter(|(_, old, new)| old != new);
    let changed = before.modules.iter().filter(|module| {
        now.modules.iter().any(|other| other.name == module.name && other.origin.sha256 != module.origin.sha256)
    });
    let changed = changed.map(|module| format!("not as before: module {:?} has another digest\n", module.name));
    let lines = differ.map(|(what, old, new)| {
        let [old, new] = [old, new].map(|text| text::line(text, text::WORDS));
        format!("not as before: {what} was {old}, is {new}\n")
    });
    lines.chain(changed).collect()
}
