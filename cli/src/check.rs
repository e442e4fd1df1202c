//! `perigee check`: what would keep a configuration or a module from running.

use crate::load::LoadOptions;
use crate::read::{Loaded, read};
use crate::table::{bytes, count};
use crate::{load, output};
use anyhow::Result;
use perigee_runtime::config::{Captures, Config, ConfigError, FlowRule, Module, Port, Severity, Source, allowed_cpus};
use perigee_runtime::jail::Mode;
use perigee_runtime::load::{Loader, Upload};
use perigee_runtime::trial;
use perigee_runtime::{Error, ModuleInfo, longest_operation};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// `perigee check`.
pub(crate) fn check(file: &Path, args: &LoadOptions, mode: Mode) -> Result<ExitCode> {
    let is_module =
        file.extension().is_some_and(|extension| extension == "wasm" || extension == "wat" || extension == "wast");
    if is_module {
        let info = load::inspect(file, Module::new(&load::stem(file), ""), args, mode)?;
        output::result(&format!(
            "{}: ok, ABI version {}, {}\n",
            file.display(),
            info.numbers.abi,
            info.callbacks.join(", ")
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let loaded = read(file)?;
    let captures = check_captures(&loaded)?;
    let Loaded { mut config, base, .. } = loaded;
    load::apply(args, &mut config)?;
    let loader = load::options(args)?.loader(&config.load, &base)?;
    // Read before the jail, which leaves no way to them.
    config.read_secrets(&base)?;
    let uploads: Vec<_> = config.modules.iter().map(|module| loader.read(&base.join(&module.file))).collect();
    let problems = perigee_runtime::confined(mode, || {
        let (mut problems, mut listening, mut unknown) = (Vec::new(), Vec::new(), false);
        let mut regions = BTreeMap::new();
        for (module, upload) in config.modules.iter().zip(uploads) {
            match module_problems(&config, module, upload, &loader, file) {
                Ok((found, callbacks, region)) => {
                    problems.extend(found);
                    regions.insert(module.name.as_str(), region);
                    listening.extend(callbacks.iter().any(|name| name == "message").then_some(&module.name));
                }
                Err(error) => {
                    unknown = true;
                    problems.push(error.to_string());
                }
            }
        }
        // Of a module that does not load nobody knows whether it would listen.
        let deaf =
            if unknown { Vec::new() } else { config.deaf_targets(|name| listening.iter().any(|it| *it == name)) };
        let unfit = config.unfit_regions(|name| regions.get(name).copied());
        problems.extend(deaf.into_iter().chain(unfit).map(|(module, what)| format!("module {module:?} {what}")));
        problems
    })?;
    for problem in &problems {
        output::error(&format!("{}: {problem}", file.display()));
    }
    if !problems.is_empty() {
        return Ok(ExitCode::from(1));
    }
    for what in config.shared_lcores(&allowed_cpus()) {
        output::line(&format!("{}: warning: {what}", file.display()));
    }
    let (plan, played) = (plan(&config), played(&config, &captures));
    output::result(&format!("{}: ok\n{plan}{played}{}", file.display(), uninterrupted(&config)))?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the captures that ports would read, as a run does before it starts.
fn check_captures(loaded: &Loaded) -> Result<Captures> {
    let captures = loaded.config.captures(&loaded.base);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        loaded.locate(&captures.problems).into_iter().partition(|problem| problem.severity == Severity::Error);
    warnings.iter().for_each(|warning| output::line(&warning.to_string()));
    if errors.is_empty() { Ok(captures) } else { Err(ConfigError { problems: errors }.into()) }
}

/// What a module and its grants have to do with each other, where they do not fit: nothing of it keeps a run from starting.
fn tell_grants(module: &Module, info: &ModuleInfo, file: &Path) {
    for what in module.grants.beside(info) {
        output::line(&format!("{}: warning: module {:?} {what}", file.display(), module.name));
    }
}

/// Loads a module under its limits, gives an instance its configuration, and looks for the callbacks that its places in the
/// chains need: what is wrong, the callbacks that there are, and bytes of its state region.
fn module_problems(
    config: &Config,
    module: &Module,
    upload: Result<Upload, Error>,
    loader: &Loader,
    file: &Path,
) -> Result<(Vec<String>, Vec<String>, u32), Error> {
    let info = upload.and_then(|upload| trial::rehearse(loader, config, module, &upload))?;
    tell_grants(module, &info, file);
    let generates = |source: &Source| matches!(source, Source::Module { module: name, .. } if *name == module.name);
    let window = info.window_lacks(config.window_bytes(&module.name));
    let window = window.filter(|_| config.instances(&module.name) > 0);
    let mut problems: Vec<String> =
        window.into_iter().map(|lacks| format!("module {:?}: {lacks}", module.name)).collect();
    for chain in &config.chains {
        let needs = [
            (generates(&chain.source), "source", "generate"),
            (chain.stages.contains(&module.name), "stage", "process"),
        ];
        for (_, role, callback) in needs.into_iter().filter(|(needed, _, _)| *needed) {
            if !info.callbacks.iter().any(|name| name == callback) {
                let what = format!(
                    "module {:?} exports no \"{callback}\", and chain {:?} has it as {role}",
                    module.name, chain.name
                );
                problems.push(what);
            }
        }
    }
    Ok((problems, info.callbacks, info.numbers.state_region().1))
}

/// By how much a call may pass its deadline, for each module with which that is more than the deadline itself.
fn uninterrupted(config: &Config) -> String {
    let line = |module: &Module| {
        let (most, deadline) = (longest_operation(module.grants.memory), module.grants.deadline);
        (most > deadline).then(|| {
            format!(
                "  module {}: its deadline of {deadline:.0?} does not interrupt a fill of its whole memory ({}), which takes \
                 {most:.0?} here; with less `memory` in its grants that is less\n",
                module.name,
                bytes(module.grants.memory),
            )
        })
    };
    config.modules.iter().filter_map(line).collect()
}

/// What becomes of packets before a chain has them.
fn flows(config: &Config) -> String {
    let rules =
        config.ports.iter().flat_map(|port| port.flows.iter().enumerate().map(move |(n, rule)| (port, n, rule)));
    let line = |(port, number, rule): (&Port, usize, &FlowRule)| {
        format!("  port {}: flow rule {number}: {} -> {}\n", port.name, rule.matches, rule.action)
    };
    rules.map(line).collect()
}

/// What ports would play, and what memory that takes.
fn played(config: &Config, captures: &Captures) -> String {
    let line = |(number, port): (usize, &Port)| {
        let (facts, device) = (captures.recording(number)?.facts(), port.file()?);
        let (packets, memory) = (count(facts.packets), bytes(device.takes(config.rx_queues(number), facts)));
        let span = Duration::from_nanos(facts.period).as_secs_f64();
        let whence = if device.is_preloaded { "" } else { ", for what is read ahead" };
        Some(format!(
            "  port {}: a round has {packets} packets and lasts {span:.3} s at speed 1; memory: {memory}{whence}\n",
            port.name
        ))
    };
    config.ports.iter().enumerate().filter_map(line).collect()
}

/// What would run where.
fn plan(config: &Config) -> String {
    let mut text = flows(config);
    for placed in config.placement(&allowed_cpus()) {
        let chain = &config.chains[placed.chain];
        let source = match (&chain.source, placed.queue) {
            (Source::Port { port, .. }, Some(queue)) => format!("port {port}, rx queue {queue}"),
            (Source::Port { port, .. }, None) => format!("port {port}"),
            (Source::Module { module, .. }, _) => {
                format!("generator {module} ({} rooms)", config.generator_pool(placed.chain))
            }
            (Source::Ring { ring }, _) => format!("ring {ring}"),
        };
        let filter = chain.filter.as_ref().map(|filter| format!(" -> filter {filter:?}")).unwrap_or_default();
        let stages: String = chain.stages.iter().map(|stage| format!(" -> {stage}")).collect();
        let tx = if chain.tx.is_empty() { String::new() } else { format!(" -> {}", chain.tx.join(", ")) };
        text += &format!("  lcore {}: chain {}: {source}{filter}{stages}{tx}\n", placed.lcore, chain.name);
    }
    text
}
