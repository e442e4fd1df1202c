//! Where a chain's packets come from: an rx queue, a ring, or a generator's pool.

use crate::counters::{Counter, Counters};
use crate::dpdk::packet::Burst;
use crate::dpdk::pool::Pool;
use crate::dpdk::port::{Port, VlanStrip};
use crate::dpdk::ring::Ring;
use crate::offload;
use crate::stage::Meta;
use perigee_dpdk_sys::flags;
use std::sync::Arc;

/// A chain's source on one lcore.
#[derive(Debug)]
pub(crate) enum Source {
    /// An rx queue.
    Port(RxQueue),
    /// A ring that other chains fill.
    Ring(Arc<Ring>),
    /// Rooms for the first stage, which is a generator.
    Rooms(Arc<Pool>),
}

/// An rx queue, and what it takes to bring its packets into the window.
#[derive(Debug)]
pub(crate) struct RxQueue {
    pub(crate) port: Arc<Port>,
    pub(crate) queue: u16,
    /// Host address and length of the region.
    pub(crate) region: (usize, usize),
    /// Where packets go that come from outside the region or in segments.
    pub(crate) copies: Arc<Pool>,
    /// The port hands on mbufs with the flags of their last way (net_ring).
    pub(crate) stale_flags: bool,
}

impl Source {
    /// What the first stage is told of it.
    pub(crate) fn meta(&self) -> Meta {
        match self {
            Self::Port(rx) => Meta { queue: rx.queue, timestamp: rx.port.timestamp },
            _ => Meta::default(),
        }
    }

    /// Takes up to `max` packets (or rooms) into the empty burst; returns how many.
    #[inline]
    pub(crate) fn fill(&self, burst: &mut Burst, max: usize, counters: &mut Counters) -> usize {
        match self {
            Self::Port(rx) => {
                let n = rx.port.rx(rx.queue, burst, max);
                if n != 0 {
                    counters.add(Counter::Received, n);
                    rx.admit(burst, counters);
                }
                n
            }
            Self::Ring(ring) => {
                let n = ring.take(burst, max);
                counters.add(Counter::FromRing, n);
                n
            }
            Self::Rooms(pool) => {
                let n = pool.take(burst, max);
                counters.add(Counter::PoolEmpty, usize::from(n == 0));
                n
            }
        }
    }
}

impl RxQueue {
    /// Makes what the driver gave packets of ours: from our port's number, with a mark, in the region, in one segment.
    #[inline]
    fn admit(&self, burst: &mut Burst, counters: &mut Counters) {
        let (base, len) = self.region;
        let mut foreign = false;
        for packet in burst.iter_mut() {
            foreign |= packet.room().wrapping_sub(base) >= len || packet.segments() != 1;
            // Read before it is written: it is 0 nearly always, and a store would hold up wider loads of its neighbours.
            if packet.mark() != 0 && packet.flags() & flags::RX_FDIR_ID == 0 {
                packet.set_mark(0);
            }
        }
        // The driver has written its own number of the port, which is mostly ours too.
        let number = self.port.number;
        if self.stale_flags || number != self.port.dpdk_id() {
            burst.iter_mut().for_each(|p| p.set_port(number));
        }
        if foreign {
            self.bring_in(burst, counters);
        }
        if self.stale_flags {
            burst.iter_mut().for_each(|p| p.set_flags(0));
        }
        if self.port.vlan_strip != VlanStrip::Off {
            self.strip_tags(burst);
        }
    }

    /// The one copy path: packets from outside the region, or in several segments, go into a room each.
    #[cold]
    fn bring_in(&self, burst: &mut Burst, counters: &mut Counters) {
        let (base, len) = self.region;
        let mut inside = Burst::new();
        for packet in burst.drain() {
            if packet.room().wrapping_sub(base) < len && packet.segments() == 1 {
                // As many go in as came out, so there is always place.
                let _ = inside.push(packet);
                continue;
            }
            match self.copies.take_one() {
                None => counters.add(Counter::NoRoom, 1),
                Some(mut copy) => {
                    if copy.copy_from(&packet) {
                        counters.add(Counter::CopiedIn, 1);
                        let _ = inside.push(copy);
                    } else {
                        counters.add(Counter::TooLongForRoom, 1);
                        copy.free();
                    }
                }
            }
            packet.free();
        }
        inside.move_to(burst);
    }

    #[cold]
    fn strip_tags(&self, burst: &mut Burst) {
        for packet in burst.iter_mut() {
            if self.port.vlan_strip == VlanStrip::Software && packet.flags() & flags::RX_VLAN_STRIPPED == 0 {
                // Without a tag there is nothing to take off.
                packet.vlan_strip();
            }
            offload::keep_tag(packet);
        }
    }
}
