//! The one who writes a lane. It never waits, and never looks at a reader.

#![allow(unsafe_code, reason = "writes records into memory that is shared")]

use crate::layout::{CHUNK, Facts, HEAD_LEN, LEN, MOST_BYTES, chunk, lane};
use crate::memory::Memory;
use crate::words::Words;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// What a record says of a packet beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// When, nanoseconds of the writer's clock.
    pub ns: u64,
    /// Bytes of the packet itself, which may be more than are recorded.
    pub original: u32,
    /// Whatever the writer means by it.
    pub cause: u8,
    /// As above.
    pub flags: u8,
}

/// Where a writer stands: to go back to, before it has shown what it wrote since.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// The number of the chunk that is written; `u64::MAX` before the first one.
    chunk: u64,
    /// Where in the memory it lies, and where in it the next record goes.
    here: u64,
    offset: usize,
    last_ns: u64,
    /// Nothing more fits until what was written is shown.
    full: bool,
    number: u64,
    seen: u64,
    refused: u64,
}

/// Writes a lane. What it has written is seen by others when it is shown ([`Self::show`]).
#[derive(Debug)]
pub struct Writer {
    memory: Arc<Memory>,
    /// Where the lane begins.
    base: u64,
    /// Where the chunk that is written lies in this process.
    place: NonNull<u8>,
    at: Mark,
    /// The chunk that was written when records were shown last.
    shown: u64,
    age: Option<Age>,
}

/// What is written is forgotten when it is old.
#[derive(Clone, Copy, Debug)]
struct Age {
    keep_ns: u64,
    /// The oldest chunk that is there.
    oldest: u64,
}

// SAFETY:
// - the place lies in memory that this has a share of and that only it writes.
unsafe impl Send for Writer {}

impl Writer {
    pub(crate) fn new(memory: Arc<Memory>, base: u64) -> Self {
        let at =
            Mark { chunk: u64::MAX, here: 0, offset: LEN, last_ns: 0, full: false, number: 0, seen: 0, refused: 0 };
        let place = memory.words().place(0, CHUNK);
        Self { memory, base, place, at, shown: u64::MAX, age: None }
    }

    /// As before, but records are erased when they are older than so many nanoseconds: at most a quarter of that later, where
    /// [`Self::forget`] is called that often.
    #[must_use]
    pub fn keeping(mut self, keep_ns: u64) -> Self {
        self.age = Some(Age { keep_ns, oldest: 0 });
        self
    }

    /// A packet has passed that a filter refuses.
    #[inline]
    pub fn refuse(&mut self) {
        self.at.seen += 1;
        self.at.refused += 1;
    }

    /// Records a packet that has passed, of which `fill` writes so many bytes. Between two shows a lane takes what it has room for;
    /// what comes then is missing for all readers, and numbered as any other.
    #[inline]
    pub fn record(&mut self, head: Head, captured: u16, fill: impl FnOnce(&mut [u8])) {
        let captured = captured.min(MOST_BYTES);
        let size = Facts::size(captured);
        self.at.seen += 1;
        if (self.at.full || self.at.offset + size > LEN) && !self.next_chunk(head.ns) {
            self.at.number += 1;
            return;
        }
        let facts = Facts { original: head.original, captured, cause: head.cause, flags: head.flags };
        // SAFETY:
        // - `place` is where a whole chunk begins, which lies in the mapping as long as the memory that this has a share of, and
        //   `offset + size` is no more than its length: checked above, or the chunk is a new one and no record is longer.
        let at = unsafe { self.place.add(self.at.offset) };
        // SAFETY:
        // - two words of the record, as above; chunks and sizes are multiples of 8.
        // - a lane has one writer, `&mut self`, and only it touches the lane's chunks by this mapping; other mappings of the file
        //   are foreign memory to the compiler, and may only be read.
        unsafe { at.cast::<[u64; 2]>().write([head.ns, facts.word()]) };
        // SAFETY:
        // - what follows them, of the same record.
        let bytes = unsafe { at.add(16) };
        // SAFETY:
        // - as above; the slice is gone when the record is written.
        fill(unsafe { std::slice::from_raw_parts_mut(bytes.as_ptr(), captured.into()) });
        self.at.offset += size;
        self.at.last_ns = head.ns;
        self.at.number += 1;
    }

    /// Where it stands.
    #[inline]
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.at
    }

    /// Takes back all that was written since then: the mark is of the time since records were shown last.
    #[inline]
    pub fn back_to(&mut self, mark: Mark) {
        if mark.chunk != self.at.chunk {
            self.place = self.memory.words().place(mark.here, CHUNK);
        }
        self.at = mark;
    }

    /// Shows all that was written to whoever reads.
    #[inline]
    pub fn show(&mut self) {
        let Mark { chunk, offset, last_ns, number, seen, refused, .. } = self.at;
        let (words, base) = (self.memory.words(), self.base);
        words.store(base + lane::SEEN, seen, Ordering::Relaxed);
        words.store(base + lane::REFUSED, refused, Ordering::Relaxed);
        words.store(base + lane::NUMBER, number, Ordering::Relaxed);
        words.store(base + lane::SHOWN_NS, last_ns, Ordering::Relaxed);
        if chunk != u64::MAX {
            words.store(base + lane::WRITTEN, chunk * CHUNK + offset as u64 - 1, Ordering::Release);
        }
        self.shown = chunk;
    }

    /// Erases what is too old, two chunks at most; the others have their turn in the next call. Call it where all that was written
    /// was shown, as often as packets come, and also where none come.
    #[inline]
    pub fn forget(&mut self, now_ns: u64) {
        if let Some(age) = self.age {
            self.forget_old(age, now_ns);
        }
    }

    fn forget_old(&mut self, mut age: Age, now_ns: u64) {
        if self.at.chunk == u64::MAX {
            return;
        }
        // Only whole chunks are forgotten, so one that fills slowly is closed before it is full.
        let first_ns = self.memory.words().load(self.at.here + chunk::FIRST_NS, Ordering::Relaxed);
        if self.at.offset > HEAD_LEN && first_ns.saturating_add(age.keep_ns / 4) < now_ns && self.next_chunk(now_ns) {
            self.show();
        }
        // What lies before was written over.
        age.oldest = age.oldest.max((self.at.chunk + 1).saturating_sub(self.memory.shape().chunks));
        for _ in 0..2 {
            if age.oldest >= self.at.chunk || !self.erase(age.oldest, now_ns.saturating_sub(age.keep_ns)) {
                break;
            }
            age.oldest += 1;
        }
        self.age = Some(age);
    }

    /// Erases a chunk that is full, where its last record is older than that.
    fn erase(&self, number: u64, before_ns: u64) -> bool {
        let (words, head) = (self.memory.words(), self.base + self.memory.shape().chunk(number));
        if words.load(head + chunk::LAST_NS, Ordering::Relaxed) >= before_ns {
            return false;
        }
        // As in `claim`: who copies from there finds this before it finds a byte that is gone.
        words.store(self.base + lane::FORGOTTEN, number + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        let place = words.place(head, CHUNK);
        // SAFETY:
        // - from behind the head to the end of a chunk, which lies in the mapping: `place` has looked. Behind its records there may be
        //   the end of older ones.
        // - a lane has one writer, `&mut self` of the caller, and no reference to a chunk's bytes is held.
        let records = unsafe { place.add(HEAD_LEN) };
        // SAFETY:
        // - the same bytes.
        unsafe { records.write_bytes(0, LEN - HEAD_LEN) };
        true
    }

    /// Closes the chunk that is full and begins the next one. False where that would write over what has not been shown yet.
    #[cold]
    fn next_chunk(&mut self, ns: u64) -> bool {
        let next = self.at.chunk.wrapping_add(1);
        if next.wrapping_sub(self.shown.wrapping_add(1)) >= self.memory.shape().chunks - 1 {
            self.at.full = true;
            return false;
        }
        let (words, memory) = (self.memory.words(), &self.memory);
        if self.at.chunk != u64::MAX {
            let old = self.at.here;
            words.store(old + chunk::LAST_NS, self.at.last_ns, Ordering::Relaxed);
            words.store(old + chunk::END, self.at.offset as u64, Ordering::Relaxed);
        }
        // Who copies from there finds this when it looks, before it finds any byte that is written from now on.
        self.claim(words, next);
        let head = self.base + memory.shape().chunk(next);
        words.store(head + chunk::SELF, next, Ordering::Relaxed);
        words.store(head + chunk::FIRST, self.at.number, Ordering::Relaxed);
        words.store(head + chunk::FIRST_NS, ns, Ordering::Relaxed);
        self.place = words.place(head, CHUNK);
        self.at = Mark { chunk: next, here: head, offset: HEAD_LEN, full: false, ..self.at };
        true
    }

    fn claim(&self, words: &Words, chunk: u64) {
        // After `back_to` a chunk is claimed twice; it is never claimed less.
        let before = words.load(self.base + lane::CLAIMED, Ordering::Relaxed);
        words.store(self.base + lane::CLAIMED, before.max(chunk), Ordering::Relaxed);
        fence(Ordering::Release);
    }
}

/// Nothing more will come.
impl Drop for Writer {
    fn drop(&mut self) {
        self.show();
        self.memory.words().store(self.base + lane::ENDED, 1, Ordering::Release);
    }
}
