//! A flow rule as packets are compared with it, and rules compared with each other.

use super::key::{IPV4, IPV6, Key};
use super::{FlowMatch, PortRange};
use ipnet::IpNet;
use std::ops::RangeInclusive;

/// What a rule asks of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// It asks nothing: any packet meets it, whatever its tags are.
    any: bool,
    vlan: Option<u16>,
    ether_type: Option<u16>,
    /// It is about IP, whichever.
    ip: bool,
    src: Net,
    dst: Net,
    protocol: Option<u8>,
    ports: Option<[RangeInclusive<u16>; 2]>,
}

/// A network: its first address, and the bits that belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Net {
    address: u128,
    mask: u128,
}

const ALL_PORTS: RangeInclusive<u16> = 0..=u16::MAX;

impl Rule {
    /// The EtherType follows from the addresses, where there are any: a configuration in which they contradict each other has
    /// been refused.
    pub fn new(matches: &FlowMatch) -> Self {
        let family = matches.src.or(matches.dst).map(|net| if net.addr().is_ipv4() { IPV4 } else { IPV6 });
        let range = |range: &Option<PortRange>| range.as_ref().map_or(ALL_PORTS, |range| range.0.clone());
        let has_ports = matches.src_port.is_some() || matches.dst_port.is_some();
        Self {
            any: *matches == FlowMatch::default(),
            vlan: matches.vlan,
            ether_type: family.or(matches.ether_type),
            ip: family.is_some() || matches.protocol.is_some(),
            src: Net::of(matches.src),
            dst: Net::of(matches.dst),
            protocol: matches.protocol.map(|protocol| protocol.0),
            ports: has_ports.then(|| [range(&matches.src_port), range(&matches.dst_port)]),
        }
    }

    /// Whether a packet meets it.
    #[inline]
    pub fn meets(&self, key: &Key) -> bool {
        if self.any {
            return true;
        }
        if self.vlan != key.vlan || self.ether_type.is_some_and(|ether_type| ether_type != key.ether_type) {
            return false;
        }
        if !self.ip {
            return true;
        }
        let Some(ip) = &key.ip else { return false };
        let ports = |[src, dst]: &[RangeInclusive<u16>; 2]| {
            ip.ports.is_some_and(|ports| src.contains(&ports.0) && dst.contains(&ports.1))
        };
        self.src.contains(ip.src)
            && self.dst.contains(ip.dst)
            && self.protocol.is_none_or(|protocol| protocol == ip.protocol)
            && self.ports.as_ref().is_none_or(ports)
    }

    /// Whether every packet that meets the other one meets this one.
    pub fn covers(&self, other: &Self) -> bool {
        if self.any {
            return true;
        }
        let port = |ours: &RangeInclusive<u16>, theirs: &RangeInclusive<u16>| {
            ours.contains(theirs.start()) && ours.contains(theirs.end())
        };
        let ports = match (&self.ports, &other.ports) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ours), Some(theirs)) => ours.iter().zip(theirs).all(|(ours, theirs)| port(ours, theirs)),
        };
        let same = |ours: Option<u16>, theirs: Option<u16>| ours.is_none() || ours == theirs;
        !other.any
            && self.vlan == other.vlan
            && same(self.ether_type, other.ether_type)
            && (!self.ip || other.ip)
            && self.src.covers(other.src)
            && self.dst.covers(other.dst)
            && same(self.protocol.map(u16::from), other.protocol.map(u16::from))
            && ports
    }

    /// Whether some packet may meet both.
    pub fn overlaps(&self, other: &Self) -> bool {
        if self.any || other.any {
            return true;
        }
        let alike = |ours: Option<u16>, theirs: Option<u16>| ours.is_none() || theirs.is_none() || ours == theirs;
        let port = |ours: &RangeInclusive<u16>, theirs: &RangeInclusive<u16>| {
            ours.contains(theirs.start()) || theirs.contains(ours.start())
        };
        let ports = self.ports.as_ref().zip(other.ports.as_ref());
        self.vlan == other.vlan
            && self.type_alike(other)
            && self.src.overlaps(other.src)
            && self.dst.overlaps(other.dst)
            && alike(self.protocol.map(u16::from), other.protocol.map(u16::from))
            && ports.is_none_or(|(ours, theirs)| ours.iter().zip(theirs).all(|(ours, theirs)| port(ours, theirs)))
    }

    /// Whether one EtherType may meet both. A rule about IP, whichever, is met by its two types alone.
    fn type_alike(&self, other: &Self) -> bool {
        let may_be = |rule: &Self, ether_type: u16| match rule.ether_type {
            Some(own) => own == ether_type,
            None => !rule.ip || [IPV4, IPV6].contains(&ether_type),
        };
        match (self.ether_type, other.ether_type) {
            (Some(ether_type), _) => may_be(other, ether_type),
            (None, Some(ether_type)) => may_be(self, ether_type),
            (None, None) => true,
        }
    }
}

impl Net {
    /// Of no network: all addresses.
    fn of(net: Option<IpNet>) -> Self {
        match net {
            Some(IpNet::V4(net)) => {
                Self { address: u32::from(net.network()).into(), mask: u32::from(net.netmask()).into() }
            }
            Some(IpNet::V6(net)) => Self { address: net.network().into(), mask: net.netmask().into() },
            None => Self { address: 0, mask: 0 },
        }
    }

    #[inline]
    fn contains(self, address: u128) -> bool {
        address & self.mask == self.address
    }

    fn covers(self, other: Self) -> bool {
        other.mask & self.mask == self.mask && self.contains(other.address)
    }

    fn overlaps(self, other: Self) -> bool {
        self.address & other.mask == other.address & self.mask
    }
}
