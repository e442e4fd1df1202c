//! A record's memory, as the process has it that writes.

use crate::layout::{MAGIC, MOST_LANES, Shape, front};
use crate::words::Words;
use crate::writer::Writer;
use rustix::fs::{MemfdFlags, SealFlags, fallocate, fcntl_add_seals, ftruncate, memfd_create};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A file in memory that this process may write by the mapping that it has, and that nobody can map for writing any more, nor make
/// longer or shorter.
#[derive(Debug)]
pub struct Memory {
    words: Words,
    file: OwnedFd,
    shape: Shape,
    /// Lanes that have a writer.
    taken: AtomicU64,
}

impl Memory {
    /// Makes it, with all its pages, so that who writes waits for none.
    ///
    /// # Errors
    /// The system has not so much memory, or does not know such seals (Linux 5.1).
    pub fn new(shape: Shape) -> io::Result<Arc<Self>> {
        if !shape.is_sound() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a record has 1 to 256 lanes of 4 chunks or more"));
        }
        let file = memfd_create("perigee-record", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&file, shape.bytes())?;
        fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, shape.bytes())?;
        let words = Words::map(file.as_fd(), shape.bytes(), true)?;
        words.populate();
        // Once our mapping is there: the seal forbids all that come later.
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::FUTURE_WRITE | SealFlags::SEAL)?;
        words.store(front::LANES, shape.lanes, Ordering::Relaxed);
        words.store(front::CHUNKS, shape.chunks, Ordering::Relaxed);
        words.store(front::MAGIC, MAGIC, Ordering::Release);
        Ok(Arc::new(Self { words, file, shape, taken: AtomicU64::new(0) }))
    }

    /// What readers are given: they may map it, to read.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The writer of the next lane that has none; `None` where all have one.
    #[must_use]
    pub fn writer(self: &Arc<Self>) -> Option<Writer> {
        let lane = self.taken.fetch_add(1, Ordering::Relaxed);
        (lane < self.shape.lanes).then(|| Writer::new(Arc::clone(self), self.shape.lane(lane)))
    }

    /// Tells a number of place number `place`, beside its packets. Of places that no memory has lanes for nothing is told.
    pub fn tell(&self, place: u64, number: u64) {
        if place < MOST_LANES {
            self.words.store(front::BESIDE + 8 * place, number, Ordering::Relaxed);
        }
    }

    /// How it is divided.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    pub(crate) fn words(&self) -> &Words {
        &self.words
    }
}
