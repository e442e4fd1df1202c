//! One who reads a lane. Its writer knows nothing of it.

use crate::layout::{CHUNK, Facts, chunk, lane};
use crate::map::Map;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use zerocopy::IntoBytes as _;

/// A record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When, nanoseconds of the writer's clock.
    pub ns: u64,
    /// Which record of its lane it is.
    pub number: u64,
    /// Bytes of the packet itself.
    pub original: u32,
    /// Whatever the writer means by it.
    pub cause: u8,
    /// As above.
    pub flags: u8,
    /// The bytes that were recorded.
    pub bytes: &'a [u8],
}

/// What a lane's writer has told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that have passed.
    pub seen: u64,
    /// Those of them that a filter has refused.
    pub refused: u64,
    /// Those that were recorded.
    pub recorded: u64,
    /// Nothing more will come.
    pub ended: bool,
}

/// Reads a lane.
#[derive(Debug)]
pub struct Reader {
    map: Arc<Map>,
    base: u64,
    /// The chunk that is read, and from where in it; 0: its head was not looked at yet.
    chunk: u64,
    offset: u64,
    /// The number of the next record, if none was missed.
    number: u64,
    missed: u64,
    /// Records that were copied; of their bytes, what stands before `next` was read.
    copy: Vec<u64>,
    next: usize,
}

/// What comes next in a lane.
enum Next {
    Nothing,
    /// From here to there in the chunk that is read.
    Range(u64, u64),
    /// The chunk was read, or is not what it should be: the next one.
    Chunk,
    /// It was written over.
    Gone,
}

impl Reader {
    pub(crate) fn new(map: Arc<Map>, lane: u64) -> Self {
        let base = map.shape().lane(lane);
        Self { map, base, chunk: 0, offset: 0, number: 0, missed: 0, copy: Vec::new(), next: 0 }
    }

    /// The next record, which stays the next one; `None` where none is there yet.
    pub fn peek(&mut self) -> Option<Record<'_>> {
        // What is no record ends what was copied.
        if self.at_hand().is_none() && !self.fetch() {
            return None;
        }
        self.at_hand()
    }

    /// The next record is done with.
    pub fn pass(&mut self) {
        if let Some((_, facts)) = self.head() {
            self.next = self.next.saturating_add(Facts::size(facts.captured));
            self.number = self.number.saturating_add(1);
        }
    }

    /// How many records it could not have, because they were written over first.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// What the writer has told: of one moment where the lane has ended.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let load = |at| self.map.words().load(self.base + at, Ordering::Relaxed);
        // First of all: what is told behind it is final, if it is.
        let ended = self.map.words().load(self.base + lane::ENDED, Ordering::Acquire) != 0;
        Counts { seen: load(lane::SEEN), refused: load(lane::REFUSED), recorded: load(lane::NUMBER), ended }
    }

    /// The time of the last record that was shown.
    #[must_use]
    pub fn shown_ns(&self) -> u64 {
        self.load(lane::SHOWN_NS, Ordering::Relaxed)
    }

    /// The lane has ended and was read to its end: what is missing there was missed as well.
    pub fn finish(&mut self) {
        let recorded = self.counts().recorded;
        self.miss_until(recorded);
    }

    fn miss_until(&mut self, number: u64) {
        self.missed = self.missed.saturating_add(number.saturating_sub(self.number));
        self.number = self.number.max(number);
    }

    /// Number and time of the oldest record that is there; `None` where none is, or all are being written over.
    #[must_use]
    pub fn oldest(&self) -> Option<(u64, u64)> {
        if self.load(lane::WRITTEN, Ordering::Acquire) == 0 { None } else { self.first_of(self.oldest_chunk()) }
    }

    /// Goes to the chunk in which a time lies, or to the oldest that is there. What lies before is not missed.
    pub fn seek(&mut self, ns: u64) {
        let newest = self.load(lane::WRITTEN, Ordering::Acquire) / CHUNK;
        let mut low = self.oldest_chunk().min(newest);
        let mut high = newest;
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            match self.first_of(middle) {
                Some((_, first_ns)) if first_ns > ns => high = middle - 1,
                // One that was written over meanwhile lies before all that are left.
                _ => low = middle,
            }
        }
        self.copy.clear();
        (self.chunk, self.offset, self.next) = (low, 0, 0);
        self.number = self.first_of(low).map_or(self.number, |(first, _)| first);
    }

    /// Number and time of a chunk's first record; `None` where it was written over.
    fn first_of(&self, number: u64) -> Option<(u64, u64)> {
        let at = self.base + self.map.shape().chunk(number);
        let load = |word| self.map.words().load(at + word, Ordering::Relaxed);
        let (own, first, ns) = (load(chunk::SELF), load(chunk::FIRST), load(chunk::FIRST_NS));
        (own == number && self.is_there(number)).then_some((first, ns))
    }

    /// The oldest chunk that is neither being written over nor forgotten.
    fn oldest_chunk(&self) -> u64 {
        let whole =
            self.load(lane::CLAIMED, Ordering::Acquire).saturating_add(1).saturating_sub(self.map.shape().chunks);
        whole.max(self.load(lane::FORGOTTEN, Ordering::Acquire))
    }

    /// Whether all that was read of a chunk until now was whole.
    fn is_there(&self, number: u64) -> bool {
        fence(Ordering::Acquire);
        self.load(lane::CLAIMED, Ordering::Relaxed) < number.saturating_add(self.map.shape().chunks)
            && self.load(lane::FORGOTTEN, Ordering::Relaxed) <= number
    }

    fn load(&self, word: u64, order: Ordering) -> u64 {
        self.map.words().load(self.base + word, order)
    }

    /// Copies what is there of the next chunk that has something. False where there is nothing.
    fn fetch(&mut self) -> bool {
        // A writer that is faster than this by a whole lane each time has been met often enough.
        for _ in 0..64 {
            match self.look() {
                Next::Nothing => return false,
                Next::Chunk => (self.chunk, self.offset) = (self.chunk.saturating_add(1), 0),
                Next::Gone => self.leap(),
                Next::Range(from, to) if self.take(from, to) => return true,
                Next::Range(..) => self.leap(),
            }
        }
        false
    }

    fn look(&self) -> Next {
        let written = self.load(lane::WRITTEN, Ordering::Acquire);
        if written == 0 {
            return Next::Nothing;
        }
        let (newest, until) = (written / CHUNK, written % CHUNK + 1);
        if self.chunk > newest {
            return Next::Nothing;
        }
        if !self.is_there(self.chunk) {
            return Next::Gone;
        }
        let from = self.offset.max(chunk::LEN);
        if self.chunk == newest {
            return if from < until { Next::Range(from, until) } else { Next::Nothing };
        }
        let end = self.base + self.map.shape().chunk(self.chunk) + chunk::END;
        let end = self.map.words().load(end, Ordering::Relaxed).min(CHUNK);
        if from < end { Next::Range(from, end) } else { Next::Chunk }
    }

    /// Copies a part of the chunk. False where it was written over meanwhile.
    fn take(&mut self, from: u64, to: u64) -> bool {
        let at = self.base + self.map.shape().chunk(self.chunk);
        let load = |word| self.map.words().load(at + word, Ordering::Relaxed);
        let (own, first) = (load(chunk::SELF), load(chunk::FIRST));
        let (from, to) = (from & !7, to & !7);
        self.copy.resize(usize::try_from((to - from) / 8).unwrap_or(0), 0);
        self.map.words().copy_to(at + from, &mut self.copy);
        self.next = 0;
        if !self.is_there(self.chunk) || own != self.chunk {
            self.copy.clear();
            return false;
        }
        if self.offset == 0 {
            self.miss_until(first);
        }
        self.offset = to;
        // What is no record ends the chunk: who wrote it is another program, or broken.
        self.at_hand().is_some()
    }

    /// Goes on in the middle of what is there, so that it is not written over at once.
    fn leap(&mut self) {
        let newest = self.load(lane::WRITTEN, Ordering::Acquire) / CHUNK;
        let half = newest.saturating_sub(self.map.shape().chunks / 2);
        let half = half.max(self.load(lane::FORGOTTEN, Ordering::Relaxed));
        (self.chunk, self.offset) = (half.max(self.chunk.saturating_add(1)).min(newest.max(self.chunk)), 0);
        self.copy.clear();
        self.next = 0;
    }

    fn head(&self) -> Option<(u64, Facts)> {
        let word = self.next / 8;
        Some((*self.copy.get(word)?, Facts::of(*self.copy.get(word + 1)?)))
    }

    fn at_hand(&self) -> Option<Record<'_>> {
        let (ns, facts) = self.head()?;
        let from = self.next + 16;
        let bytes = self.copy.as_bytes().get(from..from + usize::from(facts.captured))?;
        let Facts { original, cause, flags, .. } = facts;
        Some(Record { ns, number: self.number, original, cause, flags, bytes })
    }
}
