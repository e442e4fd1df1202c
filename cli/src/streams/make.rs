//! The packets of streams, without ports: made by the module on trial, at the times of the schedules.

use super::order::Order;
use super::plan::Plan;
use anyhow::{Result, anyhow};
use perigee_runtime::config::ModuleConfig;
use perigee_runtime::config::stream::Stream;
use perigee_runtime::trial::{Failure, Setting, Subject, Trial};
use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

/// Packets that are asked of the module at once.
const BURST: usize = 64;

/// A packet that would leave.
pub(crate) struct Departure {
    /// The number of its stream among those that were made.
    pub(super) made: usize,
    /// When, in nanoseconds of the run.
    pub(super) at: u64,
    pub(super) bytes: Vec<u8>,
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    /// So many packets.
    pub(super) count: usize,
    /// None that leaves later.
    pub(super) until: Option<Duration>,
    /// What the ports' links carry, in bits per second.
    pub(super) link: Option<u64>,
}

/// A stream's instance, and what it has made already.
struct Maker {
    trial: Trial,
    ready: VecDeque<Vec<u8>>,
}

impl Maker {
    fn start(subject: &Subject, plan: &Plan, number: usize) -> Result<Self> {
        let made = &plan.made[number];
        let name = plan.name(made);
        let port = plan.config.ports.iter().find(|port| port.name == made.port);
        // A trial's port has the usual MTU: one with another is left to the run.
        let ports = if port.is_none_or(|port| port.mtu == 1_500) { Setting::default().ports } else { Vec::new() };
        let config = ModuleConfig::Table(made.settings.clone()).bytes();
        let setting = Setting { config, ports, rooms: 2 * u32::try_from(BURST)?, ..Setting::default() };
        let mut trial = Trial::start(subject, &setting).map_err(|failure| refusal(plan, name, &failure))?;
        trial.prefill().map_err(|failure| refusal(plan, name, &failure))?;
        Ok(Self { trial, ready: VecDeque::new() })
    }

    fn next(&mut self) -> Result<Vec<u8>> {
        if self.ready.is_empty() {
            let outcome = self.trial.generate(BURST)?;
            self.ready.extend(outcome.packets.into_iter().map(|seen| seen.bytes));
        }
        self.ready.pop_front().ok_or_else(|| anyhow!("the module made no packets, which is a bug in it"))
    }
}

/// A refusal with its place in the file, where it is about one.
fn refusal(plan: &Plan, stream: &str, failure: &Failure) -> anyhow::Error {
    match plan.refused(stream, &failure.to_string()) {
        Some(problem) => anyhow::Error::new(perigee_runtime::Error::Config { problems: vec![problem] }),
        None => anyhow!("stream {stream:?}: {failure}"),
    }
}

/// The first packets of all streams in the order of their departure.
pub(super) fn departures(plan: &Plan, base: &Path, subject: &Subject, wanted: Wanted) -> Result<Vec<Departure>> {
    let count = plan.made.len();
    let mut makers = (0..count).map(|number| Maker::start(subject, plan, number)).collect::<Result<Vec<_>>>()?;
    let streams =
        plan.made.iter().map(|made| traced(&plan.config.streams[made.stream], base)).collect::<Result<Vec<_>>>()?;
    let mut order = Order::new(&streams, wanted.link, plan.config.run.seed);
    let until = wanted.until.map_or(u64::MAX, |until| u64::try_from(until.as_nanos()).unwrap_or(u64::MAX));
    let mut departures = Vec::new();
    while departures.len() < wanted.count {
        let next =
            order.next().map_err(|what| anyhow!("{what}; --link says what it carries, as in --link \"10 Gbit/s\""));
        let Some((made, at)) = next?.filter(|(_, at)| *at < until) else { break };
        let bytes = makers[made].next()?;
        order.take(made, bytes.len());
        departures.push(Departure { made, at, bytes });
    }
    Ok(departures)
}

/// A stream with the gaps of its trace. A module that says itself when packets leave is not asked here.
fn traced(stream: &Stream, base: &Path) -> Result<Stream> {
    let mut stream = stream.clone();
    stream.read_trace(base).map_err(|what| anyhow!(what))?;
    Ok(stream)
}
