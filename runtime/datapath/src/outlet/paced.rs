//! Packets that leave at times of their own: they wait in the chain's pacer, and come to their lanes when they are due.

use super::{Launch, Outlets};
use crate::pacer::{Piece, Taken, Waiting};
use perigee_abi::MAX_BATCH;
use perigee_core::HEADROOM;
use perigee_core::clock::Now;
use perigee_core::counters::Counter;
use perigee_dpdk::pool::Pool;
use std::sync::Arc;

/// Addresses that are administered locally, and a length (IEEE 802.3, 3.2.6) that no frame has so many bytes for: a card that looks
/// drops it.
const HEAD: [u8; 14] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x05, 0xdc];

/// Where the frames come from that fill a line between packets.
#[derive(Clone, Debug)]
pub struct Fillers {
    /// Its rooms are nobody else's, and no module sees them.
    pub pool: Arc<Pool>,
    /// Says that it is one, in the mbuf alone: no bytes of a packet do.
    pub flag: u64,
}

impl Outlets {
    /// The port lets the packets of all lanes go at the times that they carry.
    pub fn launch(&mut self, launch: Launch) {
        for lane in &mut self.lanes {
            lane.launch = Some(launch);
            lane.times.reserve(MAX_BATCH);
        }
    }

    /// The line behind the only lane is kept busy.
    pub fn fill(&mut self, fillers: Fillers) {
        self.lanes.iter_mut().for_each(|lane| lane.filler = fillers.flag);
        self.fillers = Some(fillers);
    }

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
        if self.fillers.is_some() {
            return self.release_filled(now);
        }
        let horizon = self.pacer.as_ref().map_or(now, |pacer| pacer.horizon(now));
        for _ in 0..MAX_BATCH {
            let due = self.pacer.as_mut().and_then(|pacer| pacer.pop(horizon, now, &mut self.counters));
            let Some(waiting) = due else { return };
            self.leave(waiting);
        }
    }

    /// Hands packets to the lane with fillers between them, as many as a burst holds.
    fn release_filled(&mut self, now: u64) {
        for _ in 0..MAX_BATCH {
            let piece = self.pacer.as_mut().map(|pacer| pacer.next_piece(now, &mut self.counters));
            match piece {
                Some(Piece::Packet(waiting)) => self.leave(waiting),
                Some(Piece::Filler(len)) => self.push_filler(len),
                Some(Piece::Nothing) | None => return,
            }
        }
    }

    /// Where there is no room for it, packets come too early: the pool has as many as a port can keep.
    fn push_filler(&mut self, len: u16) {
        let Self { lanes, fillers, .. } = self;
        let Some((lane, fillers)) = lanes.first_mut().zip(fillers.as_ref()) else { return };
        let Some(mut filler) = fillers.pool.take_one() else { return };
        filler.renew(HEADROOM, len.min(filler.room_len().saturating_sub(HEADROOM)));
        filler.write_at(0, &HEAD);
        filler.set_flags(fillers.flag);
        match lane.burst.push(filler) {
            Ok(()) => lane.fillers += 1,
            Err(filler) => filler.free(),
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
