//! The plain case of most packets, read with one check: Ethernet without tags, IPv4 without options.

use super::Mac;
use super::checksum::update;

/// Bytes of Ethernet and IPv4.
const LEN: usize = 34;
/// EtherType, version and header length of what is plain, as they stand at byte 12.
const KIND: [u8; 3] = [8, 0, 0x45];

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
pub struct PlainIpv4<'a>(&'a [u8; LEN]);

impl<'a> PlainIpv4<'a> {
    /// Reads a frame. Nothing where it is something else, or where the length of its IPv4 packet cannot be.
    #[inline(always)]
    #[must_use]
    pub fn of(frame: &'a [u8]) -> Option<Self> {
        let plain = Self(frame.first_chunk()?);
        let len = usize::from(plain.total_length());
        let is_plain = plain.array(12) == KIND && len >= 20 && len + 14 <= frame.len();
        is_plain.then_some(plain)
    }

    /// What is behind the IPv4 header, without padding.
    #[inline(always)]
    #[must_use]
    pub fn payload_length(self) -> u16 {
        self.total_length().wrapping_sub(20)
    }

    /// The MAC address to which the frame goes, as [`Mac::to_number`] gives it.
    #[inline(always)]
    #[must_use]
    pub fn destination_mac(self) -> u64 {
        u64::from_le_bytes(self.array(0)) & MAC
    }

    /// Length from the IPv4 header on.
    #[inline(always)]
    #[must_use]
    pub fn total_length(self) -> u16 {
        u16::from_be_bytes(self.array(16))
    }

    /// Whether it is a part of a packet.
    #[inline(always)]
    #[must_use]
    pub fn is_fragment(self) -> bool {
        u16::from_be_bytes(self.array(20)) & 0x3fff != 0
    }

    /// Time to live.
    #[inline(always)]
    #[must_use]
    pub fn ttl(self) -> u8 {
        self.0[22]
    }

    /// Number of the protocol behind it.
    #[inline(always)]
    #[must_use]
    pub fn protocol(self) -> u8 {
        self.0[23]
    }

    /// Source address.
    #[inline(always)]
    #[must_use]
    pub fn source(self) -> u32 {
        u32::from_be_bytes(self.array(26))
    }

    /// Destination address.
    #[inline(always)]
    #[must_use]
    pub fn destination(self) -> u32 {
        u32::from_be_bytes(self.array(30))
    }

    /// Whether the header's checksum is right.
    #[inline(always)]
    #[must_use]
    pub fn checksum_is_good(self) -> bool {
        // The order of bytes does not matter to a sum that has to be all ones.
        let (one, two) = (u64::from_le_bytes(self.array(14)), u64::from_le_bytes(self.array(22)));
        let last = u64::from(u32::from_le_bytes(self.array(30)));
        let halves = (one & 0xffff_ffff) + (one >> 32) + (two & 0xffff_ffff) + (two >> 32) + last;
        let folded = (halves & 0xffff) + (halves >> 16 & 0xffff) + (halves >> 32);
        (folded & 0xffff) + (folded >> 16) == 0xffff
    }

    #[inline(always)]
    fn array<const N: usize>(self, at: usize) -> [u8; N] {
        // `at` is a constant wherever this is inlined, and the check goes away.
        core::array::from_fn(|byte| self.0[at + byte])
    }
}

/// The bits of a MAC address in a number.
const MAC: u64 = 0xffff_ffff_ffff;

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
/// checksum that is changed by as much. `head` is the beginning of a frame that [`PlainIpv4::of`] has read.
#[inline(always)]
pub fn next_hop(head: &mut [u8; LEN], macs: [u8; 12]) {
    head[..12].copy_from_slice(&macs);
    let [ttl, protocol, high, low] = [head[22], head[23], head[24], head[25]];
    let after = ttl.saturating_sub(1);
    let sum = update(
        u16::from_be_bytes([high, low]),
        u16::from_be_bytes([ttl, protocol]),
        u16::from_be_bytes([after, protocol]),
    );
    head[22] = after;
    [head[24], head[25]] = sum.to_be_bytes();
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
            prop_assert_eq!(plain.is_fragment(), ip.is_fragment());
            prop_assert_eq!(plain.checksum_is_good(), ip.checksum_is_good(&[]));
            let (was_good, ttl) = (plain.checksum_is_good(), plain.ttl());
            next_hop(bytes.first_chunk_mut().unwrap(), macs);
            let plain = PlainIpv4::of(&bytes).unwrap();
            prop_assert_eq!(&bytes[..12], &macs);
            prop_assert_eq!((plain.ttl(), plain.checksum_is_good()), (ttl.saturating_sub(1), was_good));
        }
    }
}
