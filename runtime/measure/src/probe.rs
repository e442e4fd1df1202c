//! What makes a frame a probe: its last 32 bytes. They are found in any stack of headers, with tags and tunnels.
//!
//! ```text
//!  0      4     6           8       10      16         24         32
//!  check  tag   complement  stream  late    sequence   intended        in network byte order
//! ```
//!
//! - `tag` is the same in all probes of a run. It is looked at first, and tells nearly all strangers by one comparison.
//! - `check` is a keyed hash of the fields behind `complement`. Right tag and wrong check: the probe was **corrupted** on its way.
//!   The key is drawn for each run. It keeps strangers and probes of other runs apart. It is no authentication: the hash is a fast
//!   one, and whoever sees probes can find the key.
//! - `complement` makes the one's complement sum of the 32 bytes what it was before they were written (the idea of RFC 7820). So
//!   checksums of UDP, TCP and ICMPv6 that were right stay right, and none is computed. This holds at even and at odd offsets:
//!   there each byte pair counts with its bytes swapped, which multiplies both sums by 256 modulo 65,535. A flipped bit in this
//!   field itself changes nothing else and is not noticed here.
//! - `stream` is the number of the flow in the run's table of flows.
//! - `late` is how long after its intended time the frame left, in nanoseconds, signed: negative where it left early.
//! - `sequence` counts the flow's probes from 0, without gaps.
//! - `intended` is when it should have left, in nanoseconds of the run's clock.
//!
//! **Where the 32 bytes must lie.** All inside of what a checksum covers, or all outside. They are the end of the *frame*, so the
//! frame must be as long as its headers say: bytes behind the IP packet's end are padding to a router, which drops them. A frame
//! that is shorter than the link's minimum (60 bytes without the frame check sequence) is padded by the port that sends it, and
//! the probe is not at its end any more. The same happens where a device takes off a tag of a frame of 60 bytes and fills it up
//! again, or puts a trailer of its own behind it. Such probes arrive as foreign frames, and are lost: as many foreign as lost tells
//! of it. Frames of 64 bytes or more, whose IP length fills them, are safe from all but trailers.

/// Bytes of a probe, at the end of its frame.
pub const LEN: usize = 32;

/// Where its tag is among these bytes.
pub const TAG: usize = 4;

/// Bytes of the shortest frame that may be a probe: an Ethernet header, and the probe.
pub const LEAST_FRAME: usize = 14 + LEN;

/// The most that `late` holds, nanoseconds: 39 hours. What is later or earlier is written as this.
const MOST_LATE: i64 = (1 << 47) - 1;

/// What tells the probes of a run from everything else.
#[derive(Clone, Copy)]
pub struct Key {
    tag: u16,
    words: [u64; 4],
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

impl Key {
    /// From numbers that were drawn for this run; in a simulation, from its seed.
    pub fn new(words: [u64; 4]) -> Self {
        let [a, b, c, d] = words;
        let mixed = fold(fold(a ^ 0x9e37_79b9_7f4a_7c15, b ^ 0xd1b5_4a32_d192_ed03), fold(c, d) ^ a);
        // What empty and filled payloads are made of is no tag.
        let tags = [mixed, mixed >> 16, mixed >> 32, 0x5ea7].map(|tag| (tag & 0xffff) as u16);
        let tag = tags.into_iter().find(|tag| tag >> 8 != tag & 0xff).unwrap_or(0x5ea7);
        Self { tag, words }
    }

    /// The tag's bytes, as they stand in a frame at [`TAG`] of its last [`LEN`].
    pub fn tag(&self) -> [u8; 2] {
        self.tag.to_be_bytes()
    }

    /// The keyed hash of the three words behind the complement.
    #[inline]
    fn check(&self, origin: u64, sequence: u64, intended: u64) -> u32 {
        let [a, b, c, d] = self.words;
        let hash = fold(intended ^ c, fold(origin ^ a, sequence ^ b) ^ d);
        (hash >> 32) as u32
    }
}

/// Both halves of a product of 128 bits, folded into 64.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the halves of a product")]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// What a probe says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The number of its flow.
    pub flow: u16,
    /// Its number in the flow, from 0.
    pub sequence: u64,
    /// When it should have left, nanoseconds of the run's clock.
    pub intended: u64,
    /// How long after that it left, nanoseconds; negative where it left early. At most 39 hours either way.
    pub late: i64,
}

impl Probe {
    /// A probe that should have left at `intended` and leaves at `real`, nanoseconds of the run's clock.
    #[inline]
    pub fn new(flow: u16, sequence: u64, intended: u64, real: u64) -> Self {
        let late = real.wrapping_sub(intended).cast_signed().clamp(-MOST_LATE, MOST_LATE);
        Self { flow, sequence, intended, late }
    }

    /// When it left, nanoseconds of the run's clock.
    #[inline]
    pub fn real(&self) -> u64 {
        // Of a probe that was made by `new` this is a time: it neither begins before 0 nor ends after what a number holds.
        self.intended.wrapping_add_signed(self.late)
    }

    /// Flow and lateness in one word.
    #[inline]
    fn origin(&self) -> u64 {
        u64::from(self.flow) << 48 | (self.late.cast_unsigned() & 0xffff_ffff_ffff)
    }
}

/// What the end of a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A probe of this run.
    Probe(Probe),
    /// No probe of this run.
    Foreign,
    /// The tag of this run, with fields that are not as they were sent: these.
    Corrupted(Probe),
}

/// The end of a frame, as four words of memory: the first of its bytes is the lowest of the first one. So it is read from a frame, changed
/// and written back without a buffer in between.
pub type Tail = [u64; 4];

/// The end of a frame that is a probe, where it was `tail` before: the sum of the bytes stays what it was.
#[inline]
pub fn written(tail: Tail, probe: &Probe, key: &Key) -> Tail {
    let (origin, sequence, intended) = (probe.origin(), probe.sequence, probe.intended);
    let check = key.check(origin, sequence, intended);
    let head = u64::from(check) << 32 | u64::from(key.tag) << 16;
    // In memory's order all words count alike; the complement is the last of the first four byte pairs.
    let mut new = [head, origin, sequence, intended].map(u64::to_be);
    let missing = plus(sum(tail), !sum(new));
    new[0] |= u64::from(fold_sum(missing)) << 48;
    new
}

/// The end of a frame without the probe that was written when the frame's memory was used last. The sum of the bytes stays what it
/// was. As it is where there is no probe of this run.
#[inline]
pub fn erased(tail: Tail, key: &Key) -> Tail {
    if is_tagged(tail, key) { [u64::from(fold_sum(sum(tail))) << 48, 0, 0, 0] } else { tail }
}

/// Whether the end of a frame has this run's tag. Where it does not, the frame is foreign.
#[inline]
fn is_tagged(tail: Tail, key: &Key) -> bool {
    let [.., high, low, _, _] = tail[0].to_le_bytes();
    u16::from_be_bytes([high, low]) == key.tag
}

/// Reads the end of a frame.
#[inline]
pub fn read(tail: Tail, key: &Key) -> Seen {
    if !is_tagged(tail, key) {
        return Seen::Foreign;
    }
    let [head, origin, sequence, intended] = tail.map(u64::from_be);
    let late = (origin << 16).cast_signed() >> 16;
    let probe = Probe { flow: (origin >> 48) as u16, sequence, intended, late };
    let is_right = (head >> 32) as u32 == key.check(origin, sequence, intended);
    if is_right { Seen::Probe(probe) } else { Seen::Corrupted(probe) }
}

/// The bytes of the end of a frame.
#[inline]
pub fn bytes(tail: Tail) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(tail) {
        *place = word.to_le_bytes();
    }
    bytes
}

/// The end of a frame whose last bytes these are.
#[inline]
pub fn words(bytes: &[u8; LEN]) -> Tail {
    let (chunks, _) = bytes.as_chunks::<8>();
    [0, 1, 2, 3].map(|i| u64::from_le_bytes(chunks[i]))
}

/// One's complement sum of words.
#[inline]
fn sum([a, b, c, d]: [u64; 4]) -> u64 {
    plus(plus(a, b), plus(c, d))
}

/// One's complement sum.
#[inline]
fn plus(a: u64, b: u64) -> u64 {
    let (sum, carry) = a.overflowing_add(b);
    sum + u64::from(carry)
}

/// A sum of words as a sum of byte pairs: adding a number to itself with its halves exchanged leaves the sum of both halves,
/// carry and all, in the upper one.
#[inline]
fn fold_sum(sum: u64) -> u16 {
    let half = (sum.wrapping_add(sum.rotate_left(32)) >> 32) as u32;
    (half.wrapping_add(half.rotate_left(16)) >> 16) as u16
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    const KEY: [u64; 4] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 7, 0x1111_2222_3333_4444];

    fn some() -> Probe {
        Probe::new(3, 0x0102_0304_0506_0708, 5_000_000_000, 5_000_000_123)
    }

    #[test]
    fn what_is_left_of_a_probe_is_taken_out_and_the_sum_stays() {
        let key = Key::new(KEY);
        let bytes: [u8; LEN] = std::array::from_fn(|at| u8::try_from(at * 7).unwrap());
        let before = words(&bytes);
        assert_eq!(erased(before, &key), before);
        let after = erased(written(before, &some(), &key), &key);
        assert_eq!((read(after, &key), fold_sum(sum(after))), (Seen::Foreign, fold_sum(sum(before))));
    }

    #[test]
    fn the_layout_is_what_the_page_says() {
        let key = Key::new(KEY);
        let bytes = bytes(written([0; 4], &some(), &key));
        assert_eq!(bytes[4..6], key.tag.to_be_bytes());
        assert_eq!(bytes[8..10], [0, 3]);
        assert_eq!(bytes[10..16], [0, 0, 0, 0, 0, 123]);
        assert_eq!(bytes[16..24], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(bytes[24..32], 5_000_000_000_u64.to_be_bytes());
        assert_eq!(read(words(&bytes), &key), Seen::Probe(some()));
        assert_eq!(some().real(), 5_000_000_123);
    }

    #[test]
    fn each_flipped_bit_is_noticed() {
        let key = Key::new(KEY);
        let bytes = bytes(written(words(&[0x5a; LEN]), &some(), &key));
        for bit in 0..256 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            match (bit / 8, read(words(&flipped), &key)) {
                (4 | 5, seen) => assert_eq!(seen, Seen::Foreign),
                (6 | 7, seen) => assert_eq!(seen, Seen::Probe(some())),
                (_, seen) => assert!(matches!(seen, Seen::Corrupted(_)), "bit {bit}: {seen:?}"),
            }
        }
    }

    #[test]
    fn another_run_and_plain_payloads_are_foreign() {
        let (key, other) = (Key::new(KEY), Key::new([1, 2, 3, 4]));
        assert_eq!(read(written([0; 4], &some(), &other), &key), Seen::Foreign);
        for seed in 0..5_000 {
            let key = Key::new([seed, seed + 1, seed * 77, 9]);
            for fill in [0, 0xff, 0x5a, 0xaa] {
                assert_eq!(read(words(&[fill; LEN]), &key), Seen::Foreign);
            }
        }
    }

    #[test]
    fn lateness_saturates_and_may_be_negative() {
        assert_eq!(Probe::new(0, 0, 1_000, 400).late, -600);
        assert_eq!(Probe::new(0, 0, 1_000, 400).real(), 400);
        assert_eq!(Probe::new(0, 0, 0, 1 << 60).late, MOST_LATE);
        assert_eq!(Probe::new(0, 0, 1 << 60, 0).late, -MOST_LATE);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            words: [u64; 4], tail: Tail, flow: u16, sequence: u64, intended: u64, late in -MOST_LATE..=MOST_LATE,
        ) {
            let (key, probe) = (Key::new(words), Probe { flow, sequence, intended, late });
            prop_assert_eq!(read(written(tail, &probe, &key), &key), Seen::Probe(probe));
        }
    }
}
