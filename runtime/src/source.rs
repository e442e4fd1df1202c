//! Where a chain's packets come from: an rx queue, a ring, or a generator's pool.

use crate::counters::{Counter, Counters};
use crate::dpdk::packet::{Burst, Packet};
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
    /// A ring that other chains fill; with a border where they may be of other trust domains.
    Ring(Arc<Ring>, Option<Border>),
    /// Rooms for the first stage, which is a generator.
    Rooms(Arc<Pool>),
}

/// An rx queue, and what it takes to bring its packets into the window.
#[derive(Debug)]
pub(crate) struct RxQueue {
    pub(crate) port: Arc<Port>,
    pub(crate) queue: u16,
    pub(crate) border: Border,
    /// The port hands on mbufs with the flags of their last way (net_ring).
    pub(crate) stale_flags: bool,
}

/// Where packets come into a trust domain.
#[derive(Debug)]
pub(crate) struct Border {
    /// Host address and length of its region.
    pub(crate) region: (usize, usize),
    /// Where packets go that come from outside the region or in segments.
    pub(crate) copies: Arc<Pool>,
}

impl Border {
    /// The packet is not one of the domain's own: in its region, in one segment.
    #[inline]
    fn is_foreign(&self, packet: &Packet) -> bool {
        let (base, len) = self.region;
        packet.room().wrapping_sub(base) >= len || packet.segments() != 1
    }

    /// The one copy path: packets from outside the region, or in several segments, go into a room each. What else lies in that
    /// room is of the same domain: rooms never change theirs.
    #[cold]
    pub(crate) fn bring_in(&self, burst: &mut Burst, counters: &mut Counters) {
        burst.change(|packet| if self.is_foreign(&packet) { self.copy(packet, counters) } else { Some(packet) });
    }

    /// The packet's copy in a room of the domain; `None` where there is none that holds it.
    fn copy(&self, packet: Packet, counters: &mut Counters) -> Option<Packet> {
        let copied = copy_of(&packet, &self.copies);
        packet.free();
        counters.add(copied.as_ref().err().copied().unwrap_or(Counter::CopiedIn), 1);
        copied.ok()
    }
}

/// A copy in a room of a pool: all bytes, and what is known of the packet. Else the cause of its drop.
pub(crate) fn copy_of(packet: &Packet, pool: &Pool) -> Result<Packet, Counter> {
    let mut copy = pool.take_one().ok_or(Counter::NoRoom)?;
    if copy.copy_from(packet) {
        return Ok(copy);
    }
    copy.free();
    Err(Counter::TooLongForRoom)
}

impl Source {
    /// What the first stage is told of it.
    pub(crate) fn meta(&self) -> Meta {
        match self {
            Self::Port(rx) => Meta { queue: rx.queue, timestamp: rx.port.timestamp },
            _ => Meta::default(),
        }
    }

    /// Rooms of the pool that a generator fills; 0 of any other source.
    pub(crate) fn rooms(&self) -> u32 {
        if let Self::Rooms(pool) = self { pool.size() } else { 0 }
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
            Self::Ring(ring, border) => {
                let n = ring.take(burst, max);
                counters.add(Counter::FromRing, n);
                if let Some(border) = border {
                    border.bring_in(burst, counters);
                }
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
        let mut foreign = false;
        for packet in burst.iter_mut() {
            foreign |= self.border.is_foreign(packet);
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
            self.border.bring_in(burst, counters);
        }
        if self.stale_flags {
            burst.iter_mut().for_each(|p| p.set_flags(0));
        }
        if self.port.vlan_strip != VlanStrip::Off {
            self.strip_tags(burst);
        }
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
