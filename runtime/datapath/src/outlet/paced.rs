//! Packets that leave at times of their own: they wait in the chain's pacer, and come to their lanes when they are due.

use super::Outlets;
use crate::pacer::{Taken, Waiting};
use perigee_abi::MAX_BATCH;
use perigee_core::clock::Now;
use perigee_core::counters::Counter;

impl Outlets {
    /// A packet waits for its time, or joins those that leave now.
    pub(super) fn pace(&mut self, waiting: Waiting) {
        let Some(pacer) = &mut self.pacer else { return waiting.packet.free() };
        match pacer.take(waiting, &self.clock, &mut self.counters) {
            Taken::Waits => {}
            Taken::Leaves(mut waiting) => {
                waiting.packet.set_dynamic_u64(pacer.marks().offset, 0);
                self.leave(waiting);
            }
            Taken::Full(waiting) => self.drop_one(Counter::TxFull, waiting.packet),
        }
    }

    fn leave(&mut self, waiting: Waiting) {
        let Waiting { lane: index, prepare, packet } = waiting;
        let lane = &mut self.lanes[index];
        lane.prepare |= prepare;
        if let Some(marks) = self.pacer.as_ref().map(|pacer| pacer.marks()).filter(|m| packet.flags() & m.stamp != 0) {
            lane.stamps = Some(marks);
        }
        self.push(index, packet);
    }

    /// Hands to the lanes what is due, as long as no port keeps packets waiting.
    pub(super) fn release(&mut self) {
        if self.pending() != 0 {
            return;
        }
        let now = self.clock.now_ns();
        for _ in 0..MAX_BATCH {
            let due = self.pacer.as_mut().and_then(|pacer| pacer.pop(now, &mut self.counters));
            let Some(waiting) = due else { return };
            self.leave(waiting);
        }
    }

    /// How many packets may come in now, of `most`.
    #[inline]
    pub fn wants(&mut self, most: usize, now: Now) -> usize {
        self.pacer.as_mut().map_or(most, |pacer| pacer.wants(most, now))
    }

    /// Packets that wait for their time.
    pub fn paced(&self) -> usize {
        self.pacer.as_ref().map_or(0, |pacer| pacer.len())
    }
}
