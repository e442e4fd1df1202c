//! Files that are larger than memory: pieces of them are read ahead by threads of the control side, and handed to the lcores. An lcore
//! gives each piece back when it has played it, so nothing is allocated while packets flow. In a simulation, which has no other
//! threads, each piece is read when it is needed: the packets are the same.
//!
//! For each rx queue the files are read on their own, from the first byte to the last: so no queue ever waits for another one's
//! packets to be taken.

use crate::rx::Counts;
use crate::tape::{Cue, Schedule, Tape};
use crossbeam_queue::ArrayQueue;
use perigee_config::file::Chunks;
use perigee_pcap::file::{Files, Frames};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a reader sleeps where all chunks are full: at first, and at most. A queue that plays slowly takes long for what is ready.
const NAP: Duration = Duration::from_micros(50);
const LONGEST_NAP: Duration = Duration::from_millis(2);
/// A chunk that has a packet is handed on, even where it is not full, when so many times its size were read for other queues: its
/// packet may be due.
const PATIENCE: usize = 4;

/// A piece of what a queue plays.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) cues: Vec<Cue>,
    pub(crate) bytes: Vec<u8>,
    /// Behind which of the cues a round is over.
    pub(crate) ends: Vec<usize>,
    /// Nothing comes behind it.
    pub(crate) is_last: bool,
}

impl Chunk {
    fn new(chunks: Chunks) -> Self {
        let (cues, bytes) = (Vec::with_capacity(chunks.packets), Vec::with_capacity(chunks.bytes));
        Self { cues, bytes, ends: Vec::new(), is_last: false }
    }

    fn clear(&mut self) {
        self.cues.clear();
        self.bytes.clear();
        self.ends.clear();
        self.is_last = false;
    }
}

/// Reads what one queue plays, round by round.
#[derive(Debug)]
pub(crate) struct Filler {
    tape: Arc<Tape>,
    files: Arc<Files>,
    queue: usize,
    chunks: Chunks,
    frames: Frames,
    schedule: Schedule,
    round: u64,
    /// When this round begins, after the first one.
    begin: u64,
    /// How long a round is: known when the first one is over.
    period: Option<u64>,
    /// Packets of this queue in this round so far.
    found: u64,
    /// Rounds whose files were not what they had been.
    changed: u64,
    counts: Arc<Counts>,
    port: String,
    stop: Arc<AtomicBool>,
}

impl Filler {
    /// Begins at the first frame; `None` where the queue has none, or all is in memory.
    pub(crate) fn new(tape: &Arc<Tape>, queue: usize, counts: &Arc<Counts>, port: &str) -> Option<Self> {
        let (chunks, files) = (tape.ahead()?, tape.recording().files()?);
        (tape.in_round(queue) != 0).then(|| Self {
            tape: Arc::clone(tape),
            files: Arc::clone(files),
            queue,
            chunks,
            frames: Frames::new(files),
            schedule: tape.schedule(),
            round: 0,
            begin: 0,
            period: None,
            found: 0,
            changed: 0,
            counts: Arc::clone(counts),
            port: port.to_owned(),
            stop: Arc::default(),
        })
    }

    /// An empty chunk.
    pub(crate) fn chunk(&self) -> Chunk {
        Chunk::new(self.chunks)
    }

    /// Reads on into a chunk that was played, until it is full or there is nothing more.
    pub(crate) fn fill(&mut self, chunk: &mut Chunk) {
        chunk.clear();
        let longest = usize::try_from(self.tape.facts().longest).unwrap_or(0).min(usize::from(u16::MAX));
        let patience = self.chunks.bytes.saturating_mul(PATIENCE);
        let mut passed_over = 0_usize;
        while !chunk.is_last
            && chunk.cues.len() < self.chunks.packets
            && chunk.bytes.len() + longest <= self.chunks.bytes
            && (chunk.cues.is_empty() || passed_over < patience)
            && !self.stop.load(Ordering::Relaxed)
        {
            let begin = chunk.bytes.len();
            match self.frames.next_frame(&mut chunk.bytes) {
                Ok(Some(frame)) => {
                    let len = u16::try_from(chunk.bytes.len() - begin).unwrap_or(u16::MAX);
                    let due = self.schedule.due(frame.at, len);
                    if frame.queue == self.queue {
                        let due = self.begin.saturating_add(due);
                        self.take(chunk, Cue { due, begin, len });
                    } else {
                        chunk.bytes.truncate(begin);
                        passed_over += usize::from(len);
                    }
                }
                Ok(None) => self.end_round(chunk),
                Err(refusal) => self.tell(&refusal.what),
            }
        }
    }

    fn take(&mut self, chunk: &mut Chunk, cue: Cue) {
        chunk.cues.push(cue);
        self.found += 1;
        if self.found != self.tape.in_round(self.queue) {
            return;
        }
        // What is left of the round is not for this queue.
        chunk.ends.push(chunk.cues.len());
        if !self.tape.has_round(self.round + 1) {
            chunk.is_last = true;
            self.look_behind(chunk);
        }
    }

    /// Behind the very last packet there is nothing more, unless other queues have it.
    fn look_behind(&mut self, chunk: &mut Chunk) {
        let len = chunk.bytes.len();
        match self.frames.next_frame(&mut chunk.bytes) {
            Ok(None) => self.compare(),
            Ok(Some(_)) if self.tape.facts().shares.len() > 1 => {}
            Ok(Some(_)) | Err(_) => self.count_change(),
        }
        chunk.bytes.truncate(len);
    }

    fn end_round(&mut self, chunk: &mut Chunk) {
        self.compare();
        let counted = self.schedule.end_round(self.tape.facts().period);
        let period = *self.period.get_or_insert(counted);
        self.round += 1;
        self.begin = self.schedule.begin_of(self.round, period);
        if self.found < self.tape.in_round(self.queue) {
            chunk.ends.push(chunk.cues.len());
        }
        // Rounds of nothing would never end.
        chunk.is_last = !self.tape.has_round(self.round) || self.found == 0;
        self.found = 0;
    }

    /// Whether the files were what they had been, now that they have been read to their ends.
    fn compare(&mut self) {
        let facts = std::mem::replace(&mut self.frames, Frames::new(&self.files)).into_facts();
        if facts != *self.tape.facts() {
            self.count_change();
        }
    }

    fn count_change(&mut self) {
        self.tell("its files are not what they were before the start");
        self.changed += 1;
        self.counts.changed.fetch_max(self.changed, Ordering::Relaxed);
    }

    /// Says once what is wrong with files that others have written to.
    fn tell(&self, what: &str) {
        if !self.counts.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(port = self.port, "{what}; what cannot be read is left out, and counted as `changed`");
        }
    }
}

/// Reads ahead for one queue, on a thread of its own.
#[derive(Debug)]
pub struct Reader {
    filler: Filler,
    full: Arc<ArrayQueue<Chunk>>,
    free: Arc<ArrayQueue<Chunk>>,
}

impl Reader {
    /// Set, it ends the work.
    pub fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.filler.stop)
    }

    /// Fills chunks as they come back, until nothing more is to be read.
    pub fn work(mut self) {
        let mut nap = NAP;
        while !self.filler.stop.load(Ordering::Relaxed) {
            let Some(chunk) = self.free.pop() else {
                std::thread::sleep(nap);
                nap = (nap * 2).min(LONGEST_NAP);
                continue;
            };
            nap = NAP;
            if self.fill(chunk) {
                break;
            }
        }
    }

    /// Fills a chunk and hands it over; true where nothing comes behind it.
    fn fill(&mut self, mut chunk: Chunk) -> bool {
        self.filler.fill(&mut chunk);
        let is_last = chunk.is_last;
        // There is a place for each chunk that there is.
        let _ = self.full.push(chunk);
        is_last
    }
}

/// What a queue plays that is not in memory, on the side of its lcore.
#[derive(Debug)]
pub(crate) struct Stream {
    from: From,
    /// What is played now; `None` where nothing has been read.
    chunk: Option<Chunk>,
    /// Of its rounds, so many are over.
    ended: usize,
}

/// Where chunks come from.
#[derive(Debug)]
enum From {
    /// A thread that fills those that are given back.
    Thread { full: Arc<ArrayQueue<Chunk>>, free: Arc<ArrayQueue<Chunk>> },
    /// Read when they are needed, in a simulation.
    Here(Box<Filler>),
}

impl Stream {
    /// What is read when it is needed.
    pub(crate) fn here(mut filler: Filler) -> Self {
        let mut chunk = filler.chunk();
        filler.fill(&mut chunk);
        Self { from: From::Here(Box::new(filler)), chunk: Some(chunk), ended: 0 }
    }

    /// What is read ahead, and who does it. All chunks are full when this returns.
    pub(crate) fn ahead(filler: Filler) -> (Self, Option<Reader>) {
        let count = filler.chunks.count;
        let queue = || Arc::new(ArrayQueue::new(count.max(1)));
        let (full, free) = (queue(), queue());
        let mut reader = Reader { filler, full: Arc::clone(&full), free: Arc::clone(&free) };
        let is_all = (0..count).any(|_| reader.fill(reader.filler.chunk()));
        let chunk = full.pop();
        (Self { from: From::Thread { full, free }, chunk, ended: 0 }, (!is_all).then_some(reader))
    }

    /// The packets that are read, as far as they are played next, and their bytes.
    #[inline]
    pub(crate) fn cues(&self) -> (&[Cue], &[u8]) {
        self.chunk.as_ref().map_or((&[], &[]), |chunk| (&chunk.cues, &chunk.bytes))
    }

    /// Nothing has been read that could be played.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.chunk.as_ref().is_none_or(|chunk| chunk.cues.is_empty())
    }

    /// Nothing comes behind what is read.
    pub(crate) fn is_last(&self) -> bool {
        self.chunk.as_ref().is_some_and(|chunk| chunk.is_last)
    }

    /// Rounds that are over when so many packets of the chunk were played, and were not before.
    pub(crate) fn rounds_before(&mut self, next: usize) -> u64 {
        let Some(chunk) = &self.chunk else { return 0 };
        let before = self.ended;
        while chunk.ends.get(self.ended).is_some_and(|end| *end <= next) {
            self.ended += 1;
        }
        (self.ended - before) as u64
    }

    /// Gives back what was played and takes what comes behind it; false where that has not been read yet.
    pub(crate) fn turn(&mut self) -> bool {
        self.ended = 0;
        match &mut self.from {
            From::Here(filler) => {
                if let Some(chunk) = &mut self.chunk {
                    filler.fill(chunk);
                }
            }
            From::Thread { full, free } => {
                if let Some(played) = self.chunk.take() {
                    // There is a place for each chunk that there is.
                    let _ = free.push(played);
                }
                self.chunk = full.pop();
            }
        }
        self.chunk.is_some()
    }
}
