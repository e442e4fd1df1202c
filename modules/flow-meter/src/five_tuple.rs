//! Which flow a packet belongs to.

use perigee_guest::state::{FiveTuple, FiveTuple4, FiveTuple6};
use perigee_guest::wire::{Ethernet, Header as _, Ipv4, Ipv6, ether_type, protocol};

/// The flow of a frame; nothing where it is not IP. Ports are 0 where the protocol has none, and in fragments. IPv6's extension
/// headers are walked over.
#[inline]
pub(crate) fn five_tuple(bytes: &[u8]) -> Option<FiveTuple> {
    let (number, start) = Ethernet::untagged(bytes).ok()?;
    let packet = bytes.get(start..)?;
    match number {
        ether_type::IPV4 => {
            let ip = Ipv4::parse(packet).ok()?;
            let payload = if ip.is_fragment() { &[] } else { ip.payload };
            let (source_port, destination_port) = ports(ip.protocol(), payload);
            let (source, destination, protocol) = (ip.source(), ip.destination(), ip.protocol());
            Some(FiveTuple4 { source, destination, source_port, destination_port, protocol }.into())
        }
        ether_type::IPV6 => {
            let ip = Ipv6::parse(packet).ok()?;
            let carried = ip.carried(ip.payload).ok()?;
            let payload = if carried.is_fragment { &[] } else { carried.payload };
            let (source_port, destination_port) = ports(carried.protocol, payload);
            let (source, destination, protocol) = (ip.source(), ip.destination(), carried.protocol);
            Some(FiveTuple6 { source, destination, source_port, destination_port, protocol }.into())
        }
        _ => None,
    }
}

/// Source and destination port.
#[inline]
fn ports(number: u8, payload: &[u8]) -> (u16, u16) {
    match (number, payload) {
        (protocol::TCP | protocol::UDP | protocol::SCTP, &[a, b, c, d, ..]) => {
            (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
        }
        _ => (0, 0),
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::string::ToString as _;

    /// A frame with IPv6 from ::a to ::b, with these words of eight bytes behind its header.
    fn ipv6(first: u8, words: &[[u8; 8]]) -> Vec<u8> {
        let mut bytes = vec![2; 54];
        bytes[12..14].copy_from_slice(&[0x86, 0xdd]);
        bytes[14..54].fill(0);
        (bytes[14], bytes[19], bytes[20]) = (0x60, u8::try_from(8 * words.len()).unwrap(), first);
        (bytes[37], bytes[53]) = (0xa, 0xb);
        bytes.extend(words.concat());
        bytes
    }

    fn flow(bytes: &[u8]) -> String {
        five_tuple(bytes).map_or_else(String::new, |flow| flow.to_string())
    }

    const UDP: [u8; 8] = [0, 7, 0, 53, 0, 8, 0, 0];

    #[test]
    fn a_packet_is_of_its_flow_behind_any_extension_headers() {
        let plain = flow(&ipv6(17, &[UDP]));
        assert_eq!(plain, "[::a]:7 > [::b]:53 protocol 17");
        let options = [17, 0, 1, 4, 0, 0, 0, 0];
        let chain = [[44, 0, 1, 4, 0, 0, 0, 0], [60, 0, 0, 0, 0, 0, 0, 9], options, UDP];
        for number in [0, 43, 60, 135, 139, 140, 253, 254] {
            assert_eq!(flow(&ipv6(number, &[options, UDP])), plain, "{number}");
            assert_eq!(flow(&ipv6(number, &chain)), plain, "{number}, and a fragment header of a whole packet");
        }
    }

    #[test]
    fn parts_of_a_packet_are_one_flow() {
        for (offset, more) in [(0, 1), (8, 1), (8, 0)] {
            let part = ipv6(44, &[[17, 0, 0, offset | more, 0, 0, 0, 9], UDP]);
            assert_eq!(flow(&part), "[::a]:0 > [::b]:0 protocol 17", "offset {offset}, more {more}");
        }
    }

    #[test]
    fn what_contradicts_itself_has_no_flow() {
        assert_eq!(flow(&ipv6(17, &[])), "");
        assert_eq!(flow(&ipv6(60, &[[17, 1, 0, 0, 0, 0, 0, 0]])), "");
    }
}
