//! What a packet is.

use perigee_guest::wire::{Ethernet, Header as _, Ipv4, Ipv6, Mac, ether_type, protocol};

/// A class that packets are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Ipv4,
    Ipv6,
    Arp,
    OtherType,
    Vlan,
    Tcp,
    Udp,
    Icmp,
    Icmpv6,
    Sctp,
    OtherProtocol,
    Fragment,
    Broadcast,
    Multicast,
    Malformed,
}

impl Class {
    /// All classes, in the order of their counters.
    pub(crate) const ALL: [Self; 15] = [
        Self::Ipv4,
        Self::Ipv6,
        Self::Arp,
        Self::OtherType,
        Self::Vlan,
        Self::Tcp,
        Self::Udp,
        Self::Icmp,
        Self::Icmpv6,
        Self::Sctp,
        Self::OtherProtocol,
        Self::Fragment,
        Self::Broadcast,
        Self::Multicast,
        Self::Malformed,
    ];

    /// The name that its counters begin with.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Arp => "arp",
            Self::OtherType => "other_type",
            Self::Vlan => "vlan",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::Icmpv6 => "icmpv6",
            Self::Sctp => "sctp",
            Self::OtherProtocol => "other_proto",
            Self::Fragment => "fragment",
            Self::Broadcast => "broadcast",
            Self::Multicast => "multicast",
            Self::Malformed => "malformed",
        }
    }
}

/// Names of the size classes of RFC 2819, which counts the frame check sequence of 4 bytes.
pub(crate) const SIZE_NAMES: [&str; 7] =
    ["size.64", "size.65-127", "size.128-255", "size.256-511", "size.512-1023", "size.1024-1518", "size.1519-"];

/// The size class of a packet of `len` bytes without frame check sequence.
#[inline]
pub(crate) fn size_class(len: u16) -> usize {
    match u32::from(len) + 4 {
        ..=64 => 0,
        1519.. => 6,
        // 65 to 127 begin with bit 6, 128 to 255 with bit 7, and so on.
        size => (size.ilog2() - 5) as usize,
    }
}

/// The classes of a packet: by destination, tag, EtherType, IP protocol, and whether it is a fragment. A tag that was
/// stripped (`tag_stripped`) has been counted already.
#[inline]
pub(crate) fn of(bytes: &[u8], tag_stripped: bool) -> [Option<Class>; 5] {
    let Ok(frame) = Ethernet::parse(bytes) else { return [Some(Class::Malformed), None, None, None, None] };
    let group = match frame.destination() {
        mac if mac == Mac::BROADCAST => Some(Class::Broadcast),
        mac if mac.is_multicast() => Some(Class::Multicast),
        _ => None,
    };
    let tag = (ether_type::is_tag(frame.ether_type()) && !tag_stripped).then_some(Class::Vlan);
    let Ok((number, start)) = Ethernet::untagged(bytes) else {
        return [group, tag, Some(Class::Malformed), None, None];
    };
    let payload = bytes.get(start..).unwrap_or_default();
    let [kind, protocol, fragment] = match number {
        ether_type::IPV4 => of_ipv4(payload),
        ether_type::IPV6 => of_ipv6(payload),
        ether_type::ARP => [Some(Class::Arp), None, None],
        _ => [Some(Class::OtherType), None, None],
    };
    [group, tag, kind, protocol, fragment]
}

#[inline]
fn of_ipv4(payload: &[u8]) -> [Option<Class>; 3] {
    match Ipv4::parse(payload) {
        Ok(ip) => [Some(Class::Ipv4), Some(of_protocol(ip.protocol())), ip.is_fragment().then_some(Class::Fragment)],
        Err(_) => [Some(Class::Ipv4), None, Some(Class::Malformed)],
    }
}

#[inline]
fn of_ipv6(payload: &[u8]) -> [Option<Class>; 3] {
    match Ipv6::parse(payload).and_then(|ip| ip.carried(ip.payload)) {
        Ok(carried) => {
            let fragment = carried.is_fragment.then_some(Class::Fragment);
            [Some(Class::Ipv6), Some(of_protocol(carried.protocol)), fragment]
        }
        Err(_) => [Some(Class::Ipv6), None, Some(Class::Malformed)],
    }
}

#[inline]
fn of_protocol(number: u8) -> Class {
    match number {
        protocol::TCP => Class::Tcp,
        protocol::UDP => Class::Udp,
        protocol::ICMP => Class::Icmp,
        protocol::ICMPV6 => Class::Icmpv6,
        protocol::SCTP => Class::Sctp,
        _ => Class::OtherProtocol,
    }
}
