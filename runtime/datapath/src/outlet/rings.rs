//! The ways out of a chain that lead into rings.

use super::Outlets;
use crate::ledger::Ledger;
use crate::on_wire::OnWire;
use crate::pressure::Pressure;
use crate::sieve::Sieve;
use perigee_config::WhenFull;
use perigee_core::counters::Counter;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_dpdk::ring::Ring;
use perigee_dpdk_sys::flags;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct RingLane {
    ring: Arc<Ring>,
    pub(super) burst: Box<Burst>,
}

/// What a chain does about backpressure before it puts packets into rings.
#[derive(Debug)]
pub struct Valve {
    pressure: Arc<Pressure>,
    /// Of a chain that makes its packets: the rings that press and to which they can come. Here is the first place where their flows are known.
    behind: Option<Box<[usize]>>,
    sieve: Sieve,
}

impl Valve {
    /// With `behind`, the chain makes its packets, and they can come to these rings.
    #[must_use]
    pub fn new(pressure: &Arc<Pressure>, behind: Option<Box<[usize]>>) -> Self {
        Self { pressure: Arc::clone(pressure), behind, sieve: Sieve::new() }
    }

    /// Lets a ring that may press know the flows of packets that are about to go there. What was made in this chain and is stopped already is
    /// dropped; or it waits, and true is returned, where the chain waits for full rings: then no more are made.
    fn holds_back(&mut self, number: usize, lane: &mut RingLane, when_full: WhenFull, ledger: &mut Ledger) -> bool {
        let Self { pressure, behind, sieve } = self;
        for packet in lane.burst.iter_mut().filter(|packet| packet.rss() == 0) {
            packet.set_rss(pressure.hash(&OnWire::new(packet, flags::TX_VLAN)));
        }
        if let Some(behind) = behind {
            let passes = |packet: &mut Packet| !pressure.stops(packet.rss(), behind);
            if when_full == WhenFull::Wait {
                if !lane.burst.iter_mut().all(passes) {
                    return true;
                }
            } else {
                sieve.sift(&mut lane.burst, Counter::Backpressure, ledger, passes);
            }
        }
        pressure.filling(number, lane.ring.count(), lane.burst.iter_mut().map(|packet| packet.rss()));
        false
    }
}

impl Outlets {
    /// Adds the next ring of the run, in order of their numbers.
    pub fn add_ring(&mut self, ring: &Arc<Ring>) {
        self.rings.push(RingLane { ring: Arc::clone(ring), burst: Burst::new() });
    }

    /// Puts a packet into a ring.
    pub fn ring(&mut self, number: u16, packet: Packet) {
        let Some(lane) = self.rings.get_mut(usize::from(number)) else {
            return self.drop_one(Counter::BadVerdict, packet);
        };
        if let Err(packet) = lane.burst.push(packet) {
            self.flush_ring(usize::from(number));
            if let Err(packet) = self.rings[usize::from(number)].burst.push(packet) {
                self.drop_one(Counter::RingFull, packet);
            }
        }
    }

    /// Puts a whole burst into a ring.
    #[inline]
    pub fn ring_all(&mut self, number: u16, burst: &mut Box<Burst>) {
        match self.rings.get_mut(usize::from(number)) {
            Some(lane) if lane.burst.is_empty() => std::mem::swap(&mut lane.burst, burst),
            _ => burst.drain().for_each(|packet| self.ring(number, packet)),
        }
    }

    pub(super) fn flush_ring(&mut self, index: usize) {
        let Self { rings, valve, when_full, counters, .. } = self;
        let lane = &mut rings[index];
        if let Some(valve) = valve
            && valve.holds_back(index, lane, *when_full, counters)
        {
            return;
        }
        counters.leave(None, &mut lane.burst, 0);
        let n = lane.ring.put(&mut lane.burst);
        counters.sent(None, n);
        counters.add(Counter::ToRing, n);
        if !lane.burst.is_empty() && *when_full == WhenFull::Drop {
            counters.drop_all(Counter::RingFull, &mut lane.burst);
        }
    }
}
