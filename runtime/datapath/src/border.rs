//! Where packets come into a trust domain: what lies outside of its region is copied.

use crate::ledger::Ledger;
use perigee_core::counters::Counter;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_dpdk::pool::Pool;
use std::sync::Arc;

/// A range of host addresses.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The first one.
    pub base: usize,
    /// How many there are.
    pub len: usize,
}

/// Where packets come into a trust domain.
#[derive(Debug)]
pub struct Border {
    /// Host addresses of its region.
    region: Span,
    /// Where packets go that come from outside the region or in segments.
    copies: Arc<Pool>,
    /// Where copies of a whole burst are made; empty otherwise.
    aside: Box<Burst>,
}

impl Border {
    /// Around this region, in front of this pool, whose rooms lie in it.
    pub fn new(region: Span, copies: Arc<Pool>) -> Self {
        Self { region, copies, aside: Burst::new() }
    }

    /// Copies go into this pool from now on.
    pub fn copy_into(&mut self, pool: Arc<Pool>) {
        self.copies = pool;
    }

    /// The packet is not one of the domain's own: in its region, in one segment.
    #[inline]
    pub fn is_foreign(&self, packet: &Packet) -> bool {
        (packet.room().wrapping_sub(self.region.base) >= self.region.len) | (packet.segments() != 1)
    }

    /// The one copy path: packets from outside the region, or in several segments, go into a room each. What else lies in that
    /// room is of the same domain: rooms never change theirs.
    pub fn bring_in(&mut self, burst: &mut Box<Burst>, ledger: &mut Ledger) {
        let foreign = burst.iter_mut().filter(|packet| self.is_foreign(packet)).count();
        if foreign == 0 {
            return;
        }
        // What comes from another domain is foreign as a whole, nearly always.
        if foreign == burst.len() && burst.move_to(&self.copies, &mut self.aside) {
            return ledger.add(Counter::CopiedIn, foreign);
        }
        burst.change(|packet| if self.is_foreign(&packet) { self.copy(packet, ledger) } else { Some(packet) });
    }

    /// The packet's copy in a room of the domain; `None` where there is none that holds it.
    fn copy(&self, packet: Packet, ledger: &mut Ledger) -> Option<Packet> {
        match copy_of(&packet, &self.copies) {
            Ok(copy) => {
                packet.free();
                ledger.add(Counter::CopiedIn, 1);
                Some(copy)
            }
            Err(cause) => {
                ledger.drop_one(cause, packet);
                None
            }
        }
    }
}

/// A copy in a room of a pool: all bytes, and what is known of the packet. Else the cause of its drop.
pub fn copy_of(packet: &Packet, pool: &Pool) -> Result<Packet, Counter> {
    let mut copy = pool.take_one().ok_or(Counter::NoRoom)?;
    if copy.copy_from(packet) {
        return Ok(copy);
    }
    copy.free();
    Err(Counter::TooLongForRoom)
}
