//! Configurations for the usual cases, built in code: the same values that a file would give.

use super::{Chain, Config, Module, Port, Run, Source, values};
use crate::Grants;
use std::path::Path;

impl Config {
    /// A generator that sends on one port: module `file` makes packets, `device` takes them. The port is called `out`,
    /// the module as its file without ending, the chain `generate`. The module is taken for the operator's own
    /// ([`Grants::own`]).
    #[must_use]
    pub fn generate(file: &str, device: &str) -> Self {
        let mut module = Module::new(&stem(file), file);
        module.grants = Grants::own(&["out"]);
        let source = Source::Module { module: module.name.clone(), pool: None };
        let mut chain = Chain::new("generate", source);
        chain.tx.push("out".to_owned());
        Self {
            load: super::Load::default(),
            run: Run::default(),
            sim: super::sim::Sim::default(),
            ports: vec![Port::new("out", device)],
            modules: vec![module],
            rings: Vec::new(),
            chains: vec![chain],
            streams: Vec::new(),
            paths: Vec::new(),
            capturing: Vec::new(),
            histories: Vec::new(),
            triggers: Vec::new(),
        }
    }

    /// A module between two ports, called `a` and `b`: a chain for each direction, `a-to-b` and `b-to-a`. The module is
    /// taken for the operator's own ([`Grants::own`]).
    #[must_use]
    pub fn forward(file: &str, device_a: &str, device_b: &str) -> Self {
        let mut module = Module::new(&stem(file), file);
        module.grants = Grants::own(&["a", "b"]);
        let direction = |from: &str, to: &str| {
            let source = Source::Port { port: from.to_owned(), queue: 0 };
            let mut chain = Chain::new(&format!("{from}-to-{to}"), source);
            chain.stages.push(module.name.clone());
            chain.tx.push(to.to_owned());
            chain
        };
        Self {
            load: super::Load::default(),
            run: Run::default(),
            sim: super::sim::Sim::default(),
            ports: vec![Port::new("a", device_a), Port::new("b", device_b)],
            rings: Vec::new(),
            chains: vec![direction("a", "b"), direction("b", "a")],
            streams: Vec::new(),
            paths: Vec::new(),
            capturing: Vec::new(),
            histories: Vec::new(),
            triggers: Vec::new(),
            modules: vec![module],
        }
    }
}

/// A name for the module in a file.
fn stem(file: &str) -> String {
    Path::new(file).file_stem().map_or_else(|| "module".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

impl Chain {
    /// A chain without stages and without ports to send to.
    #[must_use]
    pub fn new(name: &str, source: Source) -> Self {
        Self {
            name: name.to_owned(),
            lcores: Vec::new(),
            source,
            filter: None,
            stages: Vec::new(),
            weight: values::weight(),
            tx: Vec::new(),
            when_full: None,
            stage_times: false,
        }
    }
}
