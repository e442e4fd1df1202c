//! The end of an rx queue of a file: packets come out when they are due.

use crate::ahead::Stream;
use crate::tape::{Cue, Tape};
use perigee_core::HEADROOM;
use perigee_core::clock::Clock;
use perigee_core::lanes::fetch_ahead;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_dpdk::pool::Pool;
use perigee_dpdk::timestamp::RxTimestamp;
use perigee_wire::trace::Trace;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A packet that comes by more nanoseconds after its time counts as late.
pub(crate) const LATE: u64 = 10_000;
/// Of a packet that is due so soon, in nanoseconds, no lcore shall sleep.
const NEAR: u64 = 250_000;
/// Bytes that are asked for before they are needed lie so far ahead at most: a burst of the shortest frames. Of longer ones the
/// processor finds the rest itself.
const AHEAD: usize = 4_096;
/// Nobody has asked for the first packet yet.
const NOT_BEGUN: u64 = u64::MAX;

/// What is counted of a file, and when its first packet came.
#[derive(Debug)]
pub(crate) struct Counts {
    begin: AtomicU64,
    pub(crate) packets: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) late_worst: AtomicU64,
    /// Times that packets were due and no room was free.
    pub(crate) waits: AtomicU64,
    /// Packets that were due before they had been read.
    pub(crate) starved: AtomicU64,
    pub(crate) starved_ns: AtomicU64,
    /// Rounds whose files were not what they had been.
    pub(crate) changed: AtomicU64,
    /// That was told.
    pub(crate) told: AtomicBool,
    /// Of each queue, rounds that are over.
    pub(crate) rounds: Vec<AtomicU64>,
}

impl Counts {
    pub(crate) fn new(queues: usize) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            begin: AtomicU64::new(NOT_BEGUN),
            packets: zero(),
            bytes: zero(),
            late: zero(),
            late_worst: zero(),
            waits: zero(),
            starved: zero(),
            starved_ns: zero(),
            changed: zero(),
            told: AtomicBool::new(false),
            rounds: std::iter::repeat_with(zero).take(queues).collect(),
        }
    }

    /// When the first packet was due: when the first queue was asked for the first time.
    fn begin(&self, now: u64) -> u64 {
        match self.begin.compare_exchange(NOT_BEGUN, now, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => now,
            Err(begin) => begin,
        }
    }
}

/// Where packets of a file come out: one queue, which one chain reads.
#[derive(Debug)]
pub struct RxEnd {
    pub(crate) tape: Arc<Tape>,
    /// What it plays, where that is not in memory.
    pub(crate) stream: Option<Box<Stream>>,
    pub(crate) queue: usize,
    pub(crate) counts: Arc<Counts>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) clock: Clock,
    pub(crate) port: u16,
    pub(crate) timestamp: Option<RxTimestamp>,
    pub(crate) trace: Option<Arc<Trace>>,
    pub(crate) place: Place,
}

/// How far a queue is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// When the first packet of all was due; `None` before.
    begin: Option<u64>,
    /// When the round began, after that.
    round_at: u64,
    round: u64,
    next: usize,
    is_over: bool,
    lacks_room: bool,
    /// Since when nothing has been there to be played.
    empty_since: Option<u64>,
}

impl Place {
    pub(crate) fn first(tape: &Tape, queue: usize) -> Self {
        let is_over = tape.in_round(queue) == 0;
        Self { begin: None, round_at: 0, round: 0, next: 0, is_over, lacks_room: false, empty_since: None }
    }
}

impl RxEnd {
    /// Appends up to `max` packets to the burst, of those that are due.
    pub fn rx(&mut self, burst: &mut Burst, max: usize) -> usize {
        if self.place.is_over {
            return 0;
        }
        let now = self.clock.ns(self.clock.cycles());
        let begin = *self.place.begin.get_or_insert_with(|| self.counts.begin(now));
        if self.is_starving() {
            self.turn(begin, now);
        }
        let mut all = 0;
        while all < max && !self.place.is_over {
            let n = self.piece(burst, max - all, begin, now);
            if n == 0 {
                break;
            }
            all += n;
        }
        all
    }

    /// As much as is due of this round, or of what has been read.
    #[inline]
    fn piece(&mut self, burst: &mut Burst, max: usize, begin: u64, now: u64) -> usize {
        let round_at = begin.saturating_add(self.place.round_at);
        let (cues, all) = self.cues();
        let left = &cues[self.place.next.min(cues.len())..];
        let most = &left[..left.len().min(max).min(burst.free())];
        let due = most.iter().take_while(|cue| round_at.saturating_add(cue.due) <= now).count();
        if due == 0 {
            return 0;
        }
        let before = burst.len();
        let n = self.pool.take(burst, due);
        if n == 0 {
            self.place.lacks_room = true;
            self.counts.waits.fetch_add(1, Ordering::Relaxed);
            return 0;
        }
        let (mut bytes, mut late) = (0, 0);
        for (packet, cue) in burst.iter_mut().skip(before).zip(most) {
            let at = round_at.saturating_add(cue.due);
            bytes += self.fill(packet, cue.of(all), if self.tape.is_timed() { at } else { now });
            late += u64::from(now - at > LATE);
            if let Some(trace) = &self.trace {
                trace.received(self.port, now, packet);
            }
        }
        let worst = now - round_at.saturating_add(most[0].due);
        self.place.lacks_room = false;
        self.count(n, bytes, late, worst);
        self.go_on(n, begin, now);
        self.look_ahead(bytes);
        n
    }

    /// Asks for bytes of what comes next, which are in no cache where the files are large: as many as were played now.
    #[inline]
    fn look_ahead(&self, played: u64) {
        let (cues, bytes) = self.cues();
        let Some(next) = cues.get(self.place.next) else { return };
        let known = AHEAD - usize::try_from(played).unwrap_or(AHEAD).min(AHEAD);
        let end = bytes.len().min(next.begin + AHEAD);
        fetch_ahead(bytes.get(next.begin + known..end).unwrap_or_default());
    }

    /// The packets that are there to be played, and their bytes.
    #[inline]
    fn cues(&self) -> (&[Cue], &[u8]) {
        match &self.stream {
            None => (self.tape.cues(self.queue), self.tape.bytes()),
            Some(stream) => stream.cues(),
        }
    }

    /// The disk has not given yet what comes next.
    #[inline]
    fn is_starving(&self) -> bool {
        !self.place.is_over && self.stream.as_ref().is_some_and(|stream| stream.is_empty())
    }

    /// Makes a raw mbuf the packet, and returns its length.
    #[inline]
    fn fill(&self, packet: &mut Packet, bytes: &[u8], at: u64) -> u64 {
        // One that has no place in a room is empty, and dropped as too short: the files were read with an eye on the longest.
        packet.renew_with(HEADROOM, bytes);
        packet.set_port(self.port);
        if let Some(timestamp) = self.timestamp {
            packet.set_flags(timestamp.flag);
            packet.set_dynamic_u64(timestamp.offset, at);
        }
        bytes.len() as u64
    }

    #[inline]
    fn count(&self, packets: usize, bytes: u64, late: u64, worst: u64) {
        self.counts.packets.fetch_add(packets as u64, Ordering::Relaxed);
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.tape.is_timed() {
            self.counts.late.fetch_add(late, Ordering::Relaxed);
            self.counts.late_worst.fetch_max(worst, Ordering::Relaxed);
        }
    }

    /// Behind so many packets more.
    #[inline]
    fn go_on(&mut self, packets: usize, begin: u64, now: u64) {
        self.place.next += packets;
        if self.stream.is_some() {
            return self.read_on(begin, now);
        }
        if self.place.next < self.tape.cues(self.queue).len() {
            return;
        }
        self.place.next = 0;
        self.end_rounds(1);
        match self.tape.begin_of(self.place.round) {
            Some(at) => self.place.round_at = at,
            None => self.place.is_over = true,
        }
    }

    fn end_rounds(&mut self, rounds: u64) {
        self.place.round += rounds;
        if let Some(count) = self.counts.rounds.get(self.queue) {
            count.store(self.place.round, Ordering::Relaxed);
        }
    }

    /// As [`Self::go_on`], in what was read ahead.
    #[inline]
    fn read_on(&mut self, begin: u64, now: u64) {
        let Some(stream) = &mut self.stream else { return };
        let rounds = stream.rounds_before(self.place.next);
        let is_played = self.place.next >= stream.cues().0.len();
        if rounds != 0 {
            self.end_rounds(rounds);
        }
        if is_played {
            self.turn(begin, now);
        }
    }

    /// Takes what comes next, where it has been read. What the disk was too slow for is counted.
    #[inline(never)]
    fn turn(&mut self, begin: u64, now: u64) {
        let Some(stream) = &mut self.stream else { return };
        loop {
            if stream.is_last() {
                self.place.is_over = true;
                return;
            }
            self.place.next = 0;
            if !stream.turn() {
                self.place.empty_since.get_or_insert(now);
                return;
            }
            let rounds = stream.rounds_before(0);
            if rounds != 0 {
                self.place.round += rounds;
                self.counts.rounds.get(self.queue).iter().for_each(|n| n.store(self.place.round, Ordering::Relaxed));
            }
            if !stream.is_empty() {
                break;
            }
        }
        if let Some(since) = self.place.empty_since.take() {
            self.starved(begin, since, now);
        }
    }

    /// Counts what comes now and was due before, while nothing had been read since then.
    fn starved(&self, begin: u64, since: u64, now: u64) {
        let (cues, _) = self.cues();
        let at = |cue: &Cue| if self.tape.is_timed() { begin.saturating_add(cue.due) } else { since };
        let late = |cue: &Cue| at(cue).saturating_add(LATE) < now;
        let Some(waited) = cues.first().filter(|first| late(first)).map(|first| now - at(first).max(since)) else {
            return;
        };
        let packets = if self.tape.is_timed() { cues.partition_point(late) as u64 } else { 1 };
        self.counts.starved.fetch_add(packets, Ordering::Relaxed);
        self.counts.starved_ns.fetch_add(waited, Ordering::Relaxed);
    }

    /// Nothing more comes.
    pub fn is_over(&self) -> bool {
        self.place.is_over
    }

    /// When the next packet is due, in nanoseconds of the run's clock: `None` where there is none, or where
    /// [`Self::comes_when_asked`] says so.
    pub fn due(&self) -> Option<u64> {
        if self.place.is_over || self.comes_when_asked() {
            return None;
        }
        let Some(begin) = self.place.begin else { return Some(0) };
        let cue = self.cues().0.get(self.place.next)?;
        Some(begin.saturating_add(self.place.round_at).saturating_add(cue.due))
    }

    /// A packet may come whenever somebody asks: it is played as fast as it goes, or waits for a room.
    pub fn comes_when_asked(&self) -> bool {
        !self.place.is_over && (!self.tape.is_timed() || self.place.lacks_room)
    }

    /// A packet comes so soon that an lcore that slept would be late for it.
    pub fn is_near(&self, now: u64) -> bool {
        self.comes_when_asked() || self.is_starving() || self.due().is_some_and(|due| due < now.saturating_add(NEAR))
    }
}
