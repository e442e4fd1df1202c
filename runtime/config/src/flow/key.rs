//! What rules look at in a frame.

use perigee_core::frame::Frame;

/// EtherTypes (IEEE 802).
pub const IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
const TAGS: [u16; 2] = [0x8100, 0x88a8];
/// TCP, UDP, SCTP: their headers begin with two ports.
const WITH_PORTS: [u8; 3] = [6, 17, 132];

/// What is known of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// The VLAN of its outer tag.
    pub vlan: Option<u16>,
    /// Behind that tag.
    pub ether_type: u16,
    /// Its IP header, where it has one.
    pub ip: Option<Ip>,
}

/// An IP header. IPv4 addresses are numbers of 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ip {
    /// Source address.
    pub src: u128,
    /// Destination address.
    pub dst: u128,
    /// The protocol behind the header, by IANA's number.
    pub protocol: u8,
    /// Source and destination port, where there are any and the packet is no fragment.
    pub ports: Option<(u16, u16)>,
}

impl Key {
    /// Reads a frame as far as it can be read.
    pub fn of(frame: &impl Frame) -> Self {
        let (mut ether_type, mut at, mut vlan) = (frame.u16(12).unwrap_or(0), 14, None);
        if TAGS.contains(&ether_type)
            && let (Some(tci), Some(inner)) = (frame.u16(14), frame.u16(16))
        {
            (vlan, ether_type, at) = (Some(tci & 0xfff), inner, 18);
        }
        let ip = match ether_type {
            IPV4 => ipv4(frame, at),
            IPV6 => ipv6(frame, at),
            _ => None,
        };
        Self { vlan, ether_type, ip }
    }
}

/// RFC 791.
fn ipv4(frame: &impl Frame, at: u32) -> Option<Ip> {
    let [first] = frame.bytes(at)?;
    let header = u32::from(first & 0xf) * 4;
    if first >> 4 != 4 || header < 20 {
        return None;
    }
    let [protocol] = frame.bytes(at + 9)?;
    let (src, dst) = (frame.u32(at + 12)?.into(), frame.u32(at + 16)?.into());
    // All but the bit that forbids to fragment.
    let is_fragment = frame.u16(at + 6)? & 0x3fff != 0;
    let ports = if is_fragment { None } else { ports(frame, protocol, at + header) };
    Some(Ip { src, dst, protocol, ports })
}

/// RFC 8200. Extension headers are protocols of their own here, as they are in DPDK's rules.
fn ipv6(frame: &impl Frame, at: u32) -> Option<Ip> {
    let [first] = frame.bytes(at)?;
    if first >> 4 != 6 {
        return None;
    }
    let [protocol] = frame.bytes(at + 6)?;
    let (src, dst) = (u128::from_be_bytes(frame.bytes(at + 8)?), u128::from_be_bytes(frame.bytes(at + 24)?));
    Some(Ip { src, dst, protocol, ports: ports(frame, protocol, at + 40) })
}

fn ports(frame: &impl Frame, protocol: u8, at: u32) -> Option<(u16, u16)> {
    if WITH_PORTS.contains(&protocol) { frame.u16(at).zip(frame.u16(at + 2)) } else { None }
}
