//! Entries of the tables. Addresses and ports are numbers in the machine's order.

use super::slab::Entry;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Most blocks of ports that a host can have.
pub(crate) const BLOCKS_MAX: usize = 8;

/// What a session is, which decides how long it lives and whether it goes for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Class {
    /// TCP: not all of the three segments of its beginning were seen.
    HalfOpen,
    /// UDP: nobody has answered.
    OneWay,
    /// ICMP query.
    Icmp,
    /// UDP: both have sent.
    Udp,
    /// TCP: open.
    Established,
    /// TCP: both have closed, or one has broken off.
    Closing,
    /// No session: says that an address outside may send to a mapping of TCP. Lives as long as sessions with that address.
    Permit,
}

impl Class {
    /// Classes whose sessions stand in a list.
    pub(crate) const LISTS: usize = 6;
    /// Those whose oldest session goes for a new one, first those that cost least: nobody has answered them yet.
    pub(crate) const EVICTABLE: [Self; 4] = [Self::HalfOpen, Self::OneWay, Self::Icmp, Self::Closing];
    const ALL: [Self; 7] =
        [Self::HalfOpen, Self::OneWay, Self::Icmp, Self::Udp, Self::Established, Self::Closing, Self::Permit];

    pub(crate) const fn of(number: u8) -> Self {
        Self::ALL[if number < 7 { number as usize } else { 6 }]
    }

    pub(crate) const fn number(self) -> u8 {
        self as u8
    }
}

/// A pair of endpoints that have exchanged packets, and the mapping that it uses.
///
/// Where the filter does not look at the remote endpoint, or not at its port, UDP and ICMP have 0 there: one session stands for
/// all that the filter does not tell apart.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Session {
    pub(crate) inside: u32,
    pub(crate) outside: u32,
    pub(crate) remote: u32,
    pub(crate) inside_port: u16,
    pub(crate) outside_port: u16,
    pub(crate) remote_port: u16,
    pub(crate) protocol: u8,
    pub(crate) class: u8,
    pub(crate) mapping: u32,
    /// Milliseconds of the clock at its last use, as exactly as its list keeps it; of a permit how many sessions it has.
    pub(crate) used: u32,
    /// Neighbours in the list of its class.
    pub(crate) previous: u32,
    pub(crate) next: u32,
    /// The next ones with the same hash: by inside and by outside endpoint.
    links: [u32; 2],
    /// Bits of [`crate::tcp`].
    pub(crate) flags: u32,
}

/// An endpoint inside and the one outside that stands for it (RFC 4787, section 4).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Mapping {
    pub(crate) inside: u32,
    pub(crate) outside: u32,
    pub(crate) inside_port: u16,
    pub(crate) outside_port: u16,
    pub(crate) protocol: u8,
    /// 1: a forward, which the configuration has made.
    pub(crate) is_forward: u8,
    pub(crate) spare: u16,
    /// Sessions that use it, permits included.
    pub(crate) sessions: u32,
    pub(crate) host: u32,
    links: [u32; 2],
}

/// A host inside.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Host {
    pub(crate) address: u32,
    link: u32,
    pub(crate) sessions: u32,
    pub(crate) half_open: u32,
    /// Its mappings that are no forwards.
    pub(crate) mappings: u32,
    /// Number of its address outside, from 1; 0: it has none yet.
    pub(crate) pool: u16,
    /// How many blocks of ports it has.
    pub(crate) block_count: u16,
    pub(crate) blocks: [u16; BLOCKS_MAX],
}

macro_rules! entry {
    ($type:ty, $($number:literal => $($field:tt).+ $([$at:literal])?),+) => {
        impl Entry for $type {
            fn link(&self, which: usize) -> u32 {
                match which {
                    $($number => self.$($field).+$([$at])?,)+
                    _ => 0,
                }
            }

            fn set_link(&mut self, which: usize, to: u32) {
                match which {
                    $($number => self.$($field).+$([$at])? = to,)+
                    _ => {}
                }
            }
        }
    };
}

entry!(Session, 0 => links[0], 1 => links[1]);
entry!(Mapping, 0 => links[0], 1 => links[1]);
entry!(Host, 0 => link);
