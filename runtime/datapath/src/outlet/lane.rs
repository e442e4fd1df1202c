//! A tx queue, as a chain holds it: what is done to packets as the last thing before the port has them.

use super::untaken::Stuck;
use crate::ledger::Ledger;
use crate::port::{PortFacts, TxEnd};
use crate::probing::Probing;
use crate::stamp;
use crate::taps::Taps;
use perigee_core::clock::Clock;
use perigee_core::counters::Counter;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::pacing::CardClock;
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
    /// The port lets packets go at the times that they carry.
    pub(super) launch: Option<Launch>,
    /// The flag of fillers, where some come; else 0.
    pub(super) filler: u64,
    /// How many of the packets are fillers.
    pub(super) fillers: usize,
    /// The times of its packets, while they stand there as the port wants them.
    pub(super) times: Vec<u64>,
    /// Where packets of paths are seen.
    pub(super) taps: Option<Box<Taps>>,
}

/// How a port is told when packets are to leave that it has before.
#[derive(Clone, Copy, Debug)]
pub struct Launch {
    /// Where that stands.
    pub marks: TxMarks,
    /// By which clock, where it is not the run's.
    pub clock: Option<CardClock>,
}

impl Launch {
    /// Tells it, of each packet; gives back what stood there.
    fn write(&self, burst: &mut Burst, times: &mut Vec<u64>) {
        times.clear();
        for packet in burst.iter_mut() {
            let at = packet.dynamic_u64(self.marks.offset);
            times.push(at);
            if at != 0 {
                packet.set_dynamic_u64(self.marks.offset, self.clock.map_or(at, |clock| clock.ticks(at)));
                packet.set_flags(packet.flags() | self.marks.time);
            }
        }
    }

    /// What the port has not taken has its times back.
    fn take_back(&self, burst: &mut Burst, times: &[u64]) {
        let first = times.len().saturating_sub(burst.len());
        for (packet, at) in burst.iter_mut().zip(&times[first..]) {
            packet.set_dynamic_u64(self.marks.offset, *at);
            packet.set_flags(packet.flags() & !self.marks.time);
        }
    }
}

impl Lane {
    /// Nothing waits for that queue.
    pub(super) fn new(end: TxEnd, facts: PortFacts) -> Self {
        Self {
            end,
            facts,
            burst: Burst::new(),
            bytes: 0,
            prepare: false,
            stuck: Stuck::default(),
            stamps: None,
            launch: None,
            filler: 0,
            fillers: 0,
            times: Vec::new(),
            taps: None,
        }
    }

    /// Hands the burst to the port; what it does not take stays.
    #[inline]
    pub(super) fn send(&mut self, clock: &Clock, probing: Option<&mut Probing>, ledger: &mut Ledger) -> usize {
        self.send_by(clock, probing, ledger, |end, burst| (end.tx(burst), ())).0
    }

    /// As [`Self::send`], and whether the packet that is now the first one was refused because it is too long for the interface.
    pub(super) fn send_told(
        &mut self,
        clock: &Clock,
        probing: Option<&mut Probing>,
        ledger: &mut Ledger,
    ) -> (usize, bool) {
        self.send_by(clock, probing, ledger, |end, burst| end.tx_told(burst))
    }

    /// Before the port is called, and as the last thing, times are written into the packets that ask for it, and into probes.
    #[inline]
    fn send_by<T>(
        &mut self,
        clock: &Clock,
        probing: Option<&mut Probing>,
        ledger: &mut Ledger,
        tx: impl FnOnce(&mut TxEnd, &mut Burst) -> (usize, T),
    ) -> (usize, T) {
        if let Some(marks) = self.stamps {
            let now = clock.now_ns();
            let ahead = self.launch.is_some() || self.filler != 0;
            for packet in self.burst.iter_mut().filter(|packet| packet.flags() & marks.stamp != 0) {
                let asked = if ahead { packet.dynamic_u64(marks.offset) } else { 0 };
                stamp::write(packet, now.max(asked));
            }
        }
        if self.launch.is_some() || self.filler != 0 || self.taps.is_some() || ledger.records() {
            return self.send_with_more(clock, probing, ledger, tx);
        }
        let Some(probing) = probing else { return tx(&mut self.end, &mut self.burst) };
        let packets = self.burst.len();
        probing.stamp(&mut self.burst, clock.now_ns());
        let (taken, told) = tx(&mut self.end, &mut self.burst);
        probing.sent(packets, taken);
        (taken, told)
    }

    /// Where the port is handed packets before their times, and perhaps fillers, or packets are seen or recorded: as they are when all
    /// has been written into them.
    #[inline(never)]
    fn send_with_more<T>(
        &mut self,
        clock: &Clock,
        mut probing: Option<&mut Probing>,
        ledger: &mut Ledger,
        tx: impl FnOnce(&mut TxEnd, &mut Burst) -> (usize, T),
    ) -> (usize, T) {
        let packets = self.burst.len();
        if let Some(probing) = &mut probing {
            probing.stamp_but(self.filler, &mut self.burst, clock.now_ns());
        }
        // Packets of paths do not leave between fillers (`Config::unfit`).
        if let Some(taps) = &mut self.taps {
            taps.leave(&mut self.burst);
        }
        ledger.leave(Some(self.facts.number), &mut self.burst, self.filler);
        if let Some(launch) = &self.launch {
            launch.write(&mut self.burst, &mut self.times);
        }
        let (taken, told) = tx(&mut self.end, &mut self.burst);
        if let Some(launch) = self.launch.filter(|_| taken < packets) {
            launch.take_back(&mut self.burst, &self.times);
        }
        if let Some(taps) = &mut self.taps {
            taps.sent(taken);
        }
        ledger.sent(Some(self.facts.number), taken);
        let left = self.left_fillers();
        let (gone, of_packets) = (self.fillers - left, packets - self.fillers);
        self.fillers = left;
        if let Some(probing) = probing {
            probing.sent(of_packets, taken - gone);
        }
        (taken - gone, told)
    }

    fn left_fillers(&mut self) -> usize {
        let flag = self.filler;
        self.burst.iter_mut().filter(|packet| packet.flags() & flag != 0).count()
    }

    /// Bytes of its packets, without those of fillers.
    pub(super) fn bytes_of_packets(&mut self) -> u64 {
        let flag = self.filler;
        self.burst.iter_mut().filter(|packet| packet.flags() & flag == 0).map(|packet| u64::from(packet.len())).sum()
    }

    /// Frees all, and counts the packets, which fillers are not.
    pub(super) fn drop_all(&mut self, cause: Counter, ledger: &mut Ledger) {
        ledger.see_drops(cause, &mut self.burst, self.filler);
        (self.bytes, self.prepare) = (0, false);
        let n = ledger.free_all(&mut self.burst) - std::mem::take(&mut self.fillers);
        ledger.add(cause, n);
    }
}
