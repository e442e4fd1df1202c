//! Bytes of a file, of which no more are read than there are.

use std::io::{ErrorKind, Read};

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

/// A file that is read from its beginning to its end, or a stream, whose end nobody knows before it comes.
#[derive(Debug)]
pub(super) struct Input<R> {
    from: R,
    at: u64,
    len: u64,
    /// Bytes that come once more before those of `from`.
    again: Vec<u8>,
    /// Bytes at the very end that were less than was asked for.
    rest: u64,
}

impl<R: Read> Input<R> {
    /// A file of `len` bytes; at most so many are read of it.
    pub(super) fn new(from: R, len: u64) -> Self {
        Self { from, at: 0, len, again: Vec::new(), rest: 0 }
    }

    /// Begins again; what was read so far is in `bytes`.
    pub(super) fn again(&mut self, bytes: &[u8]) {
        self.at = 0;
        self.again = bytes.to_vec();
    }

    /// How many bytes were read.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// How many are left; of a stream at least so many, as far as is known.
    pub(super) fn left(&self) -> u64 {
        self.len - self.at
    }

    /// Whether it has ended, and all its bytes were read.
    pub(super) fn is_over(&self) -> bool {
        self.left() == 0 && self.rest == 0
    }

    /// Reads `n` bytes in place of what `to` has; false where fewer are left, which are in it then as far as they were read.
    pub(super) fn read(&mut self, n: u64, to: &mut Vec<u8>) -> Result<bool, String> {
        to.clear();
        let Some(len) = usize::try_from(n).ok().filter(|_| n <= self.left()) else { return Ok(false) };
        to.resize(len, 0);
        let filled = self.fill(to)?;
        to.truncate(filled);
        Ok(filled == len)
    }

    /// Fills what is no longer than what is left; how far that went.
    fn fill(&mut self, to: &mut [u8]) -> Result<usize, String> {
        let mut filled = self.again.len().min(to.len());
        to[..filled].copy_from_slice(&self.again[..filled]);
        self.again.drain(..filled);
        while filled < to.len() {
            match self.from.read(&mut to[filled..]) {
                // A file has become shorter, a stream is over.
                Ok(0) => {
                    (self.len, self.rest) = (self.at, filled as u64);
                    return Ok(filled);
                }
                Ok(n) => filled += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        self.at += filled as u64;
        Ok(filled)
    }

    /// Reads so many bytes; `None` where fewer are left.
    pub(super) fn array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, String> {
        let mut bytes = [0; N];
        if (N as u64) > self.left() {
            return Ok(None);
        }
        Ok((self.fill(&mut bytes)? == N).then_some(bytes))
    }

    /// Passes over `n` bytes; false where fewer are left.
    pub(super) fn skip(&mut self, n: u64) -> Result<bool, String> {
        if n > self.left() {
            return Ok(false);
        }
        let again = self.again.len().min(usize::try_from(n).unwrap_or(usize::MAX));
        self.again.drain(..again);
        let rest = n - again as u64;
        let skipped =
            std::io::copy(&mut (&mut self.from).take(rest), &mut std::io::sink()).map_err(|e| e.to_string())?;
        self.at += again as u64 + skipped;
        if skipped < rest {
            self.len = self.at;
        }
        Ok(skipped == rest)
    }
}
