//! The plain case of most packets, read with one check: Ethernet without tags, IPv4 without options.

use super::{Mac, ether_type};

/// Bytes of Ethernet and IPv4.
const LEN: usize = 34;
/// The EtherType of IPv4 as it stands in a frame, then version and header length where there are no options.
const KIND: u32 = 0x45_0000 | ether_type::IPV4.swap_bytes() as u32;

/// The headers of a frame that begins with Ethernet without tags and IPv4 without options, whose lengths fit. For fast paths:
/// whoever asks for it parses everything else, and the same packets once more, by [`Ethernet`](super::Ethernet) and
/// [`Ipv4`](super::Ipv4). All fields lie at constant places behind one check of the length.
///
/// ```
/// use perigee_guest::wire::{Mac, PlainIpv4};
///
/// let mut frame = [0; 60];
/// assert!(PlainIpv4::of(&frame).is_none());
/// frame[12..18].copy_from_slice(&[8, 0, 0x45, 0, 0, 46]);
/// frame[30..34].copy_from_slice(&[192, 0, 2, 1]);
/// let plain = PlainIpv4::of(&frame).expect("Ethernet and IPv4");
/// assert_eq!((plain.destination(), plain.total_length()), (0xc000_0201, 46));
/// assert_eq!(plain.destination_mac(), Mac([0; 6]).to_number());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PlainIpv4 {
    destination_mac: u64,
    /// EtherType, version and header length, and a byte more.
    kind: u32,
    /// The IPv4 header as it stands there, in words that begin with its bytes: each byte is read once.
    words: [u32; 5],
}

impl PlainIpv4 {
    /// Reads a frame. Nothing where it is something else, or where the length of its IPv4 packet cannot be.
    #[inline(always)]
    #[must_use]
    pub fn of(frame: &[u8]) -> Option<Self> {
        let plain = Self::of_head(frame.first_chunk()?);
        // One branch for all: what is not 0 is wrong. The upper bit of a difference says that it is below 0.
        let (len, there) = (u32::from(plain.total_length()), u32::from(u16::try_from(frame.len()).unwrap_or(u16::MAX)));
        let lengths = len.wrapping_sub(20) | there.wrapping_sub(14).wrapping_sub(len);
        let wrong = plain.kind & 0xff_ffff ^ KIND | lengths >> 31;
        (wrong == 0).then_some(plain)
    }

    /// Reads the beginning of a frame that [`Self::of`] has read before: what it is is not looked at again.
    #[inline(always)]
    #[must_use]
    pub fn of_head(head: &[u8; LEN]) -> Self {
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let words = [word(14), word(18), word(22), word(26), word(30)];
        let upper = u16::from_le_bytes([head[4], head[5]]);
        Self { destination_mac: u64::from(word(0)) | u64::from(upper) << 32, kind: word(12), words }
    }

    /// Length of what is behind the IPv4 header, without padding.
    #[inline(always)]
    #[must_use]
    pub const fn payload_length(&self) -> u16 {
        self.total_length().wrapping_sub(20)
    }

    /// The MAC address to which the frame goes, as [`Mac::to_number`] gives it.
    #[inline(always)]
    #[must_use]
    pub const fn destination_mac(&self) -> u64 {
        self.destination_mac
    }

    /// Length from the IPv4 header on.
    #[inline(always)]
    #[must_use]
    pub const fn total_length(&self) -> u16 {
        upper(self.words[0]).swap_bytes()
    }

    /// DSCP and ECN.
    #[inline(always)]
    #[must_use]
    pub const fn traffic_class(&self) -> u8 {
        self.words[0].to_le_bytes()[1]
    }

    /// Whether it may not be fragmented.
    #[inline(always)]
    #[must_use]
    pub const fn dont_fragment(&self) -> bool {
        self.words[1] & 0x40_0000 != 0
    }

    /// Whether it is a part of a packet.
    #[inline(always)]
    #[must_use]
    pub const fn is_fragment(&self) -> bool {
        // The two upper bits are in the first byte: one is reserved, one says that it may not be fragmented.
        self.words[1] & 0xff3f_0000 != 0
    }

    /// Time to live.
    #[inline(always)]
    #[must_use]
    pub const fn ttl(&self) -> u8 {
        self.words[2].to_le_bytes()[0]
    }

    /// Number of the protocol behind it.
    #[inline(always)]
    #[must_use]
    pub const fn protocol(&self) -> u8 {
        self.words[2].to_le_bytes()[1]
    }

    /// Source address.
    #[inline(always)]
    #[must_use]
    pub const fn source(&self) -> u32 {
        self.words[3].swap_bytes()
    }

    /// Destination address.
    #[inline(always)]
    #[must_use]
    pub const fn destination(&self) -> u32 {
        self.words[4].swap_bytes()
    }

    /// Whether the header's checksum is right.
    #[inline(always)]
    #[must_use]
    pub fn checksum_is_good(&self) -> bool {
        let [a, b, c, d, e] = self.words.map(u64::from);
        // The order of bytes does not matter to a sum that has to be all ones, which is a multiple of them. It is not 0: the first
        // byte is not.
        // A multiple of an odd number, times that number's inverse, is how often it is contained: no more than there is room for.
        const INVERSE: u64 = 0xfffe_fffe_fffe_ffff;
        const _: () = assert!(INVERSE.wrapping_mul(0xffff) == 1, "modulo 2^64");
        (a + b + c + d + e).wrapping_mul(INVERSE) <= u64::MAX / 0xffff
    }
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "16 bits are left after the shift")]
const fn upper(word: u32) -> u16 {
    (word >> 16) as u16
}

impl Mac {
    /// The address as a number, its first byte lowest: what is quick to compare.
    #[inline]
    #[must_use]
    pub const fn to_number(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }
}

/// Sends the frame of an IPv4 packet to the next link: other MAC addresses (the destination's, then the source's), a hop less, and a
/// checksum that is changed by as much; of a packet without hops only the addresses. `head` is the beginning of a frame that [`PlainIpv4::of`] has read.
#[inline(always)]
pub fn next_hop(head: &mut [u8; LEN], macs: [u8; 12]) {
    head[..12].copy_from_slice(&macs);
    let less = head[22].min(1);
    head[22] -= less;
    // The lower byte of the first word is one less, so the checksum is one more, which goes round behind all ones (RFC 1141).
    let sum = u32::from(u16::from_le_bytes([head[24], head[25]])) + u32::from(less);
    let sum = sum + u32::from(sum >= 0xffff && less != 0);
    [head[24], head[25], ..] = sum.to_le_bytes();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Ethernet, Header as _, Ipv4, ether_type};
    use proptest::prelude::*;
    use std::vec::Vec;

    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let kind = prop_oneof![4 => Just([8, 0, 0x45]), 1 => any::<[u8; 3]>()];
        let bytes = prop::collection::vec(any::<u8>(), 30..90);
        (bytes, kind, 15_u16..80, any::<bool>()).prop_map(|(mut bytes, kind, len, is_right)| {
            bytes[12..15].copy_from_slice(&kind);
            bytes[16..18].copy_from_slice(&len.to_be_bytes());
            if is_right && bytes.len() >= LEN {
                bytes[24..26].fill(0);
                let sum = crate::wire::checksum::finish(crate::wire::checksum::sum(&bytes[14..LEN])).to_be_bytes();
                bytes[24..26].copy_from_slice(&sum);
            }
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_reads_what_the_headers_read(mut bytes in frame(), macs: [u8; 12]) {
            let ethernet = Ethernet::parse(&bytes).unwrap();
            let ip = Ipv4::parse(&bytes[14..]).ok().filter(|ip| ip.variable.is_empty());
            let ip = ip.filter(|_| ethernet.ether_type() == ether_type::IPV4);
            let plain = PlainIpv4::of(&bytes);
            prop_assert_eq!(plain.is_some(), ip.is_some());
            let (Some(plain), Some(ip)) = (plain, ip) else { return Ok(()) };
            prop_assert_eq!(plain.destination_mac(), ethernet.destination().to_number());
            prop_assert_eq!(plain.payload_length(), ip.total_length() - 20);
            prop_assert_eq!((plain.source(), plain.destination()), (ip.source().to_bits(), ip.destination().to_bits()));
            prop_assert_eq!((plain.ttl(), plain.protocol()), (ip.ttl(), ip.protocol()));
            prop_assert_eq!((plain.is_fragment(), plain.dont_fragment()), (ip.is_fragment(), ip.dont_fragment()));
            prop_assert_eq!(plain.traffic_class(), ip.dscp() << 2 | ip.ecn());
            prop_assert_eq!(plain.checksum_is_good(), ip.checksum_is_good(&[]));
            let (was_good, ttl) = (plain.checksum_is_good(), plain.ttl());
            let word = |ttl| u16::from_be_bytes([ttl, plain.protocol()]);
            let ip_sum = ip.checksum();
            let sum = crate::wire::checksum::update(ip_sum, word(ttl), word(ttl.saturating_sub(1)));
            next_hop(bytes.first_chunk_mut().unwrap(), macs);
            let plain = PlainIpv4::of(&bytes).unwrap();
            prop_assert_eq!(&bytes[..12], &macs);
            prop_assert_eq!(u16::from_be_bytes([bytes[24], bytes[25]]), if ttl == 0 { ip_sum } else { sum });
            prop_assert_eq!((plain.ttl(), plain.checksum_is_good()), (ttl.saturating_sub(1), was_good));
        }
    }

    #[test]
    fn a_hop_less_changes_the_checksum_as_an_update_does() {
        for (ttl, sum) in [1, 2, 64, 255].into_iter().flat_map(|ttl| (0..=u16::MAX).map(move |sum| (ttl, sum))) {
            let mut head = [0; LEN];
            (head[22], head[23]) = (ttl, 17);
            head[24..26].copy_from_slice(&sum.to_be_bytes());
            next_hop(&mut head, [7; 12]);
            let word = |ttl| u16::from_be_bytes([ttl, 17]);
            let expected = crate::wire::checksum::update(sum, word(ttl), word(ttl - 1));
            assert_eq!(u16::from_be_bytes([head[24], head[25]]), expected, "{ttl} {sum:#x}");
        }
    }
}
