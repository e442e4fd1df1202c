//! What a module asks of the way out: checksums, tags, a tx queue.

use super::{BAD_DESCRIPTOR, BAD_OFFLOAD, Fate, Stage};
use crate::offload;
use crate::outlet::Outlets;
use perigee_abi::{PacketDesc, tx_flags, verdict};
use perigee_core::counters::Counter;
use perigee_dpdk::burst::Burst;

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
            if ignores_time(&desc) {
                out.counters.add(Counter::TxTimeIgnored, 1);
            }
            if desc.tx_flags & tx_flags::QUEUE != 0
                && let Some(queue) = self.batch.queues.last_mut()
            {
                *queue = desc.queue;
            }
            if offload::request(packet, &desc).is_err() {
                *place = BAD_OFFLOAD;
            }
        }
    }
}

/// Asks for a departure time, which needs a pacer or a port that sends on a timestamp.
pub(super) fn ignores_time(desc: &PacketDesc) -> bool {
    desc.tx_flags & (tx_flags::TIME | tx_flags::GAP) != 0
}
