//! Runs hostile modules: those that must be refused alone, all others in groups, each beside a good neighbour whose packets go
//! over the same lcores.

use super::judge::{self, Seen};
use super::module::{Ask, Hostile};
use super::text::{self, CHECKED, NUMBERED};
use anyhow::{Context, Result, bail, ensure};
use perigee_runtime::{Run, Snapshot, config::Config};
use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Batches that a module lives through at least, where it lives.
const BATCHES: u64 = 200;
/// All of a group's modules must have shown what they do within this time.
const PATIENCE: Duration = Duration::from_secs(30);
/// CPU time that a call may take.
const DEADLINE: &str = "5ms";

/// A name for virtual devices, another one each time: DPDK keeps the rings of a net_ring that was closed.
static DEVICE: AtomicU32 = AtomicU32::new(0);

/// What came of a group.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Packets that the neighbour sent and received meanwhile.
    pub neighbour: u64,
    /// Faults that were seen.
    pub faults: u64,
    /// The longest time from the first batch to the fault that was looked for, of all modules.
    pub taken: Duration,
}

/// A module's file, written into the folder; its name there.
fn write(folder: &Path, modules: &Path, hostile: &Hostile) -> Result<String> {
    match (&hostile.file, text::text(hostile)) {
        (Some(file), _) => Ok(modules.join(file).display().to_string()),
        (None, Some(text)) => {
            let name = format!("{}.wat", hostile.name);
            std::fs::write(folder.join(&name), text)?;
            Ok(name)
        }
        (None, None) => bail!("{} has neither text nor file", hostile.name),
    }
}

/// The `[[module]]` of a hostile module. It is granted what its chain has, so that what it abuses is there: the port `null`,
/// the ring where there is one, and all hostcalls.
///
/// One that has failed stays so: a new instance would hide what became of it.
fn entry(hostile: &Hostile, file: &str, rings: &str) -> String {
    let is_said = |key: &str| hostile.grants.lines().any(|line| line.trim_start().starts_with(key));
    let deadline: String = ["deadline", "control_deadline"]
        .into_iter()
        .filter(|key| !is_said(key))
        .map(|key| format!("{key} = \"{DEADLINE}\"\n"))
        .collect();
    format!(
        "[[module]]\nname = \"{}\"\nfile = \"{file}\"\ndomain = \"hostile\"\non_fault = \"closed\"\n{}\n[module.grants]\ntx = [\"null\"]\nrings = [{rings}]\ncreate = \
         true\nhostcalls = [\"log\", \"counter\", \"time\"]\nclock = \"precise\"\n{deadline}{}\n",
        hostile.name, hostile.config, hostile.grants
    )
}

/// A module that must not start does not, for the reason that is expected, and says so in words that do a terminal no harm.
///
/// # Errors
/// It starts, or is refused for another reason.
pub fn refuse(folder: &Path, modules: &Path, hostile: &Hostile) -> Result<()> {
    let wanted = hostile.refused.as_deref().context("it is not one that is refused")?;
    let file = write(folder, modules, hostile)?;
    let number = DEVICE.fetch_add(1, Ordering::Relaxed);
    let source = if hostile.generates {
        format!("source = {{ module = \"{}\", pool = 255 }}", hostile.name)
    } else {
        format!("source = {{ port = \"null\" }}\nstages = [\"{}\"]", hostile.name)
    };
    let config = format!(
        "[[port]]\nname = \"null\"\ndevice = \"net_null{number}\"\npool = 511\n{}[[chain]]\nname = \"c\"\nlcores = [0]\n{source}\ntx = \
         [\"null\"]\n",
        entry(hostile, &file, "")
    );
    let config = Config::parse(&config, "refused.toml").with_context(|| config.clone())?;
    match Run::start(&config, folder) {
        Ok(run) => {
            let _ = run.stop();
            bail!("it was started");
        }
        Err(error) => {
            let text = error.to_string();
            ensure!(text.contains(wanted), "another reason than {wanted:?}: {text}");
            ensure!(text.contains(&hostile.name), "whose reason is it? {text}");
            judge::harmless(&text)
        }
    }
}

/// Runs hostile modules and a neighbour, until each has done what it does, and checks all of it.
///
/// # Errors
/// Something else became of one, the neighbour lost something, or packets are missing in the accounts or pools.
pub fn run_group(folder: &Path, modules: &Path, group: &[Hostile]) -> Result<Outcome> {
    let config = config(folder, modules, group)?;
    let parsed = Config::parse(&config, "group.toml").with_context(|| config.clone())?;
    let run = Run::start(&parsed, folder).with_context(|| names(group))?;
    let outcome = watch(&run, group);
    // Stopped in either case: the next group needs the ports.
    let summary = run.stop();
    let outcome = outcome.with_context(|| names(group))?;
    ensure!(
        summary.accounting.balanced,
        "{}: not all packets are accounted for: {:#?}",
        names(group),
        summary.accounting
    );
    ensure!(summary.accounting.held == 0, "{}: packets are held after the end", names(group));
    let short: Vec<_> = summary.pools.iter().filter(|pool| !pool.full).collect();
    ensure!(short.is_empty(), "{}: pools that are not full: {short:?}", names(group));
    Ok(outcome)
}

fn names(group: &[Hostile]) -> String {
    group.iter().map(|hostile| hostile.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Ports 0 `null`, which all may use, and 1 `wire`, which is the neighbour's; ring 0, which all may use.
fn config(folder: &Path, modules: &Path, group: &[Hostile]) -> Result<String> {
    std::fs::write(folder.join("numbered.wat"), text::neighbour(NUMBERED))?;
    std::fs::write(folder.join("checked.wat"), text::neighbour(CHECKED))?;
    let number = DEVICE.fetch_add(2, Ordering::Relaxed);
    let mut config = format!(
        r#"
[run]
tick = "1ms"
watchdog = "10s"
[[port]]
name = "null"
device = "net_null{number}"
pool = 4095
[[port]]
name = "wire"
device = "net_ring{}"
pool = 255
[[ring]]
name = "r"
size = 32
[[module]]
name = "numbered"
file = "numbered.wat"
grants = {{ hostcalls = ["counter"] }}
[[module]]
name = "checked"
file = "checked.wat"
grants = {{ hostcalls = ["counter"] }}
[[chain]]
name = "numbered"
lcores = [0]
source = {{ module = "numbered", pool = 2047 }}
tx = ["wire"]
[[chain]]
name = "checked"
lcores = [1]
source = {{ port = "wire" }}
stages = ["checked"]
[[chain]]
name = "ring"
lcores = [1]
source = {{ ring = "r" }}
tx = ["null"]
"#,
        number + 1
    );
    let mut queue = 0;
    for (i, hostile) in group.iter().enumerate() {
        let file = write(folder, modules, hostile)?;
        let name = &hostile.name;
        let source = if hostile.generates {
            format!("source = {{ module = \"{name}\", pool = 255 }}")
        } else {
            queue += 1;
            format!("source = {{ port = \"null\", queue = {} }}\nstages = [\"{name}\"]", queue - 1)
        };
        let lcore = i % 2;
        let entry = entry(hostile, &file, "\"r\"");
        let _ = write!(config, "{entry}[[chain]]\nname = \"{name}\"\nlcores = [{lcore}]\n{source}\ntx = [\"null\"]\n");
    }
    Ok(config)
}

/// Looks on until all is as expected, then ends the neighbour's source and counts what came through.
fn watch(run: &Run, group: &[Hostile]) -> Result<Outcome> {
    let begin = Instant::now();
    let mut outcome = Outcome::default();
    let mut asked = false;
    loop {
        let snapshot = run.snapshot();
        let open: Vec<_> =
            group.iter().filter_map(|hostile| judge::missing(hostile, &seen(&snapshot, hostile))).collect();
        // What is asked of a module is asked when it has had packets.
        let ready =
            snapshot.chains.iter().all(|chain| chain.batches > 0 || chain.name == "ring" || chain.polls > 1_000);
        if !asked && ready {
            group.iter().try_for_each(|hostile| ask(run, hostile))?;
            asked = true;
        }
        if open.is_empty() && asked {
            outcome.taken = begin.elapsed();
            break;
        }
        if begin.elapsed() > PATIENCE {
            bail!("after {PATIENCE:?}: {}", open.join("; "));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    outcome.neighbour = neighbour(run)?;
    let end = run.snapshot();
    for hostile in group {
        let seen = seen(&end, hostile);
        judge::check(hostile, &seen).with_context(|| hostile.name.clone())?;
        outcome.faults += u64::from(seen.failed.is_some());
    }
    Ok(outcome)
}

fn ask(run: &Run, hostile: &Hostile) -> Result<()> {
    let Some(ask) = hostile.ask else { return Ok(()) };
    let answer = match ask {
        Ask::Message => run.message(&hostile.name, b"ping").map(drop),
        Ask::Save => run.save(&hostile.name).map(drop),
        Ask::Restore => run.restore(&hostile.name, &[b"ping".to_vec()]),
    };
    let wanted = hostile.answer.as_deref();
    match (answer, wanted) {
        (Ok(()), None) => Ok(()),
        (Ok(()), Some(wanted)) => bail!("{}: an answer in place of an error with {wanted:?}", hostile.name),
        (Err(error), None) => bail!("{}: no answer: {error}", hostile.name),
        (Err(error), Some(wanted)) => {
            let text = error.to_string();
            ensure!(text.contains(wanted), "{}: another error than {wanted:?}: {text}", hostile.name);
            judge::harmless(&text).with_context(|| hostile.name.clone())
        }
    }
}

/// Ends the neighbour's source and waits for its last packet; all must have come, in order and unchanged. Returns how many.
fn neighbour(run: &Run) -> Result<u64> {
    let counter = |module: &str, name: &str| {
        let of = |snapshot: Snapshot| snapshot.modules.into_iter().find(|m| m.name == module);
        of(run.snapshot())
            .and_then(|m| m.counters.get(name).copied())
            .with_context(|| format!("{module} has no {name}"))
    };
    run.message("numbered", b"stop").context("the neighbour's source does not answer")?;
    let made = counter("numbered", "made")?;
    let begin = Instant::now();
    while counter("checked", "seen")? != made {
        let seen = counter("checked", "seen")?;
        ensure!(begin.elapsed() < PATIENCE, "of the neighbour's {made} packets {seen} came through");
        std::thread::sleep(Duration::from_millis(2));
    }
    let (gaps, changed) = (counter("checked", "gaps")?, counter("checked", "changed")?);
    ensure!(gaps == 0, "{gaps} of the neighbour's packets were not the next");
    ensure!(changed == 0, "{changed} of the neighbour's packets had changed");
    ensure!(made > 0, "the neighbour had no packets");
    let failed =
        run.snapshot().modules.into_iter().find(|m| m.failed.is_some() && matches!(&*m.name, "numbered" | "checked"));
    ensure!(failed.is_none(), "a neighbour has failed: {failed:?}");
    Ok(made)
}

/// What is known of a module and its chain.
fn seen(snapshot: &Snapshot, hostile: &Hostile) -> Seen {
    let chain = snapshot.chains.iter().find(|chain| chain.name == hostile.name).cloned().unwrap_or_default();
    let module = snapshot.modules.iter().find(|module| module.name == hostile.name).cloned().unwrap_or_default();
    Seen {
        failed: module.failed.clone(),
        batches: chain.batches,
        chain,
        module,
        enough: hostile.batches.unwrap_or(BATCHES),
    }
}
