//! Which connection a packet is of.

use crate::seen::{Addresses, Seen};
use perigee_guest::wire::protocol;

/// Bytes of a key.
pub(super) const KEY_LEN: usize = 40;

/// What tells one connection from another: the same for both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The side with the smaller address and port; of ICMP the one that asks.
    a: (u128, u16),
    b: (u128, u16),
    /// Two VLANs may have the same addresses.
    vlan: u16,
    protocol: u8,
}

/// How a packet goes, seen from its connection's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the first side to the second.
    AToB,
    BToA,
}

impl Way {
    fn of(is_from_a: bool) -> Self {
        if is_from_a { Self::AToB } else { Self::BToA }
    }
}

/// Why a packet has no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// It is not followed: neighbour discovery, group membership.
    Untracked,
    /// It belongs to a connection or to none, by its own words: an error, which quotes a packet.
    Error,
    /// It cannot be of a connection.
    Invalid,
}

/// What is known of an ICMP type.
enum Query {
    /// A question, under the number of questions and answers of its kind.
    Question(u16),
    Answer(u16),
}

fn query(kind: u8, is_v6: bool) -> Result<Query, NoKey> {
    match (is_v6, kind) {
        // RFC 792: echo, timestamp, information; RFC 950: address mask.
        (false, 8 | 13 | 15 | 17) => Ok(Query::Question(kind.into())),
        (false, 0) => Ok(Query::Answer(8)),
        (false, 14 | 16 | 18) => Ok(Query::Answer(u16::from(kind) - 1)),
        (false, 3 | 4 | 5 | 11 | 12) | (true, 0..128) => Err(NoKey::Error),
        (true, 128) => Ok(Query::Question(128)),
        (true, 129) => Ok(Query::Answer(128)),
        // RFC 2710 and 3810: group membership; RFC 4861: neighbour discovery. Not redirects, which tell where packets go.
        (true, 130..=136 | 143) => Err(NoKey::Untracked),
        _ => Err(NoKey::Invalid),
    }
}

impl Key {
    /// Of a packet's addresses and the first bytes of what it carries.
    pub(super) fn new(addresses: Addresses, number: u8, vlan: u16, carried: &[u8]) -> Result<(Self, Way), NoKey> {
        let (source, destination) = addresses.wide();
        let is_v6 = matches!(addresses, Addresses::V6(..));
        let word = |at: usize| {
            let bytes = carried.get(at..).and_then(|rest| rest.first_chunk::<2>());
            bytes.map(|bytes| u16::from_be_bytes(*bytes)).ok_or(NoKey::Invalid)
        };
        let key = |a, b| Self { a, b, vlan, protocol: number };
        match number {
            protocol::TCP | protocol::UDP | protocol::SCTP => {
                let (from, to) = ((source, word(0)?), (destination, word(2)?));
                let is_from_a = from <= to;
                Ok((if is_from_a { key(from, to) } else { key(to, from) }, Way::of(is_from_a)))
            }
            protocol::ICMP | protocol::ICMPV6 if (number == protocol::ICMPV6) == is_v6 => {
                let kind = *carried.first().ok_or(NoKey::Invalid)?;
                let identifier = || word(4);
                match query(kind, is_v6)? {
                    Query::Question(kind) => Ok((key((source, identifier()?), (destination, kind)), Way::AToB)),
                    Query::Answer(kind) => Ok((key((destination, identifier()?), (source, kind)), Way::BToA)),
                }
            }
            _ => {
                let is_from_a = source <= destination;
                let (a, b) = if is_from_a { (source, destination) } else { (destination, source) };
                Ok((key((a, 0), (b, 0)), Way::of(is_from_a)))
            }
        }
    }

    /// Of a packet.
    pub(super) fn of(seen: &Seen, bytes: &[u8]) -> Result<(Self, Way), NoKey> {
        let carried = bytes.get(usize::from(seen.transport)..usize::from(seen.end)).unwrap_or_default();
        Self::new(seen.addresses, seen.protocol, seen.vlan, carried)
    }

    /// As bytes.
    pub(super) fn bytes(self) -> [u8; KEY_LEN] {
        let mut bytes = [0; KEY_LEN];
        bytes[..16].copy_from_slice(&self.a.0.to_be_bytes());
        bytes[16..32].copy_from_slice(&self.b.0.to_be_bytes());
        bytes[32..34].copy_from_slice(&self.a.1.to_be_bytes());
        bytes[34..36].copy_from_slice(&self.b.1.to_be_bytes());
        bytes[36..38].copy_from_slice(&self.vlan.to_be_bytes());
        bytes[38] = self.protocol;
        bytes
    }
}
