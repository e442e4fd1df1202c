//! What a packet passes on its way out of a stage whose module has limits of rate or of source addresses.

mod rate;
mod rights;
mod sources;

pub use rate::Rate;
pub use rights::Rights;
pub use sources::Sources;

use crate::border::copy_of;
use crate::ledger::Ledger;
use crate::offload;
use crate::shape::Shape;
use perigee_core::counters::Counter;
use perigee_core::judge::Way;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_dpdk::pool::Pool;
use sources::{HEAD, PLAIN};
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
    /// Where copies of a whole batch are made; empty otherwise.
    aside: Box<Burst>,
}

impl Guard {
    /// `None` where nothing is limited.
    pub fn new(rate: Option<Rate>, sources: Option<(Sources, Option<Arc<Pool>>)>, next_leaves: bool) -> Option<Self> {
        let limits = rate.is_some() || sources.is_some();
        limits.then(|| Self { rate, sources, next_leaves, owes: false, aside: Burst::new() })
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

    /// [`Self::pass`] for a whole batch in which all packets go the same way. False, and nothing done, where the rate does not do for all of them,
    /// or there are too few rooms for copies: then each has to be looked at by itself.
    #[inline]
    pub fn pass_all(&mut self, burst: &mut Box<Burst>, way: Way, shape: &mut Shape, ledger: &mut Ledger) -> bool {
        let (packets, bytes) = (burst.len() as u64, shape.bytes);
        let seals = self.sources.is_some() && (way != Way::Next || self.next_leaves);
        let is_paid = match &mut self.rate {
            Some(rate) if self.owes => rate.owe_all(packets, bytes),
            Some(rate) => rate.take_all(packets, bytes),
            None => true,
        };
        if !is_paid {
            return false;
        }
        let passed = !seals || self.seal_all(burst, shape, ledger);
        if let Some(rate) = self.rate.as_mut().filter(|_| !passed) {
            rate.give_back(packets, bytes);
        }
        passed
    }

    /// Copies a batch to where no module can write, and looks at the copies.
    fn seal_all(&mut self, burst: &mut Box<Burst>, shape: &mut Shape, ledger: &mut Ledger) -> bool {
        let Some((sources, Some(pool))) = &self.sources else { return false };
        if !burst.move_to(pool, &mut self.aside) {
            return false;
        }
        if burst.iter_mut().all(|copy| is_granted(copy, sources)) {
            return true;
        }
        burst.change(|copy| {
            if is_granted(&copy, sources) {
                return Some(copy);
            }
            ledger.drop_one(Counter::BadSource, copy);
            None
        });
        *shape = Shape::of(burst);
        true
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
    if !is_granted(&copy, sources) {
        copy.free();
        return Err((Counter::BadSource, packet));
    }
    packet.free();
    Ok(copy)
}

/// Whether a packet that no module can write any more has a source that is granted.
fn is_granted(sealed: &Packet, sources: &Sources) -> bool {
    let (len, checksums) = (sealed.len().into(), offload::checksums(sealed));
    let mut plain = [0; PLAIN];
    if checksums.is_none()
        && sealed.read_at(0, &mut plain)
        && let Some(allowed) = sources.allow_plain(&plain, len)
    {
        return allowed;
    }
    let mut head = [0; HEAD];
    let n = sealed.head(&mut head);
    sources.allow(&head[..n], len, checksums)
}
