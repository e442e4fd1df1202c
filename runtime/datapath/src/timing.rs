//! How long packets take in the parts of a chain, where that is asked for.

use perigee_core::clock::Clock;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::timestamp::RxTimestamp;
use perigee_measure::stages::Parts;
use std::sync::Arc;

/// Reads the clock between the parts of a chain.
#[derive(Debug)]
pub struct Timing {
    parts: Arc<Parts>,
    timestamp: Option<RxTimestamp>,
    clock: Clock,
}

impl Timing {
    /// Times of arrival are those of the port, where it gives any.
    pub fn new(parts: Arc<Parts>, timestamp: Option<RxTimestamp>, clock: Clock) -> Self {
        Self { parts, timestamp, clock }
    }

    /// The burst was taken; returns when.
    #[inline]
    pub(crate) fn taken(&self, burst: &mut Burst) -> u64 {
        let now_ns = self.clock.now_ns();
        if let Some(t) = self.timestamp {
            let stamped = burst.iter_mut().filter(|packet| packet.flags() & t.flag != 0);
            let arrivals = stamped.filter_map(|packet| t.run_ns(packet.dynamic_u64(t.offset)));
            arrivals.for_each(|arrival_ns| self.parts.taken(arrival_ns, now_ns));
        }
        now_ns
    }

    /// When a stage begins that comes behind no other.
    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// So many packets have gone through a stage, which began then; returns when it has ended.
    #[inline]
    pub(crate) fn stage(&self, number: usize, begun_ns: u64, packets: usize) -> u64 {
        let now_ns = self.clock.now_ns();
        self.parts.stage(number, now_ns.saturating_sub(begun_ns), packets);
        now_ns
    }

    /// Ports and rings have what is for them, of so many packets.
    #[inline]
    pub(crate) fn handed_over(&self, taken_ns: u64, through_ns: u64, packets: usize) {
        let now_ns = self.clock.now_ns();
        let [out_ns, all_ns] = [through_ns, taken_ns].map(|begun_ns| now_ns.saturating_sub(begun_ns));
        self.parts.handed_over(out_ns, all_ns, packets);
    }

    /// The chain gets other stages.
    pub(crate) fn change_stages(&self) {
        self.parts.change_stages();
    }
}
