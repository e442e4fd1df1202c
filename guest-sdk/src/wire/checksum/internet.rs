//! The Internet checksum (RFC 1071) and its change by parts (RFC 1624).
//!
//! Sums are of 16-bit words in network order. A sum of 32 bits is unfolded: 65,536 words fit into it.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use crate::raw;

/// Data shorter than this is not worth a loop over vectors.
const SHORT: usize = 32;

/// The sum of the words of `data`, folded: at most 0xffff. A last odd byte counts as the upper half of a word.
///
/// It is 0 only if all of `data` is.
#[inline]
#[must_use]
pub fn sum(data: &[u8]) -> u32 {
    // The sum of words in the machine's order is the sum of words in network order with its bytes swapped (RFC 1071,
    // section 2 (B)): so bytes are swapped once, not in each word.
    let sum = if data.len() < SHORT { sum_short(data) } else { sum_long(data) };
    u32::from(fold64(sum).to_be())
}

/// The words in the machine's order, four bytes at once: the carry of one word into the other is one that folding does
/// anyway. Where the length is known to the compiler, as for a header, no loop is left of it.
#[inline(always)]
fn sum_short(data: &[u8]) -> u64 {
    let (chunks, rest) = data.as_chunks::<4>();
    let last = match *rest {
        [a, b, c] => [a, b, c, 0],
        [a, b] => [a, b, 0, 0],
        [a] => [a, 0, 0, 0],
        _ => [0; 4],
    };
    chunks.iter().chain([&last]).map(|chunk| u64::from(u32::from_ne_bytes(*chunk))).sum()
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
fn sum_long(data: &[u8]) -> u64 {
    raw::sum_words(data)
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(never)]
fn sum_long(data: &[u8]) -> u64 {
    sum_short(data)
}

/// The sum of what stands before UDP, TCP and ICMPv6 for their checksums: addresses, protocol, length.
#[inline]
#[must_use]
pub fn pseudo_header(source: &[u8], destination: &[u8], protocol: u8, len: usize) -> u32 {
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    sum(source) + sum(destination) + u32::from(protocol) + (len >> 16) + (len & 0xffff)
}

/// Folds a sum to 16 bits.
#[inline]
#[must_use]
#[allow(clippy::cast_possible_truncation, reason = "16 bits are left after the shift")]
pub const fn fold(sum: u32) -> u16 {
    // Both halves are added in both halves: the lower one's carry into the upper one is the end-around carry.
    (sum.wrapping_add(sum.rotate_left(16)) >> 16) as u16
}

/// The checksum that stands in the header for a sum.
#[inline]
#[must_use]
pub const fn finish(sum: u32) -> u16 {
    !fold(sum)
}

/// Whether a sum over data with its checksum in it, and with its pseudo header where there is one, says that the data is
/// whole.
#[inline]
#[must_use]
pub const fn verify(sum: u32) -> bool {
    fold(sum) == 0xffff
}

/// What stands in UDP's header for a checksum: 0 would say that there is none, so 0xffff stands for it, which is the same
/// number (RFC 768).
#[inline]
#[must_use]
pub const fn for_udp(checksum: u16) -> u16 {
    if checksum == 0 { 0xffff } else { checksum }
}

/// The checksum after a word of what it covers changed from `before` to `after`: see [`Change`].
#[inline]
#[must_use]
pub const fn update(checksum: u16, before: u16, after: u16) -> u16 {
    Change::new().u16(before, after).apply(checksum)
}

/// As [`update`], for two words: an IPv4 address, or a sequence number at an even offset.
#[inline]
#[must_use]
pub const fn update_u32(checksum: u16, before: u32, after: u32) -> u16 {
    Change::new().u32(before, after).apply(checksum)
}

/// As [`update`], for eight words: an IPv6 address.
#[inline]
#[must_use]
pub const fn update_u128(checksum: u16, before: u128, after: u128) -> u16 {
    Change::new().u128(before, after).apply(checksum)
}

/// As [`update`], for bytes anywhere: see [`Change::bytes`].
#[inline]
#[must_use]
pub fn update_bytes(checksum: u16, offset: usize, before: &[u8], after: &[u8]) -> u16 {
    Change::new().bytes(offset, before, after).apply(checksum)
}

#[inline]
#[allow(clippy::cast_possible_truncation, reason = "32 bits are left after the shift")]
const fn fold64(sum: u64) -> u16 {
    fold((sum.wrapping_add(sum.rotate_left(32)) >> 32) as u32)
}

/// A sum that is put together of several pieces, each of any length.
///
/// A piece after one of an odd length begins in the middle of a word; its sum then counts with its bytes swapped (RFC
/// 1071, section 2 (B)).
///
/// ```
/// # use perigee_guest::wire::checksum::Sum;
/// let sum = Sum::new().add(&[1, 2, 3]).add(&[4, 5]).add_u16(0x0607);
/// assert_eq!(sum.finish(), Sum::new().add(&[1, 2, 3, 4, 5, 6, 7]).finish());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Sum {
    words: u64,
    /// The next byte is the lower half of a word.
    odd: bool,
}

impl Sum {
    /// The sum of nothing.
    #[inline]
    pub const fn new() -> Self {
        Self { words: 0, odd: false }
    }

    /// Goes on after words whose sum is known, such as that of a [`pseudo_header`].
    #[inline]
    pub const fn from_words(sum: u32) -> Self {
        Self { words: sum as u64, odd: false }
    }

    /// The pseudo header of UDP, TCP or ICMPv6, over a message of `len` bytes: see [`pseudo_header`].
    #[inline]
    pub fn from_pseudo_header(source: &[u8], destination: &[u8], protocol: u8, len: usize) -> Self {
        Self::from_words(pseudo_header(source, destination, protocol, len))
    }

    /// Adds the bytes that follow.
    #[inline]
    #[allow(clippy::should_implement_trait, reason = "bytes are added behind it, which is no sum of two of a kind")]
    pub fn add(self, data: &[u8]) -> Self {
        let then = self.add_words(sum(data));
        Self { odd: self.odd ^ (data.len() % 2 == 1), ..then }
    }

    /// Adds two bytes that follow, as a number in network order.
    #[inline]
    pub const fn add_u16(self, word: u16) -> Self {
        self.add_words(word as u32)
    }

    /// Adds four bytes that follow, as a number in network order.
    #[inline]
    pub const fn add_u32(self, words: u32) -> Self {
        self.add_words(words)
    }

    /// Adds what `next` is the sum of, as bytes that follow.
    #[inline]
    pub const fn append(self, next: Self) -> Self {
        let then = self.add_words(next.value() as u32);
        Self { odd: self.odd ^ next.odd, ..then }
    }

    /// The sum of the words so far, folded, for [`finish`] and [`verify`].
    #[inline]
    #[must_use]
    pub const fn value(self) -> u16 {
        fold64(self.words)
    }

    /// The checksum that stands in the header.
    #[inline]
    #[must_use]
    pub const fn finish(self) -> u16 {
        !self.value()
    }

    /// Whether the checksum in what was added is right: see [`verify`].
    #[inline]
    #[must_use]
    pub const fn verify(self) -> bool {
        self.value() == 0xffff
    }

    const fn add_words(self, words: u32) -> Self {
        Self { words: self.words + swapped_if(self.odd, words) as u64, ..self }
    }
}

/// Words that begin in the middle of a word. Swapping the bytes in both halves is what swapping the folded sum's would be.
#[inline]
const fn swapped_if(odd: bool, words: u32) -> u32 {
    if odd { words.swap_bytes().rotate_left(16) } else { words }
}

/// What changes in the data that a checksum covers, and what becomes of the checksum: without looking at the rest of the
/// data (RFC 1624, equation 3: HC' = ~(~HC + ~m + m')).
///
/// One change can be applied to several checksums, such as that of an address to those of IPv4 and of TCP:
///
/// ```
/// # use perigee_guest::wire::checksum::Change;
/// # let (ip_checksum, tcp_checksum) = (0x1234, 0x5678);
/// let address = Change::new().u32(0x0a00_0001, 0xc0a8_0001);
/// let address_and_port = address.u16(1024, 40_000);
/// let (ip, tcp) = (address.apply(ip_checksum), address_and_port.apply(tcp_checksum));
/// # assert_ne!((ip, tcp), (ip_checksum, tcp_checksum));
/// ```
///
/// The result is right wherever a new sum is ([`verify`] takes both), and is what [`finish`] gives for the changed data, but
/// for one case: where what changed last is 0 now and the rest adds up to 0 as well, nobody who does not look at the rest
/// can tell whether it is 0. Then the result is 0xffff, which is right for both (RFC 1071): 0 would be wrong for data that
/// is all 0, such as an echo reply without identifier, sequence number and data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Change {
    words: u64,
    /// What changed last is not 0 now, so the data is not. Of earlier changes this is not known: a later one may have
    /// changed the same words again.
    is_nonzero: bool,
}

impl Default for Change {
    fn default() -> Self {
        Self::new()
    }
}

impl Change {
    /// Nothing changes.
    #[inline]
    pub const fn new() -> Self {
        Self { words: 0, is_nonzero: true }
    }

    /// A word becomes another one.
    #[inline]
    pub const fn u16(self, before: u16, after: u16) -> Self {
        self.u32(before as u32, after as u32)
    }

    /// Two words, such as an IPv4 address.
    #[inline]
    pub const fn u32(self, before: u32, after: u32) -> Self {
        Self { words: self.words + !before as u64 + after as u64, is_nonzero: after != 0 }
    }

    /// Eight words, such as an IPv6 address.
    #[inline]
    pub const fn u128(self, before: u128, after: u128) -> Self {
        let words = self.words + fold128(!before) + fold128(after);
        Self { words, is_nonzero: after != 0 }
    }

    /// Bytes that begin `offset` bytes after the start of what the checksum covers; of `offset` it matters only whether it
    /// is odd.
    ///
    /// `after` may be longer or shorter than `before` where nothing behind it moves by an odd number of bytes: where both
    /// lengths are even or both are odd, or where they are the end of the data.
    #[inline]
    pub fn bytes(self, offset: usize, before: &[u8], after: &[u8]) -> Self {
        let odd = offset % 2 == 1;
        // A sum is 0 only if all of the bytes are.
        self.u32(swapped_if(odd, sum(before)), swapped_if(odd, sum(after)))
    }

    /// The checksum after the change.
    #[inline]
    #[must_use]
    pub const fn apply(self, checksum: u16) -> u16 {
        match !fold64(self.words + !checksum as u64) {
            0 if !self.is_nonzero => 0xffff,
            checksum => checksum,
        }
    }

    /// UDP's checksum after the change: 0, which says that there is none, stays, and is never made ([`for_udp`]).
    #[inline]
    #[must_use]
    pub const fn apply_udp(self, checksum: u16) -> u16 {
        if checksum == 0 { 0 } else { for_udp(self.apply(checksum)) }
    }
}

/// Words of 32 bits are added up: the sum has 34 bits.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the parts are taken one by one")]
const fn fold128(words: u128) -> u64 {
    let (upper, lower) = ((words >> 64) as u64, words as u64);
    (upper >> 32) + (upper & 0xffff_ffff) + (lower >> 32) + (lower & 0xffff_ffff)
}
