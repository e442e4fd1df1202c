//! What a chain counts on an lcore, and who records its packets. Where a packet is dropped it is counted and seen in one step, so that
//! a record of drops has what the counters say.

use crate::phases::{Phase, Phases};
use crate::recorder::{Recorder, Recorders, Returned, Spot};
use perigee_core::counters::{Counter, Counters};
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use std::ops::{Deref, DerefMut};

/// A chain's counters, and its recorders. Without any of these a place costs one look at an empty pointer for each burst.
#[derive(Debug)]
pub struct Ledger {
    counters: Counters,
    recorders: Recorders,
    phases: Phases,
}

impl Deref for Ledger {
    type Target = Counters;

    #[inline]
    fn deref(&self) -> &Counters {
        &self.counters
    }
}

impl DerefMut for Ledger {
    #[inline]
    fn deref_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }
}

impl Ledger {
    /// Nothing counted yet. Where time is the machine's, phases are measured.
    pub(crate) fn new(is_real: bool) -> Self {
        Self { counters: Counters::default(), recorders: Recorders::default(), phases: Phases::new(is_real) }
    }

    /// A poll begins, whose phases may be measured.
    #[inline]
    pub(crate) fn begin_phases(&mut self) {
        self.phases.begin();
    }

    /// A phase of the poll is over.
    #[inline]
    pub(crate) fn over(&mut self, phase: Phase) {
        self.phases.over(phase);
    }

    /// The poll is over, in which so many packets came.
    #[inline]
    pub(crate) fn end_phases(&mut self, packets: usize) {
        self.phases.end(packets, &mut self.counters);
    }

    /// Frees a burst that counts as nothing; how many packets that were.
    #[inline]
    pub(crate) fn free_all(&mut self, burst: &mut Burst) -> usize {
        self.phases.free(|| burst.free_all())
    }

    /// Frees one packet.
    pub fn drop_one(&mut self, cause: Counter, mut packet: Packet) {
        if self.records() {
            self.recorders.drop_one(cause, &mut packet);
        }
        self.counters.add(cause, 1);
        self.phases.free(|| packet.free());
    }

    /// Frees a whole burst.
    #[inline]
    pub fn drop_all(&mut self, cause: Counter, burst: &mut Burst) {
        if self.records() {
            self.recorders.drop_all(cause, burst, 0);
        }
        let n = self.free_all(burst);
        self.counters.add(cause, n);
    }

    /// Sees a burst that will be freed and counted as dropped, but for packets with these flags.
    #[inline]
    pub(crate) fn see_drops(&mut self, cause: Counter, burst: &mut Burst, but: u64) {
        if self.records() {
            self.recorders.drop_all(cause, burst, but);
        }
    }

    /// Somebody records packets of the chain.
    #[inline]
    pub(crate) fn records(&self) -> bool {
        !self.recorders.is_empty()
    }

    /// The burst's packets from `first` on pass there.
    #[inline]
    pub(crate) fn look(&mut self, spot: Spot, burst: &mut Burst, first: usize) {
        if self.records() {
            self.recorders.look(spot, burst, first);
        }
    }

    /// The burst is about to be sent to a port, or put into a ring; packets with the flag of fillers are none.
    #[inline]
    pub(crate) fn leave(&mut self, port: Option<u16>, burst: &mut Burst, fillers: u64) {
        if self.records() {
            self.recorders.leave(port, burst, fillers);
        }
    }

    /// Of what left last the first ones were taken.
    #[inline]
    pub(crate) fn sent(&mut self, port: Option<u16>, taken: usize) {
        if self.records() {
            self.recorders.sent(port, taken);
        }
    }

    /// What is due without packets.
    #[inline]
    pub(crate) fn tick(&mut self, now_ns: u64) {
        if self.records() {
            self.recorders.tick(now_ns);
        }
    }

    /// Another one records packets from now on.
    pub fn begin(&mut self, recorder: Box<Recorder>) {
        self.recorders.add(recorder);
    }

    /// Those of one record end.
    #[must_use]
    pub fn end(&mut self, id: u64) -> Returned {
        self.recorders.remove(id).into()
    }
}
