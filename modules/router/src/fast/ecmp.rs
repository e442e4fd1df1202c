//! By which of several next hops a packet goes: all packets of a flow, in both directions, by the same.

use crate::config::Ecmp;
use perigee_guest::seed_mix;
use perigee_guest::wire::{Header as _, Ipv4, Ipv6, protocol};

/// A number for the flow of a packet, which begins with its IP header: the same for both directions. With ports where `by` says
/// so, and it has some: a fragment goes by its addresses, for its later parts have no ports.
pub(crate) fn flow_hash(seed: u64, packet: &[u8], by: Ecmp) -> u32 {
    if packet.first().is_some_and(|first| first >> 4 == 4) {
        let Ok(ip) = Ipv4::parse(packet) else { return 0 };
        let ports = if ip.is_fragment() { (0, 0) } else { ports(ip.protocol(), ip.payload, by) };
        let ends = (u64::from(ip.source().to_bits()), u64::from(ip.destination().to_bits()));
        hash(seed, ends, ports, ip.protocol())
    } else {
        let Ok(ip) = Ipv6::parse(packet) else { return 0 };
        // What hides behind other headers goes by its addresses.
        let ports = ports(ip.next_header(), ip.payload, by);
        hash(seed, (fold(ip.source().to_bits()), fold(ip.destination().to_bits())), ports, ip.next_header())
    }
}

fn ports(protocol: u8, payload: &[u8], by: Ecmp) -> (u64, u64) {
    match (protocol, payload) {
        (protocol::TCP | protocol::UDP | protocol::SCTP, [a, b, c, d, ..]) if by == Ecmp::Ports => {
            (u16::from_be_bytes([*a, *b]).into(), u16::from_be_bytes([*c, *d]).into())
        }
        _ => (0, 0),
    }
}

/// A sum, which does not say who is the sender, of a number of each end.
fn hash(seed: u64, ends: (u64, u64), ports: (u64, u64), protocol: u8) -> u32 {
    let end = |address: u64, port: u64| seed_mix(seed_mix(seed ^ address) ^ port);
    let both = end(ends.0, ports.0).wrapping_add(end(ends.1, ports.1));
    upper(seed_mix(both ^ u64::from(protocol)))
}

#[allow(clippy::cast_possible_truncation, reason = "both halves are taken")]
const fn fold(bits: u128) -> u64 {
    seed_mix((bits >> 64) as u64) ^ bits as u64
}

#[allow(clippy::cast_possible_truncation, reason = "32 bits are left after the shift")]
const fn upper(bits: u64) -> u32 {
    (bits >> 32) as u32
}
