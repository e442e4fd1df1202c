//! By what the packets of each stream are let go at their times: what its port has been seen to do, and what was asked for.

use crate::manifest::port_facts;
use crate::options::{Calibrated, Options};
use crate::parts::{Limit, Means};
use perigee_config::stream::{AskedMethod, Method, Stream as Asked};
use perigee_config::{Chain, Config, Placed};
use perigee_core::clock::Clock;
use perigee_core::lock;
use perigee_datapath::port::Port;
use perigee_pace::{Trial, best};
use perigee_report::{CalibrationKey, Error, Machine};
use std::sync::Arc;

/// What methods are chosen by.
pub(super) struct Choosing<'a> {
    pub(super) config: &'a Config,
    pub(super) placed: &'a [Placed],
    pub(super) ports: &'a [Arc<dyn Port>],
    pub(super) options: &'a Options,
    pub(super) clock: Clock,
    pub(super) machine: Machine,
    /// Time is the machine's: there are cards that do not do what they say, and a simulated wire's end does.
    pub(super) is_real: bool,
}

/// A port must be started with launch times, for streams that ask for them or that calibration may have found best by them.
pub(super) fn wants_launch(config: &Config, calibrations: &[Calibrated], port: usize) -> bool {
    let entry = &config.ports[port];
    let may_be_best = || {
        let of_device = calibrations.iter().filter(|one| one.key.device == entry.device);
        of_device.flat_map(|one| &one.trials).any(|trial| trial.method == Method::LaunchTime && trial.holds())
    };
    let sends = |stream: &Asked| {
        let chain = config.chains.iter().find(|chain| chain.name == stream.chain);
        chain.is_some_and(|chain| chain.granted_ports().any(|name| *name == entry.name))
    };
    config.streams.iter().filter(|stream| sends(stream)).any(|stream| match stream.method {
        AskedMethod::Only(method) => method == Method::LaunchTime,
        AskedMethod::Auto => may_be_best(),
    })
}

impl Choosing<'_> {
    /// By what a stream is paced.
    pub(super) fn means(&self, stream: &Asked) -> Result<Means, Error> {
        let chain = self.config.chains.iter().find(|chain| chain.name == stream.chain);
        let port = chain.and_then(|chain| chain.granted_ports().next()).and_then(|name| self.config.port(name));
        let Some((chain, port)) = chain.zip(port) else { return Ok(Means::default()) };
        let (calibrated, calibration) = self.calibration(port);
        let trials = calibrated.map(|calibrated| &*calibrated.trials).unwrap_or_default();
        let holds = |method| trials.iter().any(|trial: &Trial| trial.method == method && trial.holds());
        let may = |method| self.config.unfit(stream, chain, method).is_none();
        let (method, is_asked) = match stream.method {
            AskedMethod::Only(method) => (method, true),
            AskedMethod::Auto => (best(trials, may).unwrap_or_default(), false),
        };
        let name = &self.config.ports[port].name;
        let driver = self.ports[port].stats().driver;
        match self.prepare(method, stream, chain, port, holds(method)) {
            Ok(means) => {
                if is_asked && method != Method::Software && self.is_real && !holds(method) && !self.options.calibrates
                {
                    tracing::warn!(
                        stream = stream.name,
                        port = name,
                        "method {:?}: {driver} says that it can, and no calibration of this port has confirmed it; \
                         `perigee calibrate` does",
                        method.name()
                    );
                }
                Ok(Means { calibration, ..means })
            }
            Err(why) if is_asked => Err(Error::Request(format!(
                "stream {:?}: port {name:?} (driver {driver}) cannot do method {:?}: {why}. method = \"software\" works with all \
                 ports, \"auto\" takes the best that calibration has confirmed",
                stream.name,
                method.name()
            ))),
            Err(why) => {
                let method = method.name();
                tracing::warn!(
                    stream = stream.name,
                    port = name,
                    "paced by software, not by {method}, its best: {why}"
                );
                Ok(Means { calibration, ..Means::default() })
            }
        }
    }

    /// The calibration of this very port, and what is told of it.
    fn calibration(&self, port: usize) -> (Option<&Calibrated>, Option<String>) {
        let key = CalibrationKey::new(&port_facts(&*self.ports[port]), &self.machine, &perigee_dpdk::version());
        let known = &self.options.calibrations;
        if let Some(found) = known.iter().find(|one| one.key == key) {
            return (Some(found), Some(format!("made at {}", found.made)));
        }
        let is_like = |one: &&Calibrated| one.key.driver == key.driver && one.key.device == key.device;
        let other = "none: the one that is kept is of another machine, kernel, DPDK or link";
        (None, known.iter().find(is_like).map(|_| other.to_owned()))
    }

    /// Asks the port for what the method takes. The text says why it cannot.
    fn prepare(
        &self,
        method: Method,
        stream: &Asked,
        chain: &Chain,
        port: usize,
        is_confirmed: bool,
    ) -> Result<Means, String> {
        let (port, entry) = (&self.ports[port], &self.config.ports[port]);
        let means = Means { method, ..Means::default() };
        match method {
            Method::Software => Ok(means),
            Method::LaunchTime => Ok(Means { clock: port.launch(&self.clock)?, ..means }),
            Method::RateLimit => {
                let speed = Some(u64::from(port.info(true).speed_mbps) * 1_000_000).filter(|speed| *speed != 0);
                let means = Means { speed, ..means };
                *lock(&means.limits) = self.limits(chain, port, &entry.name)?;
                let rate = stream.rate.ok_or("the stream has no rate")?;
                means.limit(rate, chain.width())?;
                Ok(means)
            }
            Method::Filler => {
                let line = port.line()?;
                if !line.vanishes && !is_confirmed && !self.options.calibrates {
                    return Err(format!(
                        "no calibration of this port has seen fillers vanish, and where they do not, whoever receives gets them; \
                         `perigee calibrate --tx '{}' --method filler` tries it",
                        entry.device
                    ));
                }
                Ok(Means { line_rate: line.rate, ..means })
            }
        }
    }

    /// The queues by which a chain sends to its port, none of them anybody else's.
    fn limits(&self, chain: &Chain, port: &Arc<dyn Port>, name: &str) -> Result<Vec<Limit>, String> {
        let senders = self.config.senders(self.placed, port.facts().number.into());
        let here = self.placed.iter().filter(|placed| self.config.chains[placed.chain].name == chain.name);
        let limit = |placed: &Placed| {
            let on_lcore =
                self.placed.iter().filter(|other| other.lcore == placed.lcore && other.chain != placed.chain);
            let mut others = on_lcore.map(|other| &self.config.chains[other.chain]);
            if let Some(other) = others.find(|other| other.sends_to(name)) {
                return Err(format!(
                    "chain {:?} sends by the same tx queue: give it an lcore of its own, and so a queue",
                    other.name
                ));
            }
            let queue = senders.iter().position(|cpu| *cpu == placed.lcore).unwrap_or(0);
            Ok(Limit { port: Arc::clone(port), queue: u16::try_from(queue).unwrap_or(u16::MAX) })
        };
        here.map(limit).collect()
    }
}
