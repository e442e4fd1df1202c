//! Views of protocol headers over a packet's bytes.
//!
//! Each file has the same skeleton: a struct over a buffer, `new_checked`, which checks all lengths once, and accessors
//! that cannot fail after that. Setters are there where the buffer can be written. A new protocol is a copy of the
//! shortest file.

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod icmp;
pub mod icmpv6;
pub mod ipv4;
pub mod ipv6;
mod mac;
pub mod udp;

pub use arp::Arp;
pub use ethernet::{EtherType, Ethernet};
pub use icmp::Icmp;
pub use icmpv6::Icmpv6;
pub use ipv4::Ipv4;
pub use ipv6::Ipv6;
pub use mac::Mac;
pub use udp::Udp;

/// The bytes are not what they should be: too short, or with lengths that contradict each other. A bad packet is normal
/// and must cost nothing, so this says no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error;

/// A field of a header.
type Field = core::ops::Range<usize>;

/// Protocol numbers of IPv4 and IPv6.
pub mod protocol {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// IPv6's fragment header.
    pub const IPV6_FRAGMENT: u8 = 44;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// SCTP.
    pub const SCTP: u8 = 132;
}

/// The big-endian number in a field of two bytes.
#[inline(always)]
fn get_u16(data: &[u8], field: Field) -> u16 {
    let mut raw = [0; 2];
    raw.copy_from_slice(&data[field]);
    u16::from_be_bytes(raw)
}

/// Writes a big-endian number into a field of two bytes.
#[inline(always)]
fn set_u16(data: &mut [u8], field: Field, value: u16) {
    data[field].copy_from_slice(&value.to_be_bytes());
}

/// The bytes of a field of constant length.
#[inline(always)]
fn get<const N: usize>(data: &[u8], field: Field) -> [u8; N] {
    let mut raw = [0; N];
    raw.copy_from_slice(&data[field]);
    raw
}
