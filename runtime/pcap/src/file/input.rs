//! Bytes of a file, of which no more are read than there are.

use std::io::{ErrorKind, Read, Seek};

/// The order of the bytes in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// The number at that place; whoever asks has looked at the length.
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> u16 {
        let bytes = array(bytes, at);
        if self == Self::Big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    pub(super) fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let bytes = array(bytes, at);
        if self == Self::Big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    pub(super) fn i64(self, bytes: &[u8], at: usize) -> i64 {
        let bytes = array(bytes, at);
        if self == Self::Big { i64::from_be_bytes(bytes) } else { i64::from_le_bytes(bytes) }
    }
}

/// The bytes at that place, or zeros where there are none.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let piece = at.checked_add(N).and_then(|end| bytes.get(at..end));
    piece.and_then(|piece| piece.try_into().ok()).unwrap_or([0; N])
}

/// A file that is read from its beginning to its end.
#[derive(Debug)]
pub(super) struct Input<R> {
    from: R,
    at: u64,
    len: u64,
}

impl<R: Seek> Input<R> {
    /// Begins again.
    pub(super) fn rewind(&mut self) -> Result<(), String> {
        self.at = 0;
        self.from.rewind().map_err(|e| e.to_string())
    }
}

impl<R: Read> Input<R> {
    /// A file of `len` bytes.
    pub(super) fn new(from: R, len: u64) -> Self {
        Self { from, at: 0, len }
    }

    /// How many bytes were read.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// How many are left.
    pub(super) fn left(&self) -> u64 {
        self.len - self.at
    }

    /// Reads `n` bytes in place of what `to` has; false where fewer are left.
    pub(super) fn read(&mut self, n: u64, to: &mut Vec<u8>) -> Result<bool, String> {
        to.clear();
        let Some(len) = usize::try_from(n).ok().filter(|_| n <= self.left()) else { return Ok(false) };
        to.resize(len, 0);
        self.exactly(to)
    }

    /// Fills what is no longer than what is left.
    fn exactly(&mut self, to: &mut [u8]) -> Result<bool, String> {
        match self.from.read_exact(to) {
            Ok(()) => {
                self.at += to.len() as u64;
                Ok(true)
            }
            // It has become shorter.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                self.len = self.at;
                Ok(false)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Reads so many bytes; `None` where fewer are left.
    pub(super) fn array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, String> {
        let mut bytes = [0; N];
        if (N as u64) > self.left() {
            return Ok(None);
        }
        self.exactly(&mut bytes).map(|whole| whole.then_some(bytes))
    }

    /// Passes over `n` bytes; false where fewer are left.
    pub(super) fn skip(&mut self, n: u64) -> Result<bool, String> {
        if n > self.left() {
            return Ok(false);
        }
        let skipped = std::io::copy(&mut (&mut self.from).take(n), &mut std::io::sink()).map_err(|e| e.to_string())?;
        self.at += skipped;
        if skipped < n {
            self.len = self.at;
        }
        Ok(skipped == n)
    }
}
