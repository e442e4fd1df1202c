//! A record's memory, as a process has it that reads. What is in it is not believed: it may be another program's.

use crate::layout::{MAGIC, MOST_LANES, Shape, front};
use crate::reader::Reader;
use crate::words::Words;
use rustix::fs::{SealFlags, fcntl_get_seals, fstat};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A memory that is read.
#[derive(Debug)]
pub struct Map {
    words: Words,
    shape: Shape,
}

impl Map {
    /// Maps what a writer's descriptor leads to.
    ///
    /// # Errors
    /// It is no memory of a record, or one that could become shorter, which would end who reads it.
    pub fn new(file: BorrowedFd<'_>) -> io::Result<Arc<Self>> {
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("no memory of a record: {what}"));
        let seals = fcntl_get_seals(file.as_fd()).map_err(|_| wrong("it has no seals"))?;
        if !seals.contains(SealFlags::SHRINK) {
            return Err(wrong("it could become shorter"));
        }
        let len = u64::try_from(fstat(file)?.st_size).unwrap_or(0);
        if len < crate::layout::PAGE {
            return Err(wrong("it is too short"));
        }
        let words = Words::map(file, len, false)?;
        if words.load(front::MAGIC, Ordering::Acquire) != MAGIC {
            return Err(wrong("it is of another version"));
        }
        let load = |at| words.load(at, Ordering::Relaxed);
        let shape = Shape { lanes: load(front::LANES), chunks: load(front::CHUNKS) };
        if !shape.is_sound() || shape.bytes() != len {
            return Err(wrong("its length is not what it says"));
        }
        Ok(Arc::new(Self { words, shape }))
    }

    /// How it is divided.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// What was told of a place beside its packets; 0 where nothing was.
    #[must_use]
    pub fn told(&self, place: u64) -> u64 {
        if place < MOST_LANES { self.words.load(front::BESIDE + 8 * place, Ordering::Relaxed) } else { 0 }
    }

    /// A reader of a lane, at its first record; `None` where there is no such lane.
    #[must_use]
    pub fn reader(self: &Arc<Self>, lane: u64) -> Option<Reader> {
        (lane < self.shape.lanes).then(|| Reader::new(Arc::clone(self), lane))
    }

    pub(crate) fn words(&self) -> &Words {
        &self.words
    }
}
