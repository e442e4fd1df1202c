//! Reads an index. It may be anybody's: no length is believed before it was compared with what may be, and nothing in it is obeyed but
//! where to read in a file.

use super::sketch::Sketch;
use super::{HEAD, MAGIC, MOST, checksum, modified_ns, path};
use crate::filter::Program;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

/// Why a file is read as if it had no index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// There is none.
    Missing,
    /// The file is another one now, or was changed since.
    Stale,
    /// It is no index, or is not whole.
    Damaged,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "has no index",
            Self::Stale => "was changed, or copied without its time, since its index was made",
            Self::Damaged => "has an index that is damaged",
        })
    }
}

/// A stretch of a file, and what is known of its packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Where it begins and ends in the file.
    pub begin: u64,
    /// Its end.
    pub end: u64,
    /// Packets in it.
    pub packets: u64,
    /// The times of the first and of the last of them, in nanoseconds since 1970.
    pub first_ns: u64,
    /// The last.
    pub last_ns: u64,
    sketch: Sketch,
}

impl Stretch {
    /// Whether a filter could take one of its packets. False is certain.
    pub fn may_pass(&self, program: &Program) -> bool {
        self.sketch.may_pass(program)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, sketch) = bytes.split_at_checked(HEAD)?;
        let mut numbers = head.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
        let mut number = || numbers.next();
        let (begin, end, packets) = (number()?, number()?, number()?);
        let (first_ns, last_ns) = (number()?, number()?);
        Some(Self { begin, end, packets, first_ns, last_ns, sketch: Sketch::decode(sketch)? })
    }
}

/// An index that is read stretch by stretch.
#[derive(Debug)]
pub struct Index {
    from: BufReader<File>,
    /// What the file is that it should be of.
    facts: [u64; 2],
    /// Where the next stretch begins at least.
    at: u64,
    bytes: Vec<u8>,
}

impl Index {
    /// Opens the index of a file.
    ///
    /// # Errors
    /// There is none, or no index is there.
    pub fn open(of: &Path, metadata: &Metadata) -> Result<Self, Unusable> {
        let file = match File::open(path(of)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(Unusable::Missing),
            file => file.map_err(|_| Unusable::Damaged)?,
        };
        if !file.metadata().is_ok_and(|found| found.is_file()) {
            return Err(Unusable::Damaged);
        }
        let facts = [metadata.len(), modified_ns(metadata)];
        let mut this = Self { from: BufReader::new(file), facts, at: 0, bytes: Vec::new() };
        if this.array::<8>()? == MAGIC { Ok(this) } else { Err(Unusable::Damaged) }
    }

    /// The next stretch; `None` behind the last one, where the index was found to be whole, and of this file.
    ///
    /// # Errors
    /// It is not: what came before is not to be believed either.
    pub fn next_stretch(&mut self) -> Result<Option<Stretch>, Unusable> {
        let len = u32::from_le_bytes(self.array()?);
        if len == 0 {
            let facts = self.array::<16>()?;
            let sum = u64::from_le_bytes(self.array()?);
            let is_end = self.from.read(&mut [0]).is_ok_and(|n| n == 0);
            return match is_end && sum == checksum(&facts) {
                true if facts[..] == self.facts.map(u64::to_le_bytes).concat() => Ok(None),
                true => Err(Unusable::Stale),
                false => Err(Unusable::Damaged),
            };
        }
        if len > MOST {
            return Err(Unusable::Damaged);
        }
        self.bytes.resize(len as usize, 0);
        self.from.read_exact(&mut self.bytes).map_err(|_| Unusable::Damaged)?;
        let sum = u64::from_le_bytes(self.array()?);
        let stretch = Stretch::decode(&self.bytes).filter(|_| sum == checksum(&self.bytes));
        let stretch = stretch.filter(|stretch| self.at <= stretch.begin && stretch.begin < stretch.end);
        let stretch = stretch.ok_or(Unusable::Damaged)?;
        self.at = stretch.end;
        Ok(Some(stretch))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unusable> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes).map_err(|_| Unusable::Damaged)?;
        Ok(bytes)
    }
}
