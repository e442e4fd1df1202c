//! IPv6's extension headers.

use crate::wire::{Format, Header, Next, Role, TlvFormat, Tlvs, header};
use core::net::Ipv6Addr;

/// Length of an extension header that counts words of eight bytes behind the first.
fn len_of(words: u8) -> usize {
    (usize::from(words) + 1) * 8
}

/// The number of words of eight bytes behind the first, for so many bytes.
#[allow(clippy::cast_possible_truncation, reason = "an extension header has at most 2,048 bytes")]
const fn words_of(len: usize) -> u8 {
    (len / 8).saturating_sub(1) as u8
}

/// Options that each router looks at ([`TlvFormat::IPV6`]); they begin in the fixed part.
#[header(name = "hop-by-hop options", source = "RFC 8200", ip_protocol = 0)]
pub struct HopByHop {
    /// What follows.
    next_header: u8,
    /// Length in words of eight bytes, without the first.
    words: u8,
    /// The first option, by default padding of the length of this part.
    #[initial = [1, 4, 0, 0, 0, 0]]
    first: [u8; 6],
}

/// Options for the receiver ([`TlvFormat::IPV6`]); they begin in the fixed part.
#[header(name = "destination options", source = "RFC 8200", ip_protocol = 60)]
pub struct DestinationOptions {
    /// What follows.
    next_header: u8,
    /// Length in words of eight bytes, without the first.
    words: u8,
    /// The first option, by default padding of the length of this part.
    #[initial = [1, 4, 0, 0, 0, 0]]
    first: [u8; 6],
}

/// A route that the sender chose; what it holds depends on its type.
#[header(name = "routing", source = "RFC 8200", ip_protocol = 43)]
pub struct Routing {
    /// What follows.
    next_header: u8,
    /// Length in words of eight bytes, without the first.
    words: u8,
    /// Kind of route.
    kind: u8,
    /// How many places of the route are still to be visited.
    segments_left: u8,
    /// Depends on the kind.
    #[hex]
    specific: u32,
}

/// A route through segments (SRv6). The variable part is the list of segments, the last one first, then options.
#[header(name = "segment routing", source = "RFC 8754", ip_protocol = 43)]
pub struct SegmentRouting {
    /// What follows.
    next_header: u8,
    /// Length in words of eight bytes, without the first.
    words: u8,
    /// 4.
    #[initial = 4]
    kind: u8,
    /// How many segments are still to be visited: the index of the active one.
    segments_left: u8,
    /// Index of the last entry of the list.
    last_entry: u8,
    /// Flags; none is in use.
    #[hex]
    flags: u8,
    /// Packets with the same tag belong to one class.
    tag: u16,
}

/// Any other extension header: of the mobility, host identity and shim protocols, and of experiments. Its length is known (RFC
/// 6564), not what it says.
#[header(name = "extension", source = "RFC 6564", ip_protocol = [135, 139, 140, 253, 254])]
pub struct Extension {
    /// What follows.
    next_header: u8,
    /// Length in words of eight bytes, without the first.
    words: u8,
    /// Depends on the kind.
    #[hex]
    #[bits(48)]
    specific: u64,
}

/// A part of a packet that was too long.
#[header(name = "fragment", source = "RFC 8200", ip_protocol = 44)]
pub struct Fragment {
    /// What the whole packet carries.
    next_header: u8,
    /// Must be 0.
    reserved: u8,
    /// Where this fragment's payload lies in the whole one, in units of eight bytes.
    #[bits(13)]
    offset: u16,
    /// Must be 0.
    #[bits(2)]
    reserved2: u8,
    /// It is not the last one.
    more: bool,
    /// Which fragments belong together.
    identification: u32,
}

/// The same for all that count words of eight bytes.
macro_rules! extension {
    ($header:ident, $role:ident $(, $more:item)*) => {
        impl Header for $header {
            const ROLE: Role = Role::$role;

            $($more)*

            fn header_len(&self) -> usize {
                len_of(self.words())
            }

            fn next(&self, _payload: &[u8]) -> Next {
                Next::IpProtocol(self.next_header())
            }

            fn set_next(&mut self, next: &Format) {
                if let Some(&number) = next.ip_protocols.first() {
                    self.set_next_header(number);
                }
            }

            fn set_lengths(&mut self, variable: usize, _payload: usize) {
                self.set_words(words_of(size_of::<Self>() + variable));
            }
        }
    };
}

extension!(HopByHop, Extension);
extension!(DestinationOptions, DestinationOptions);
extension!(Extension, Extension);
extension!(
    Routing,
    Routing,
    fn is_valid(&self) -> bool {
        self.kind() != 4
    }
);
extension!(
    SegmentRouting,
    Routing,
    fn is_valid(&self) -> bool {
        self.kind() == 4
    },
    fn total_len(&self, available: usize) -> usize {
        let fits = usize::from(self.last_entry()) * 2 < usize::from(self.words());
        // One more than there are: the first segment may be left out of the list (RFC 8754, section 4.1.1).
        let is_within = self.segments_left() <= self.last_entry().saturating_add(1);
        // Less than the header: what contradicts itself cannot be it.
        if fits && is_within { available } else { 0 }
    }
);

impl Header for Fragment {
    const ROLE: Role = Role::Extension;

    fn next(&self, _payload: &[u8]) -> Next {
        if self.is_whole() { Next::IpProtocol(self.next_header()) } else { Next::Payload }
    }

    fn set_next(&mut self, next: &Format) {
        if let Some(&number) = next.ip_protocols.first() {
            self.set_next_header(number);
        }
    }
}

impl Fragment {
    /// Whether the packet is whole after all: a fragment header alone makes no part of it (RFC 6946).
    #[inline]
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.offset() == 0 && !self.more()
    }
}

impl SegmentRouting {
    /// The segments in its variable part, the last one of the route first.
    pub fn segments<'a>(&self, variable: &'a [u8]) -> impl Iterator<Item = Ipv6Addr> + use<'a> {
        let segments = variable.chunks_exact(16).take(usize::from(self.last_entry()) + 1);
        segments.filter_map(|segment| Some(Ipv6Addr::from(*segment.first_chunk::<16>()?)))
    }
}

impl HopByHop {
    /// Its options; `header` are the bytes of the header with its variable part.
    #[must_use]
    pub fn options(header: &[u8]) -> Tlvs<'_> {
        Tlvs::new(header.get(2..).unwrap_or_default(), TlvFormat::IPV6)
    }
}

impl DestinationOptions {
    /// Its options; `header` are the bytes of the header with its variable part.
    #[must_use]
    pub fn options(header: &[u8]) -> Tlvs<'_> {
        HopByHop::options(header)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::{Ethernet, Ipv6, Layers, Stack as _, Udp, With, checksum};
    use std::vec::Vec;

    crate::stack! {
        struct Routed {
            eth: Ethernet,
            ip: Ipv6,
            hop: HopByHop,
            route: With<SegmentRouting, 32>,
            whole: Fragment,
            udp: Udp,
        }
    }

    const FIRST: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
    const LAST: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);

    fn packet(segments_left: u8) -> [u8; 150] {
        let mut packet = [7; 150];
        let fill = Routed::fill(&mut packet, |p| {
            p.ip.set_destination(if segments_left == 0 { LAST } else { FIRST });
            p.route.options[..16].copy_from_slice(&LAST.octets());
            p.route.options[16..].copy_from_slice(&FIRST.octets());
            p.route.set_last_entry(1);
            p.route.set_segments_left(segments_left);
        });
        fill.unwrap();
        packet
    }

    #[test]
    fn extension_headers_follow_each_other() {
        let packet = packet(1);
        let names: Vec<_> = Layers::new(&packet).map(|place| place.name()).collect();
        let expected = ["Ethernet", "IPv6", "hop-by-hop options", "segment routing", "fragment", "UDP"];
        assert_eq!(names, expected);
        let (headers, _) = Routed::parse(&packet).unwrap();
        assert_eq!((headers.ip.next_header(), headers.hop.next_header(), headers.route.next_header()), (0, 43, 44));
        assert_eq!(headers.route.segments(&headers.route.options).collect::<Vec<_>>(), [LAST, FIRST]);
        let options: Vec<_> = HopByHop::options(&packet[54..62]).collect();
        assert_eq!(options.len(), 1);
    }

    #[test]
    fn the_pseudo_header_has_the_last_destination() {
        // Wherever the packet is on its way, the checksum is the same.
        let (on_its_way, there) = (packet(1), packet(0));
        let udp = |packet: &[u8]| Routed::of(packet).unwrap().0.udp.checksum();
        assert_eq!(udp(&on_its_way), udp(&there));
        assert_eq!((checksum::check(&on_its_way), checksum::check(&there)), (Ok(()), Ok(())));
    }

    #[test]
    fn a_list_longer_than_the_header_is_refused() {
        let mut packet = packet(1);
        packet[66] = 200;
        assert!(Routed::parse(&packet).is_err());
    }
}
