//! Flow rules: done by the port where its driver takes them, else here, with the same result.
//!
//! `config/flow/` has the rules themselves.
//!
//! - `sorter.rs`: the rules on the lcore that reads a queue.

mod sorter;

#[cfg(test)]
mod tests;

use crate::port::Port;
use perigee_config::INBOX;
use perigee_config::flow::Rule;
use perigee_config::flow::key::Key;
use perigee_config::{FlowAction, FlowRule};
use perigee_dpdk::flow::Offloaded;
use perigee_dpdk::ring::Ring;
use perigee_report::Error;
use perigee_report::FlowStats;
pub use sorter::Sorter;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The rules of one port.
#[derive(Debug)]
pub struct PortFlows {
    rules: Vec<Placed>,
    /// By queue, and by rule: written by the lcore that reads the queue.
    hits: Vec<Vec<AtomicU64>>,
    /// Of the queues to which rules lead that are done here.
    inboxes: BTreeMap<u16, Arc<Ring>>,
    /// Queues that are read and may fill inboxes.
    readers: AtomicUsize,
}

/// A rule, and who does it.
#[derive(Debug)]
struct Placed {
    text: String,
    rule: Rule,
    action: FlowAction,
    done: Done,
}

#[derive(Debug)]
enum Done {
    Port(Offloaded),
    /// And why not by the port.
    Here(String),
}

impl Placed {
    fn is_done_by_port(&self) -> bool {
        matches!(self.done, Done::Port(_))
    }
}

impl PortFlows {
    /// Gives the rules to a port that has started, as far as it takes them; `None` where there are none.
    pub fn new(port: &dyn Port, rules: &[FlowRule]) -> Result<Option<Arc<Self>>, Error> {
        if rules.is_empty() {
            return Ok(None);
        }
        let mut placed: Vec<Placed> = Vec::new();
        for entry in rules {
            let rule = Rule::new(&entry.matches);
            let text = entry.matches.to_string();
            // Which of two rules a port would follow is its own affair.
            let earlier = placed.iter().position(|earlier| earlier.rule.overlaps(&rule));
            let done = match earlier {
                Some(earlier) => Done::Here(format!("packets may meet flow rule {earlier} as well, which goes first")),
                None => port.offer(entry).map_or_else(Done::Here, Done::Port),
            };
            if let Done::Here(why) = &done {
                tracing::debug!(port = port.name(), "flow rule {} ({text}) is done in software: {why}", placed.len());
            }
            placed.push(Placed { text, rule, action: entry.action, done });
        }
        let queues =
            placed.iter().filter(|placed| !placed.is_done_by_port()).filter_map(|placed| match placed.action {
                FlowAction::Queue(queue) => Some(queue),
                _ => None,
            });
        let inbox = |queue: u16| {
            let name = format!("flow rules to rx queue {queue} of {}", port.name());
            Ok((queue, Arc::new(Ring::new(&name, INBOX)?)))
        };
        // Of one queue nothing has to be brought anywhere.
        let queues: BTreeSet<u16> = queues.filter(|_| port.rx_queues() > 1).collect();
        let inboxes = queues.into_iter().map(inbox).collect::<Result<_, Error>>()?;
        let row = || placed.iter().map(|_| AtomicU64::new(0)).collect();
        let hits = (0..port.rx_queues()).map(|_| row()).collect();
        Ok(Some(Arc::new(Self { rules: placed, hits, inboxes, readers: AtomicUsize::new(0) })))
    }

    /// There is something to do for lcores.
    pub fn needs_sorting(&self) -> bool {
        self.rules.iter().any(|placed| !placed.is_done_by_port())
    }

    /// The first rule that a frame meets, with its number.
    #[inline]
    fn first(&self, key: &Key) -> Option<(usize, &Placed)> {
        self.rules.iter().enumerate().find(|(_, placed)| placed.rule.meets(key))
    }

    /// Packets in the inbox of each queue that has one.
    pub fn in_inboxes(&self) -> impl Iterator<Item = (u16, u64)> {
        self.inboxes.iter().map(|(queue, inbox)| (*queue, inbox.count().into()))
    }

    /// How the rules fare.
    pub fn stats(&self) -> Vec<FlowStats> {
        let stats = |(number, placed): (usize, &Placed)| {
            let here = || self.hits.iter().map(|row| row[number].load(Ordering::Relaxed)).sum();
            let (place, reason, hits) = match &placed.done {
                Done::Port(offloaded) => ("port", None, offloaded.hits()),
                Done::Here(why) => ("software", Some(why.clone()), Some(here())),
            };
            let (matches, action) = (placed.text.clone(), placed.action.to_string());
            FlowStats { matches, action, place: place.to_owned(), reason, hits }
        };
        self.rules.iter().enumerate().map(stats).collect()
    }
}
