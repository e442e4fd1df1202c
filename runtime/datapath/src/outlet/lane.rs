//! A tx queue, as a chain holds it: what is done to packets as the last thing before the port has them.

use super::untaken::Stuck;
use crate::port::{PortFacts, TxEnd};
use crate::probing::Probing;
use crate::stamp;
use crate::taps::Taps;
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
    /// Where packets of paths are seen.
    pub(super) taps: Option<Box<Taps>>,
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
        if self.taps.is_some() {
            return self.send_seen(clock, probing, tx);
        }
        let Some(probing) = probing else { return tx(&mut self.end, &mut self.burst) };
        let packets = self.burst.len();
        probing.stamp(&mut self.burst, clock.now_ns());
        let (taken, told) = tx(&mut self.end, &mut self.burst);
        probing.sent(packets, taken);
        (taken, told)
    }

    /// As [`Self::send_by`], where packets of paths are seen: as they are when all has been written into them.
    #[inline(never)]
    fn send_seen<T>(
        &mut self,
        clock: &Clock,
        mut probing: Option<&mut Probing>,
        tx: impl FnOnce(&mut TxEnd, &mut Burst) -> (usize, T),
    ) -> (usize, T) {
        let packets = self.burst.len();
        if let Some(probing) = &mut probing {
            probing.stamp(&mut self.burst, clock.now_ns());
        }
        if let Some(taps) = &mut self.taps {
            taps.leave(&mut self.burst);
        }
        let (taken, told) = tx(&mut self.end, &mut self.burst);
        if let Some(probing) = probing {
            probing.sent(packets, taken);
        }
        if let Some(taps) = &mut self.taps {
            taps.sent(taken);
        }
        (taken, told)
    }
}
