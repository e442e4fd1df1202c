//! Probes of streams, at the ends of queues: written as the last thing before a port has them, read as the first when they came.

use crate::headers;
use crate::stream::Stream;
use perigee_abi::MAX_BATCH;
use perigee_core::clock::Clock;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_dpdk::timestamp::RxTimestamp;
use perigee_measure::probe::{LEAST_FRAME, LEN, TAG};
use perigee_measure::readings::Readings;
use perigee_measure::receiver::Receiver;
use perigee_measure::sender::Sender;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Where a probe's tag stands, counted from the end of its frame.
const TAG_FROM_END: usize = LEN - TAG;

/// Makes probes of a chain's packets.
#[derive(Debug)]
pub struct Probing {
    sender: Sender,
    /// Every so many packets one is a probe.
    every: u32,
    /// Packets until the next probe; of a burst that is stamped and not yet told as sent, before it.
    until: u32,
    /// Where the time stands at which a packet should leave; 0 there: no time is asked of it.
    intended_at: usize,
    /// Which packets of the burst should have been probes and were too short.
    short: Vec<u16>,
    /// Packets whose turn it was, and that are too short.
    too_short: Arc<AtomicU64>,
    /// They are handed over before their times, and leave at them.
    ahead: bool,
}

impl Probing {
    /// One packet in `every` becomes a probe of the sender's flow. With `ahead`, packets are handed over before their times.
    pub fn new(sender: Sender, every: u32, intended_at: usize, too_short: Arc<AtomicU64>, ahead: bool) -> Self {
        let short = Vec::with_capacity(MAX_BATCH);
        Self { sender, every: every.max(1), until: 0, intended_at, short, too_short, ahead }
    }

    /// Makes probes of those packets whose turn it is. They leave now.
    #[inline]
    pub(crate) fn stamp(&mut self, burst: &mut Burst, now_ns: u64) {
        self.stamp_these(burst.iter_mut(), now_ns);
    }

    /// As [`Self::stamp`], without those that have that flag: they are nobody's packets, and are not counted.
    pub(crate) fn stamp_but(&mut self, flag: u64, burst: &mut Burst, now_ns: u64) {
        self.stamp_these(burst.iter_mut().filter(|packet| packet.flags() & flag == 0), now_ns);
    }

    #[inline]
    fn stamp_these<'a>(&mut self, packets: impl Iterator<Item = &'a mut Packet>, now_ns: u64) {
        self.short.clear();
        let mut until = self.until;
        for (place, packet) in (0..).zip(packets) {
            if until != 0 {
                until -= 1;
                self.erase(packet);
                continue;
            }
            until = self.every - 1;
            if !self.stamp_one(packet, now_ns) {
                self.short.push(place);
            }
        }
    }

    #[inline]
    fn stamp_one(&mut self, packet: &mut Packet, now_ns: u64) -> bool {
        let len = usize::from(packet.len());
        // What lies in several segments has its end elsewhere.
        if len < LEAST_FRAME || packet.total_len() as usize != len || !has_payload(packet, len) {
            return false;
        }
        let asked = packet.dynamic_u64(self.intended_at);
        let intended = if asked == 0 { now_ns } else { asked };
        let departs = if self.ahead { intended.max(now_ns) } else { now_ns };
        packet.change_end(|tail| self.sender.stamp(tail, intended, departs))
    }

    /// A generator's rooms come again as they were: what was a probe then is none now.
    #[inline]
    fn erase(&self, packet: &mut Packet) {
        if packet.end::<TAG_FROM_END, 2>() == Some(self.sender.tag()) {
            packet.change_end(|tail| self.sender.erase(tail));
        }
    }

    /// Of so many stamped packets the port has taken the first `taken`: the others' numbers are given again.
    #[inline]
    pub(crate) fn sent(&mut self, packets: usize, taken: usize) {
        let short_before = self.short.partition_point(|place| usize::from(*place) < taken);
        if taken < packets {
            let probes = self.turns_before(packets) - self.turns_before(taken);
            self.sender.take_back((probes - (self.short.len() - short_before)) as u64);
        }
        if short_before != 0 {
            self.too_short.fetch_add(short_before as u64, Ordering::Relaxed);
        }
        // Where packets taken end the turn stands as it did: of `every` packets the next one is due.
        let passed = u32::try_from(taken).unwrap_or(u32::MAX) % self.every;
        self.until = (self.until + self.every - passed) % self.every;
    }

    /// How many of the first packets of the burst it was the turn of.
    fn turns_before(&self, packets: usize) -> usize {
        packets.saturating_sub(self.until as usize).div_ceil(self.every as usize)
    }
}

/// The bytes of a probe are no part of a header.
#[inline]
fn has_payload(packet: &Packet, len: usize) -> bool {
    len >= headers::MOST as usize + LEN || headers::len(packet) as usize + LEN <= len
}

/// Reads probes from what comes in by an rx queue.
pub struct Listening {
    receiver: Receiver,
    /// The streams whose probes it reads, with their numbers.
    streams: Vec<(u16, Arc<Stream>)>,
    readings: Arc<OnceLock<Readings>>,
    timestamp: Option<RxTimestamp>,
    clock: Clock,
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listening").field("streams", &self.streams).finish_non_exhaustive()
    }
}

impl Listening {
    /// Times of arrival are the port's where it gives any, else those of the clock, read once for a burst when the port has given it.
    /// `readings` are of the whole run, and there when packets flow.
    pub fn new(
        receiver: Receiver,
        streams: Vec<(u16, Arc<Stream>)>,
        readings: Arc<OnceLock<Readings>>,
        timestamp: Option<RxTimestamp>,
        clock: Clock,
    ) -> Self {
        Self { receiver, streams, readings, timestamp, clock }
    }

    /// Looks at the packets of a burst from `first` on.
    #[inline]
    pub(crate) fn look(&mut self, burst: &mut Burst, first: usize) {
        let now = self.clock.now_ns();
        let tag = self.receiver.tag();
        let came = burst.len().saturating_sub(first);
        let mut tagged = 0;
        // Most strangers are told by two bytes.
        for packet in burst.iter_mut().skip(first).filter(|packet| packet.end::<TAG_FROM_END, 2>() == Some(tag)) {
            tagged += 1;
            self.probe(packet, now);
        }
        self.receiver.end();
        self.receiver.add_foreign((came - tagged) as u64);
    }

    #[inline]
    fn probe(&mut self, packet: &Packet, now: u64) {
        let Some(tail) = packet.end_words() else { return };
        let mut arrival = now;
        if let Some(t) = self.timestamp {
            let stamped = (packet.flags() & t.flag != 0).then(|| t.run_ns(packet.dynamic_u64(t.offset))).flatten();
            self.receiver.add_unstamped(stamped.is_none().into());
            arrival = stamped.unwrap_or(now);
        }
        self.receiver.take(tail, arrival, packet.len());
    }

    /// Calls lost what has not come in time; about once a millisecond.
    pub(crate) fn tend(&mut self, now_ns: u64) {
        self.receiver.expire(now_ns);
    }

    /// Probes may still come in time.
    pub(crate) fn waits(&self) -> bool {
        let readings = self.readings.get();
        readings
            .is_some_and(|readings| self.streams.iter().any(|(stream, _)| readings.counts(*stream).outstanding != 0))
    }

    /// Probes may come at any time.
    pub(crate) fn is_awake(&self) -> bool {
        self.streams.iter().any(|(_, stream)| !stream.is_over()) || self.waits()
    }

    /// Nothing comes any more: what has not come is lost.
    pub(crate) fn finish(&mut self) {
        self.receiver.finish();
    }
}
