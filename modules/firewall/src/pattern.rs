//! What a rule is met by.

#[cfg(test)]
use crate::seen::Addresses;
use crate::seen::{NO_PORT, Seen, UNTAGGED};
use core::net::{Ipv4Addr, Ipv6Addr};
use perigee_guest::state::Prefix;

/// What a packet is to its connection, as bits.
pub(crate) mod state {
    /// It begins one, or none has been answered yet.
    pub(crate) const NEW: u8 = 1;
    /// Both sides have been heard.
    pub(crate) const ESTABLISHED: u8 = 2;
    /// An error about a packet of one.
    pub(crate) const RELATED: u8 = 4;
    /// It fits none, and cannot begin one.
    pub(crate) const INVALID: u8 = 8;
    /// Connections are not followed, or not of this protocol.
    pub(crate) const UNTRACKED: u8 = 16;
    /// Any of them.
    pub(crate) const ALL: u8 = 31;
}

/// Source and destination prefixes of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nets {
    V4(Prefix<Ipv4Addr>, Prefix<Ipv4Addr>),
    V6(Prefix<Ipv6Addr>, Prefix<Ipv6Addr>),
}

/// Numbers from one to another, both among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range<T> {
    pub(crate) from: T,
    pub(crate) to: T,
}

impl<T: PartialOrd + Copy> Range<T> {
    #[inline]
    pub(crate) fn has(self, number: T) -> bool {
        self.from <= number && number <= self.to
    }

    fn covers(self, other: Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }
}

/// All ports, and packets without one.
pub(crate) const ANY_PORT: Range<u32> = Range { from: 0, to: NO_PORT };
/// All VLANs, and packets without a tag.
pub(crate) const ANY_VLAN: Range<u16> = Range { from: 0, to: UNTAGGED };
/// Stands for any protocol.
pub(crate) const ANY_PROTOCOL: u16 = 0x100;
/// Stands for any port of the run.
pub(crate) const ANY_LINK: u8 = u8::MAX;

/// What a packet must have beside its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) source_port: Range<u32>,
    pub(crate) destination_port: Range<u32>,
    pub(crate) vlan: Range<u16>,
    pub(crate) protocol: u16,
    /// Of the flags in the mask exactly these are set.
    pub(crate) flags: u8,
    pub(crate) flags_mask: u8,
    pub(crate) in_port: u8,
    pub(crate) out_port: u8,
    /// Bits of [`state`].
    pub(crate) states: u8,
}

impl Tail {
    /// Met by every packet.
    pub(crate) const ANY: Self = Self {
        source_port: ANY_PORT,
        destination_port: ANY_PORT,
        vlan: ANY_VLAN,
        protocol: ANY_PROTOCOL,
        flags: 0,
        flags_mask: 0,
        in_port: ANY_LINK,
        out_port: ANY_LINK,
        states: state::ALL,
    };

    /// Whether a packet meets it.
    #[inline]
    pub(crate) fn is_met_by(&self, seen: &Seen) -> bool {
        self.destination_port.has(seen.destination_port)
            && (self.protocol == ANY_PROTOCOL || self.protocol == u16::from(seen.protocol))
            && self.states & seen.state != 0
            && self.source_port.has(seen.source_port)
            && seen.flags & self.flags_mask == self.flags
            && self.vlan.has(seen.vlan)
            && (self.in_port == ANY_LINK || u16::from(self.in_port) == seen.in_port)
            && (self.out_port == ANY_LINK || u16::from(self.out_port) == seen.out_port)
    }

    /// Whether every packet that meets the other one meets this one.
    fn covers(&self, other: &Self) -> bool {
        self.destination_port.covers(other.destination_port)
            && self.source_port.covers(other.source_port)
            && self.vlan.covers(other.vlan)
            && (self.protocol == ANY_PROTOCOL || self.protocol == other.protocol)
            && self.states & other.states == other.states
            && self.flags_mask & other.flags_mask == self.flags_mask
            && other.flags & self.flags_mask == self.flags
            && (self.in_port == ANY_LINK || self.in_port == other.in_port)
            && (self.out_port == ANY_LINK || self.out_port == other.out_port)
    }
}

/// What a rule is met by; a rule with lists has one for each combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// The rule's number, from 0.
    pub(crate) rule: u32,
    pub(crate) nets: Nets,
    pub(crate) tail: Tail,
}

impl Pattern {
    /// Whether a packet meets it.
    #[cfg(test)]
    pub(crate) fn is_met_by(&self, seen: &Seen) -> bool {
        let in_nets = match (self.nets, seen.addresses) {
            (Nets::V4(from, to), Addresses::V4(source, destination)) => {
                from.contains(source) && to.contains(destination)
            }
            (Nets::V6(from, to), Addresses::V6(source, destination)) => {
                from.contains(source) && to.contains(destination)
            }
            _ => false,
        };
        in_nets && self.tail.is_met_by(seen)
    }

    /// Whether every packet that meets the other one meets this one.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let nets = match (self.nets, other.nets) {
            (Nets::V4(from, to), Nets::V4(other_from, other_to)) => {
                contains(from, other_from) && contains(to, other_to)
            }
            (Nets::V6(from, to), Nets::V6(other_from, other_to)) => {
                contains(from, other_from) && contains(to, other_to)
            }
            _ => false,
        };
        nets && self.tail.covers(&other.tail)
    }
}

/// Whether one prefix lies in another.
fn contains<A: perigee_guest::state::Address>(outer: Prefix<A>, inner: Prefix<A>) -> bool {
    outer.len() <= inner.len() && outer.contains(inner.address())
}
