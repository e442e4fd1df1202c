//! Checks of `[sim]`, and of what keeps a configuration from being simulated.

use super::Problems;
use crate::sim::Happening;
use crate::{Config, Port, Problem};
use std::time::Duration;

/// Names in `[sim]`, and numbers that make no sense.
pub(super) fn sim(config: &Config, found: &mut Problems) {
    let chains: Vec<&str> = config.chains.iter().map(|chain| &*chain.name).collect();
    let modules: Vec<&str> = config.modules.iter().map(|module| &*module.name).collect();
    let ports: Vec<&str> = config.ports.iter().map(|port| &*port.name).collect();
    if config.sim.turn < Duration::from_nanos(1) {
        found.error("sim.turn", "sim: turn is 0: no time would pass", "some nanoseconds to some microseconds");
    }
    if config.sim.lcores.is_some_and(|lcores| !(1..=128).contains(&lcores)) {
        found.error("sim.lcores", "sim: lcores must be from 1 to 128", "leave it away for one for each chain");
    }
    if config.sim.fuel_per_us == 0 {
        found.error("sim.fuel_per_us", "sim: fuel_per_us is 0: no call could do anything", "1000 is usual");
    }
    for name in config.sim.costs.keys() {
        found.known(format!("sim.costs.{name}"), "sim.costs", "chain", name, &chains);
    }
    for (index, event) in config.sim.events.iter().enumerate() {
        let (path, who) = (format!("sim.event[{index}]"), format!("sim.event number {index}"));
        let mut known = |kind: &str, name: &str, known: &[&str]| found.known(path.clone(), &who, kind, name, known);
        match &event.what {
            Happening::Swap(swap) => known("module", &swap.module, &modules),
            Happening::Trap(trap) => known("module", &trap.module, &modules),
            Happening::Message(message) => known("module", &message.module, &modules),
            Happening::Link(link) => known("port", &link.port, &ports),
            Happening::Loss(loss) => known("port", &loss.port, &ports),
            Happening::Slow(slow) => known("chain", &slow.chain, &chains),
            Happening::Pool(pool) => match (&pool.port, &pool.chain) {
                (Some(port), None) => known("port", port, &ports),
                (None, Some(chain)) => known("chain", chain, &chains),
                _ => found.error(path, format!("{who}: pool is that of one port or one chain"), "give port or chain"),
            },
            Happening::Apply(apply) => known("module", &apply.module, &modules),
            Happening::Jump(_) => {}
        }
    }
    together(config, found);
}

/// Events that happen together are drawn as one: from ranges of one width, with one probability.
fn together(config: &Config, found: &mut Problems) {
    let events = &config.sim.events;
    for group in config.sim.groups() {
        let [first, others @ ..] = &*group else { continue };
        let like = |number: usize| (events[number].at.to - events[number].at.from, events[number].chance.to_bits());
        for other in others.iter().filter(|other| like(**other) != like(*first)) {
            let what = format!(
                "sim.event number {other}: it is drawn together with number {first}, and its `at` has another width, or its `chance` is another one"
            );
            let help = "give both ranges of one width, as \"1s..5s\" and \"1100ms..5100ms\", and the same `chance`";
            found.error(format!("sim.event[{other}].together"), what, help);
        }
    }
}

impl Config {
    /// What keeps the configuration from being simulated, beside what keeps it from running.
    #[must_use]
    pub fn validate_sim(&self) -> Vec<Problem> {
        let mut found = Problems::default();
        for (index, port) in self.ports.iter().enumerate().filter(|(_, port)| !port.is_own()) {
            let Port { name, device, .. } = port;
            let help =
                format!("give it a wire for the simulation: device = \"wire:{name},end=a\", and a port at its end b");
            found.error(
                format!("port[{index}].device"),
                format!("port {name:?}: {device:?} cannot be simulated"),
                help,
            );
        }
        if !self.capturing.is_empty() {
            let help = "take [[capture]] out: it is for `perigee run`";
            found.error("capture[0].file", "a simulation makes no captures: nobody reads them in its time", help);
        }
        if !self.histories.is_empty() {
            let help = "take [[history]] out: it is for `perigee run`";
            found.error("history[0].name", "a simulation remembers no packets: nobody looks back in its time", help);
        }
        if !self.triggers.is_empty() {
            let help = "take [[trigger]] out: it is for `perigee run`";
            found.error("trigger[0].name", "a simulation remembers no packets: nobody waits in its time", help);
        }
        if self.run.duration.is_none() {
            found.error("run.duration", "a simulation needs an end", "[run] duration = \"1s\", or --for 1s");
        }
        found.0
    }
}
