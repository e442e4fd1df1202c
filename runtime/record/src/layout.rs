//! What lies where in a record's memory. All numbers are little-endian words of 8 bytes, at multiples of 8.
//!
//! The first page says what the others are. Each lane has a page of its own for what its writer tells, and then its chunks.

/// Bytes of a chunk.
pub const CHUNK: u64 = 64 << 10;
/// Most bytes of a record, without its head.
pub const MOST_BYTES: u16 = 65_408;
/// Most lanes of a memory.
pub const MOST_LANES: u64 = 256;
/// Fewest chunks of a lane: one is written, one was just written, and a reader is somewhere in the others.
pub(crate) const FEWEST_CHUNKS: u64 = 4;

pub(crate) const PAGE: u64 = 4_096;
/// "perigee", and the version of this layout.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"perigee\x02");

/// The first page: words.
pub(crate) mod front {
    pub(crate) const MAGIC: u64 = 0;
    pub(crate) const LANES: u64 = 8;
    pub(crate) const CHUNKS: u64 = 16;
    /// The first of as many words as there may be lanes: what else is told of each place.
    pub(crate) const BESIDE: u64 = 1_024;
}

const _: () = assert!(front::BESIDE + 8 * MOST_LANES <= PAGE);

/// A lane's page: words. What is written for each chunk and what for each burst lie in lines of the cache of their own.
pub(crate) mod lane {
    /// The number of the chunk that is being written: what was in its place before is gone.
    pub(crate) const CLAIMED: u64 = 0;
    /// Up to where records are whole: the number of a chunk times its length, and an offset in it.
    pub(crate) const WRITTEN: u64 = 64;
    /// How many records there are until then; the number of the next one.
    pub(crate) const NUMBER: u64 = 72;
    /// Packets that have passed the place.
    pub(crate) const SEEN: u64 = 80;
    /// Those of them that a filter has refused.
    pub(crate) const REFUSED: u64 = 88;
    /// The time of the last record until then.
    pub(crate) const SHOWN_NS: u64 = 104;
    /// 1: nothing more will come.
    pub(crate) const ENDED: u64 = 96;
    /// The number of the oldest chunk that was not forgotten for its age. On a line of its own: it is written seldom, and read for each chunk.
    pub(crate) const FORGOTTEN: u64 = 128;
}

/// A chunk's head: words.
pub(crate) mod chunk {
    /// Its own number, counted from 0 without end.
    pub(crate) const SELF: u64 = 0;
    /// The number of its first record.
    pub(crate) const FIRST: u64 = 8;
    /// The time of its first record, and of its last, where it is full.
    pub(crate) const FIRST_NS: u64 = 16;
    pub(crate) const LAST_NS: u64 = 24;
    /// Where its records end, where it is full.
    pub(crate) const END: u64 = 32;
    /// Bytes of the head.
    pub(crate) const LEN: u64 = 64;
}

/// Bytes of a record's head: a word for its time, and one for its lengths and small numbers.
const HEAD: usize = 16;

const _: () = assert!(chunk::LEN + HEAD as u64 + (MOST_BYTES as u64).next_multiple_of(8) <= CHUNK);

/// The same of a chunk and of its head, as offsets in it.
pub(crate) const LEN: usize = 64 << 10;
pub(crate) const HEAD_LEN: usize = 64;
const _: () = assert!(LEN as u64 == CHUNK && HEAD_LEN as u64 == chunk::LEN);

/// How a memory is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many lanes it has.
    pub lanes: u64,
    /// How many chunks each of them has.
    pub chunks: u64,
}

impl Shape {
    /// Divides so many bytes among lanes. Where they are too few, the error is how many it takes.
    ///
    /// # Errors
    /// The fewest bytes that so many lanes need.
    pub fn of(bytes: u64, lanes: u64) -> Result<Self, u64> {
        let lanes = lanes.clamp(1, MOST_LANES);
        let chunks = (bytes.saturating_sub(PAGE) / lanes).saturating_sub(PAGE) / CHUNK;
        let shape = Self { lanes, chunks };
        if chunks < FEWEST_CHUNKS { Err(Self { lanes, chunks: FEWEST_CHUNKS }.bytes()) } else { Ok(shape) }
    }

    /// Bytes in all.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        PAGE + self.lanes * self.stride()
    }

    /// Whether a memory can be so divided, whoever says so.
    pub(crate) fn is_sound(&self) -> bool {
        (1..=MOST_LANES).contains(&self.lanes) && (FEWEST_CHUNKS..1 << 32).contains(&self.chunks)
    }

    /// Where a lane begins.
    pub(crate) fn lane(&self, lane: u64) -> u64 {
        PAGE + lane * self.stride()
    }

    /// Where a chunk lies in its lane.
    pub(crate) fn chunk(&self, number: u64) -> u64 {
        PAGE + number % self.chunks * CHUNK
    }

    fn stride(&self) -> u64 {
        PAGE + self.chunks * CHUNK
    }
}

/// The second word of a record's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) original: u32,
    pub(crate) captured: u16,
    pub(crate) cause: u8,
    pub(crate) flags: u8,
}

impl Facts {
    #[inline]
    pub(crate) fn word(self) -> u64 {
        u64::from(self.original)
            | u64::from(self.captured) << 32
            | u64::from(self.cause) << 48
            | u64::from(self.flags) << 56
    }

    #[inline]
    pub(crate) fn of(word: u64) -> Self {
        let [o0, o1, o2, o3, c0, c1, cause, flags] = word.to_le_bytes();
        Self { original: u32::from_le_bytes([o0, o1, o2, o3]), captured: u16::from_le_bytes([c0, c1]), cause, flags }
    }

    /// Bytes of the record with its head.
    #[inline]
    pub(crate) fn size(captured: u16) -> usize {
        HEAD + usize::from(captured).next_multiple_of(8)
    }
}
