//! Writing past the page cache (O_DIRECT). The kernel takes whole blocks only, at places and from addresses that are multiples of a block.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// What all of these must be multiples of: no disk has larger blocks, and pages of the cache are as large.
pub(super) const BLOCK: usize = 4_096;
/// As many bytes are written at once.
const CHUNK: usize = 1 << 20;

/// A way to a file's blocks.
#[derive(Debug)]
pub(super) struct Direct {
    file: File,
    /// A chunk, which begins at the first address in it that the kernel takes.
    buffer: Vec<u8>,
}

impl Direct {
    /// To a file that is open already; `None` where its file system knows no such way.
    pub(super) fn open(path: &Path, same: &File) -> Option<Self> {
        let mut options = OpenOptions::new();
        options.write(true).custom_flags(libc::O_NOFOLLOW | libc::O_DIRECT);
        let file = options.open(path).ok()?;
        let (found, known) = (file.metadata().ok()?, same.metadata().ok()?);
        let is_same = (found.dev(), found.ino()) == (known.dev(), known.ino());
        is_same.then(|| Self { file, buffer: vec![0; CHUNK + BLOCK] })
    }

    /// Writes whole blocks at a place that is a multiple of a block.
    ///
    /// # Errors
    /// The system's: what is there of them then is not known.
    pub(super) fn write(&mut self, blocks: &[u8], mut at: u64) -> io::Result<()> {
        let begin = self.buffer.as_ptr().align_offset(BLOCK);
        for chunk in blocks.chunks(CHUNK) {
            let range = begin..begin + chunk.len();
            let aligned = self.buffer.get_mut(range).ok_or(io::ErrorKind::InvalidInput)?;
            aligned.copy_from_slice(chunk);
            self.file.write_all_at(aligned, at)?;
            at += chunk.len() as u64;
        }
        Ok(())
    }
}
