//! A tx queue, as a chain holds it: what is done to packets as the last thing before the port has them.

use super::untaken::Stuck;
use crate::port::{PortFacts, TxEnd};
use crate::probing::Probing;
use crate::stamp;
use perigee_core::clock::Clock;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::timestamp::TxMarks;

/// One tx queue of a port, and the packets that wait for it.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) end: TxEnd,
    pub(super) facts: PortFacts,
    pub(super) burst: Box<Burst>,
    pub(super) bytes: u64,
    /// Some packet asks for a hardware offload.
    pub(super) prepare: bool,
    pub(super) stuck: Stuck,
    /// Some packet asks for the time of its departure.
    pub(super) stamps: Option<TxMarks>,
}

impl Lane {
    /// Hands the burst to the port; what it does not take stays.
    #[inline]
    pub(super) fn send(&mut self, clock: &Clock, probing: Option<&mut Probing>) -> usize {
        self.send_by(clock, probing, |end, burst| (end.tx(burst), ())).0
    }

    /// As [`Self::send`], and whether the packet that is now the first one was refused because it is too long for the interface.
    pub(super) fn send_told(&mut self, clock: &Clock, probing: Option<&mut Probing>) -> (usize, bool) {
        self.send_by(clock, probing, |end, burst| end.tx_told(burst))
    }

    /// Before the port is called, and as the last thing, times are written into the packets that ask for it, and into probes.
    #[inline]
    fn send_by<T>(
        &mut self,
        clock: &Clock,
        probing: Option<&mut Probing>,
        tx: impl FnOnce(&mut TxEnd, &mut Burst) -> (usize, T),
    ) -> (usize, T) {
        if let Some(marks) = self.stamps {
            let now = clock.now_ns();
            let asked = self.burst.iter_mut().filter(|packet| packet.flags() & marks.stamp != 0);
            asked.for_each(|packet| stamp::write(packet, now));
        }
        let Some(probing) = probing else { return tx(&mut self.end, &mut self.burst) };
        let packets = self.burst.len();
        probing.stamp(&mut self.burst, clock.now_ns());
        let (taken, told) = tx(&mut self.end, &mut self.burst);
        probing.sent(packets, taken);
        (taken, told)
    }
}
