//! Numbers that packets of a stretch have at one place: all of them where they are few, else a Bloom filter (Bloom, "Space/time trade-offs
//! in hash coding with allowable errors", 1970), which never denies a number that was there.

use crate::filter::Question;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher};

/// Fewer are kept as they are: all that one byte can have.
const FEW: usize = 256;
/// Of more than so many nothing is known any more.
const MOST: usize = 16_384;
/// Words of 64 bits that a filter has for so many numbers, at most: 4 KiB.
const MOST_WORDS: usize = 512;
/// Bits of a filter for each number, and how many of them each number sets.
const BITS_EACH: usize = 10;
const PROBES: u32 = 4;

/// What is known of the numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Values {
    Few(Vec<u32>),
    Many(Vec<u64>),
    Any,
}

impl Values {
    /// False where there is none.
    pub(super) fn is_there(&self) -> bool {
        !matches!(self, Self::Few(values) if values.is_empty())
    }

    /// False where none is asked for.
    pub(super) fn may_have(&self, question: &Question) -> bool {
        match self {
            Self::Few(values) => values.iter().any(|value| question.is_answered_by(*value)),
            Self::Many(words) => question.only().is_none_or(|value| has(words, value)),
            Self::Any => true,
        }
    }

    /// Appends it to the bytes of an index.
    pub(super) fn encode(&self, to: &mut Vec<u8>) {
        let mut head = |kind: u8, len: usize| {
            to.push(kind);
            to.extend_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes());
        };
        match self {
            Self::Few(values) => {
                head(0, values.len());
                values.iter().for_each(|value| to.extend_from_slice(&value.to_le_bytes()));
            }
            Self::Many(words) => {
                head(1, words.len());
                words.iter().for_each(|word| to.extend_from_slice(&word.to_le_bytes()));
            }
            Self::Any => head(2, 0),
        }
    }

    /// Takes it off the bytes of an index; `None` where they are none.
    pub(super) fn decode(from: &mut &[u8]) -> Option<Self> {
        let (head, rest) = from.split_first_chunk::<3>()?;
        let len = usize::from(u16::from_le_bytes([head[1], head[2]]));
        *from = rest;
        match head[0] {
            0 if len <= FEW => Some(Self::Few(numbers(from, len, u32::from_le_bytes)?)),
            1 if (1..=MOST_WORDS).contains(&len) => Some(Self::Many(numbers(from, len, u64::from_le_bytes)?)),
            2 if len == 0 => Some(Self::Any),
            _ => None,
        }
    }
}

fn numbers<const N: usize, T>(from: &mut &[u8], len: usize, read: fn([u8; N]) -> T) -> Option<Vec<T>> {
    let (bytes, rest) = from.split_at_checked(len * N)?;
    *from = rest;
    Some(bytes.as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect())
}

/// The bits of a number in a filter of so many words. The same in every process: it is written down.
fn bits(value: u32, words: usize) -> impl Iterator<Item = (usize, u64)> {
    let mixed = mix(u64::from(value) ^ 0x9e37_79b9_7f4a_7c15);
    let (first, step) = (mixed >> 32, mixed | 1);
    (0..PROBES).map(move |n| {
        let place = first.wrapping_add(step.wrapping_mul(n.into())) & 0xffff_ffff;
        let bit = (place * (words as u64 * 64)) >> 32;
        (usize::try_from(bit / 64).unwrap_or(0), 1 << (bit % 64))
    })
}

fn has(words: &[u64], value: u32) -> bool {
    bits(value, words.len()).all(|(word, bit)| words.get(word).is_none_or(|found| found & bit != 0))
}

/// The finalizer of SplitMix64: every bit of the result depends on every bit of the number.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Collects numbers, packet by packet.
#[derive(Debug)]
pub(super) struct Seen {
    values: HashSet<u32, Keyed>,
    /// Most packets have what the one before had.
    last: Option<u32>,
}

impl Seen {
    pub(super) fn new(key: Keyed) -> Self {
        Self { values: HashSet::with_hasher(key), last: None }
    }

    #[inline]
    pub(super) fn insert(&mut self, value: u32) {
        if self.last != Some(value) {
            self.last = Some(value);
            if self.values.len() <= MOST {
                self.values.insert(value);
            }
        }
    }

    /// What was seen; the next stretch begins with nothing.
    pub(super) fn take(&mut self) -> Values {
        self.last = None;
        let values = match self.values.len() {
            len if len <= FEW => {
                let mut values: Vec<u32> = self.values.iter().copied().collect();
                values.sort_unstable();
                Values::Few(values)
            }
            len if len <= MOST => {
                let mut words = vec![0; (len * BITS_EACH).div_ceil(64).min(MOST_WORDS)];
                for value in &self.values {
                    let len = words.len();
                    bits(*value, len).for_each(|(word, bit)| words[word] |= bit);
                }
                Values::Many(words)
            }
            _ => Values::Any,
        };
        self.values.clear();
        values
    }
}

/// Hashes with a number that nobody outside knows: those who send packets choose the numbers in them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keyed(u64);

impl Keyed {
    pub(super) fn new() -> Self {
        Self(std::hash::RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Keyed {
    type Hasher = Mixer;

    fn build_hasher(&self) -> Mixer {
        Mixer(self.0)
    }
}

/// See [`Keyed`].
#[derive(Debug)]
pub(super) struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = mix(self.0 ^ u64::from(*byte)));
    }

    fn write_u32(&mut self, value: u32) {
        self.0 = mix(self.0 ^ u64::from(value));
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn of(values: impl Iterator<Item = u32>) -> Values {
        let mut seen = Seen::new(Keyed::new());
        values.for_each(|value| seen.insert(value));
        seen.take()
    }

    #[test]
    fn a_filter_denies_nothing_that_was_there_and_most_of_the_rest() {
        for count in [257_u32, 1_000, 3_000] {
            let Values::Many(words) = of((0..count).map(|n| n * 7)) else { panic!("few") };
            assert!((0..count).all(|n| has(&words, n * 7)));
            let wrong = (0..10_000).filter(|n| has(&words, n * 7 + 1)).count();
            assert!(wrong < 400, "{count}: {wrong} of 10,000 are taken for seen");
        }
        assert_eq!(of(0..20_000), Values::Any);
        assert_eq!(of([3, 1, 3].into_iter()), Values::Few(vec![1, 3]));
        assert!(!of(std::iter::empty()).is_there());
    }

    #[test]
    fn bytes_are_read_as_they_were_written_and_nothing_else_is() {
        for values in [of(0..5), of(0..300), of(0..20_000), of(0..0)] {
            let mut bytes = Vec::new();
            values.encode(&mut bytes);
            assert_eq!(Values::decode(&mut &bytes[..]), Some(values));
            for len in 0..bytes.len() {
                assert_eq!(Values::decode(&mut &bytes[..len]), None, "{len} bytes of {}", bytes.len());
            }
        }
        for bad in [[0, 1, 1], [1, 0, 0], [1, 1, 2], [2, 1, 0], [3, 0, 0]] {
            assert_eq!(Values::decode(&mut &[&bad[..], &[0; 9_000]].concat()[..]), None, "{bad:?}");
        }
    }
}
