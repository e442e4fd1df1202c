//! What a packet passes on its way out of a stage whose module has limits of rate or of source addresses.

mod rate;
mod rights;
mod sources;

pub use rate::Rate;
pub use rights::Rights;
pub use sources::Sources;

use crate::border::copy_of;
use crate::offload;
use perigee_core::counters::Counter;
use perigee_core::judge::Way;
use perigee_dpdk::packet::Packet;
use perigee_dpdk::pool::Pool;
use sources::HEAD;
use std::sync::Arc;

/// Stands at the end of a stage. Stages without limits have none.
#[derive(Debug)]
pub struct Guard {
    rate: Option<Rate>,
    /// Beside them the pool whose rooms lie in no window: what was checked there, no module can change any more. Without it
    /// no packet goes.
    sources: Option<(Sources, Option<Arc<Pool>>)>,
    /// Next leads out of the trust domain.
    next_leaves: bool,
    /// The batch is one of rooms that were asked for within the rate: its packets go, and what they cost too much is owed.
    owes: bool,
}

impl Guard {
    /// `None` where nothing is limited.
    pub fn new(rate: Option<Rate>, sources: Option<(Sources, Option<Arc<Pool>>)>, next_leaves: bool) -> Option<Self> {
        let limits = rate.is_some() || sources.is_some();
        limits.then_some(Self { rate, sources, next_leaves, owes: false })
    }

    /// A batch begins; `owes`: of fresh rooms, as many as [`Self::affords`] said.
    pub fn begin(&mut self, now_ns: u64, owes: bool) {
        self.owes = owes;
        if let Some(rate) = &mut self.rate {
            rate.fill(now_ns);
        }
    }

    /// How many packets may be made now, at most `max`.
    pub fn affords(&mut self, max: usize, now_ns: u64) -> usize {
        self.rate.as_mut().map_or(max, |rate| {
            rate.fill(now_ns);
            rate.affords(max)
        })
    }

    /// Lets a packet go its way (Next, Tx or Ring): itself, or its copy that no module can write. Where it may not, the cause.
    pub fn pass(&mut self, packet: Packet, way: Way) -> Result<Packet, (Counter, Packet)> {
        if let Some(rate) = &mut self.rate {
            if self.owes {
                rate.owe(packet.len());
            } else if !rate.take(packet.len()) {
                return Err((Counter::OverRate, packet));
            }
        }
        match &self.sources {
            Some((sources, sealed)) if way != Way::Next || self.next_leaves => seal(packet, sources, sealed.as_deref()),
            _ => Ok(packet),
        }
    }
}

/// Copies a packet to where no module can write, and looks at the copy.
fn seal(packet: Packet, sources: &Sources, pool: Option<&Pool>) -> Result<Packet, (Counter, Packet)> {
    let copied = pool.ok_or(Counter::NoRoom).and_then(|pool| copy_of(&packet, pool));
    let copy = match copied {
        Ok(copy) => copy,
        Err(cause) => return Err((cause, packet)),
    };
    let mut head = [0; HEAD];
    let n = copy.head(&mut head);
    if !sources.allow(&head[..n], copy.len().into(), offload::checksums(&copy)) {
        copy.free();
        return Err((Counter::BadSource, packet));
    }
    packet.free();
    Ok(copy)
}
