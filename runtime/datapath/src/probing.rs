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

/// Bytes of a probe, as a length of a packet.
const TAIL: u32 = 32;
const _: () = assert!(TAIL as usize == LEN);

/// Makes probes of a chain's packets.
#[derive(Debug)]
pub struct Probing {
    sender: Sender,
    /// Every so many packets one is a probe.
    every: u32,
    /// Packets until the next probe.
    until: u32,
    /// Where the time stands at which a packet should leave; 0 there: no time is asked of it.
    intended_at: usize,
    /// Which packets of the burst were made probes.
    places: Vec<u16>,
    /// Which ones were too short.
    short: Vec<u16>,
    /// Packets whose turn it was, and that are too short.
    too_short: Arc<AtomicU64>,
    /// They are handed over before their times, and leave at them.
    ahead: bool,
}

impl Probing {
    /// One packet in `every` becomes a probe of the sender's flow. With `ahead`, packets are handed over before their times.
    pub fn new(sender: Sender, every: u32, intended_at: usize, too_short: Arc<AtomicU64>, ahead: bool) -> Self {
        let [places, short] = [(), ()].map(|()| Vec::with_capacity(MAX_BATCH));
        Self { sender, every: every.max(1), until: 0, intended_at, places, short, too_short, ahead }
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
        self.places.clear();
        self.short.clear();
        let mut until = self.until;
        for (place, packet) in (0..).zip(packets) {
            if until != 0 {
                until -= 1;
                self.erase(packet);
                continue;
            }
            until = self.every - 1;
            if self.stamp_one(packet, now_ns) {
                self.places.push(place);
            } else {
                self.short.push(place);
            }
        }
    }

    #[inline]
    fn stamp_one(&mut self, packet: &mut Packet, now_ns: u64) -> bool {
        let len = usize::from(packet.len());
        let mut tail = [0; LEN];
        // What lies in several segments has its end elsewhere.
        if len < LEAST_FRAME || packet.total_len() as usize != len || !has_payload(packet, len) {
            return false;
        }
        if !packet.read_at(len - LEN, &mut tail) {
            return false;
        }
        let asked = packet.dynamic_u64(self.intended_at);
        let intended = if asked == 0 { now_ns } else { asked };
        let departs = if self.ahead { intended.max(now_ns) } else { now_ns };
        self.sender.stamp(&mut tail, intended, departs);
        packet.write_at(len - LEN, &tail)
    }

    /// A generator's rooms come again as they were: what was a probe then is none now.
    #[inline]
    fn erase(&self, packet: &mut Packet) {
        let mut tail = [0; LEN];
        let Some(at) = usize::from(packet.len()).checked_sub(LEN) else { return };
        if packet.read_at(at, &mut tail) && self.sender.erase(&mut tail) {
            packet.write_at(at, &tail);
        }
    }

    /// Of so many stamped packets the port has taken the first `taken`: the others' numbers are given again.
    #[inline]
    pub(crate) fn sent(&mut self, packets: usize, taken: usize) {
        if taken < packets {
            let first = self.places.partition_point(|place| usize::from(*place) < taken);
            self.sender.take_back((self.places.len() - first) as u64);
        }
        if !self.short.is_empty() {
            let short = self.short.partition_point(|place| usize::from(*place) < taken);
            self.too_short.fetch_add(short as u64, Ordering::Relaxed);
        }
        // Where packets taken end the turn stands as it did: of `every` packets the next one is due.
        let passed = u32::try_from(taken).unwrap_or(u32::MAX) % self.every;
        self.until = (self.until + self.every - passed) % self.every;
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
        let (timestamp, mut foreign, mut unstamped) = (self.timestamp, 0, 0);
        for packet in burst.iter_mut().skip(first) {
            let len = packet.len();
            // Most strangers are told by two bytes.
            let from = u32::from(len).checked_sub(TAIL);
            let tag = from.and_then(|from| packet.bytes::<2>(from + TAG));
            if !tag.is_some_and(|tag| self.receiver.is_tag(tag)) {
                foreign += 1;
                continue;
            }
            let mut tail = [0; LEN];
            let is_read = packet.read_at(usize::from(len) - LEN, &mut tail);
            let arrival = timestamp.map_or(now, |timestamp| {
                let stamped = Some(timestamp).filter(|t| packet.flags() & t.flag != 0);
                stamped.and_then(|t| t.run_ns(packet.dynamic_u64(t.offset))).unwrap_or_else(|| {
                    unstamped += 1;
                    now
                })
            });
            self.receiver.packet(if is_read { &tail } else { &[] }, arrival, len);
        }
        self.receiver.add_foreign(foreign);
        self.receiver.add_unstamped(unstamped);
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
