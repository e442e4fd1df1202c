//! What a module asks of the way out: checksums, tags, a tx queue.

use super::{BAD_DESCRIPTOR, BAD_OFFLOAD, Fate, Stage};
use crate::offload;
use crate::outlet::Outlets;
use crate::stamp;
use perigee_abi::{PacketDesc, tx_flags, verdict};
use perigee_core::counters::Counter;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_dpdk::timestamp::TxMarks;

impl Stage {
    /// Writes the modules' requests into the packets; a request that makes no sense turns the verdict bad.
    pub(super) fn request_offloads(&mut self, burst: &mut Burst, out: &mut Outlets) {
        let descs = self.instance.area.packets(burst.len()).zip(burst.iter_mut()).zip(self.batch.fates.iter_mut());
        for ((desc, packet), place) in descs {
            self.batch.queues.push(0);
            if *place == BAD_DESCRIPTOR || *place == Fate::from(verdict::DROP) {
                continue;
            }
            // The first half was checked by its copy; from this one only the request is taken.
            let desc = PacketDesc { len: packet.len(), ..desc.read() };
            if desc.tx_flags & tx_flags::QUEUE != 0
                && let Some(queue) = self.batch.queues.last_mut()
            {
                *queue = desc.queue;
            }
            if offload::request(packet, &desc).is_err() {
                *place = BAD_OFFLOAD;
            }
            if asks_time(&desc) && !mark(packet, &desc, self.rights.marks, *place) {
                out.counters.add(Counter::TxTimeIgnored, 1);
            }
        }
    }
}

/// Asks for a time of departure, or to have it written into the packet.
#[inline]
pub(super) fn asks_time(desc: &PacketDesc) -> bool {
    desc.tx_flags & (tx_flags::TIME | tx_flags::GAP | tx_flags::STAMP) != 0
}

/// Writes what is asked of the packet's time into it. False where that is not granted, or the packet does not leave by this call.
pub(super) fn mark(packet: &mut Packet, desc: &PacketDesc, marks: Option<TxMarks>, fate: Fate) -> bool {
    let leaves = u32::try_from(fate).is_ok_and(|v| verdict::kind(v) == verdict::TX);
    let Some(marks) = marks.filter(|_| leaves) else { return false };
    let pairs = [(tx_flags::TIME, marks.time), (tx_flags::GAP, marks.gap), (tx_flags::STAMP, marks.stamp)];
    let bits = pairs.iter().filter(|(asked, _)| desc.tx_flags & asked != 0).fold(0, |bits, (_, bit)| bits | bit);
    packet.set_flags(packet.flags() | bits);
    if bits & (marks.time | marks.gap) != 0 {
        packet.set_dynamic_u64(marks.offset, desc.time);
    }
    if bits & marks.stamp != 0 {
        stamp::set_place(packet, desc.stamp);
    }
    true
}
