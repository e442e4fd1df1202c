//! `perigee check`: what would keep a configuration or a module from running.

use crate::args::LoadOptions;
use crate::run::{Loaded, read};
use crate::table::bytes;
use crate::{load, output};
use anyhow::Result;
use perigee_runtime::config::{Config, Module, Source, allowed_cpus};
use perigee_runtime::load::Loader;
use perigee_runtime::{ModuleInfo, longest_operation};
use std::path::Path;
use std::process::ExitCode;

/// `perigee check`.
pub(crate) fn check(file: &Path, args: &LoadOptions) -> Result<ExitCode> {
    let is_module =
        file.extension().is_some_and(|extension| extension == "wasm" || extension == "wat" || extension == "wast");
    if is_module {
        let info = load::inspect(file, Module::new(&load::stem(file), ""), args)?;
        output::result(&format!(
            "{}: ok, ABI version {}, {}\n",
            file.display(),
            info.numbers.abi,
            info.callbacks.join(", ")
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let Loaded { mut config, base } = read(file)?;
    load::apply(args, &mut config)?;
    let loader = Loader::start(&config.load, &base, &load::options(args)?)?;
    let mut refused = 0;
    for module in &config.modules {
        for problem in module_problems(&config, module, &base, &loader, file) {
            output::error(&format!("{}: {problem}", file.display()));
            refused += 1;
        }
    }
    if refused > 0 {
        return Ok(ExitCode::from(1));
    }
    output::result(&format!("{}: ok\n{}{}", file.display(), plan(&config), uninterrupted(&config)))?;
    Ok(ExitCode::SUCCESS)
}

/// What a module and its grants have to do with each other, where they do not fit: nothing of it keeps a run from starting.
fn tell_grants(module: &Module, info: &ModuleInfo, file: &Path) {
    for what in module.grants.beside(info) {
        output::line(&format!("{}: warning: module {:?} {what}", file.display(), module.name));
    }
}

/// Loads a module under its limits, and looks for the callbacks that its places in the chains need.
fn module_problems(config: &Config, module: &Module, base: &Path, loader: &Loader, file: &Path) -> Vec<String> {
    let loaded = loader.read(&base.join(&module.file)).and_then(|upload| loader.inspect(module, &upload));
    let info = match loaded {
        Ok(info) => info,
        Err(error) => return vec![error.to_string()],
    };
    tell_grants(module, &info, file);
    let generates = |source: &Source| matches!(source, Source::Module { module: name, .. } if *name == module.name);
    let mut problems = Vec::new();
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
    problems
}

/// By how much a call may pass its deadline, for each module.
fn uninterrupted(config: &Config) -> String {
    let line = |module: &Module| {
        let most = longest_operation(module.grants.memory);
        let memory = bytes(module.grants.memory);
        format!("  module {}: no deadline interrupts a fill of its {memory}, {most:.0?} here\n", module.name)
    };
    config.modules.iter().map(line).collect()
}

/// What would run where.
fn plan(config: &Config) -> String {
    let mut text = String::new();
    for placed in config.placement(&allowed_cpus()) {
        let chain = &config.chains[placed.chain];
        let source = match (&chain.source, placed.queue) {
            (Source::Port { port, .. }, Some(queue)) => format!("port {port}, rx queue {queue}"),
            (Source::Port { port, .. }, None) => format!("port {port}"),
            (Source::Module { module, pool }, _) => format!("generator {module} ({pool} rooms)"),
            (Source::Ring { ring }, _) => format!("ring {ring}"),
        };
        let stages: String = chain.stages.iter().map(|stage| format!(" -> {stage}")).collect();
        let tx = if chain.tx.is_empty() { String::new() } else { format!(" -> {}", chain.tx.join(", ")) };
        text += &format!("  lcore {}: chain {}: {source}{stages}{tx}\n", placed.lcore, chain.name);
    }
    text
}
