//! `perigee check`: what would keep a configuration or a module from running.

use crate::output;
use crate::run::{Loaded, load};
use anyhow::Result;
use perigee_runtime::Limits;
use perigee_runtime::config::{Config, Module, Source, allowed_cpus};
use std::path::Path;
use std::process::ExitCode;

/// `perigee check`.
pub(crate) fn check(file: &Path) -> Result<ExitCode> {
    let is_module =
        file.extension().is_some_and(|extension| extension == "wasm" || extension == "wat" || extension == "wast");
    if is_module {
        let info = perigee_runtime::inspect(file, Limits::default())?;
        output::result(&format!(
            "{}: ok, ABI version {}, {}\n",
            file.display(),
            info.numbers.abi,
            info.callbacks.join(", ")
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let Loaded { config, base } = load(file)?;
    let mut refused = 0;
    for module in &config.modules {
        for problem in module_problems(&config, module, &base) {
            output::error(&format!("{}: {problem}", file.display()));
            refused += 1;
        }
    }
    if refused > 0 {
        return Ok(ExitCode::from(1));
    }
    output::result(&format!("{}: ok\n{}", file.display(), plan(&config)))?;
    Ok(ExitCode::SUCCESS)
}

/// Loads a module under its limits, and looks for the callbacks that its places in the chains need.
fn module_problems(config: &Config, module: &Module, base: &Path) -> Vec<String> {
    let limits = Limits::from(&module.grants);
    let info = match perigee_runtime::inspect(&base.join(&module.file), limits) {
        Ok(info) => info,
        Err(error) => return vec![error.to_string()],
    };
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
