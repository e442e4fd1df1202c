//! What is written into the payload of a packet before it comes to the function: what it was, and when. So whoever sees it behind the
//! function knows both.

use crate::seen::{ACK, SYN, Seen, TCP, v6, word};
use alloc::collections::BTreeMap;
use core::fmt;
use core::net::{IpAddr, Ipv6Addr};

/// Bytes of a stamp.
pub(crate) const LEN: usize = 60;
const MAGIC: [u8; 4] = *b"seed";

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A host has sent it by itself.
    Question,
    /// Who got a question has sent it back.
    Answer,
    /// The same, from a port that was not asked: nobody has asked for it.
    Stray,
    /// The third packet of a connection of TCP: whoever has asked for the connection says that it has it.
    Ack,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Question, Self::Answer, Self::Stray, Self::Ack];

    /// Whether it goes to whoever was asked.
    pub(crate) fn is_forth(self) -> bool {
        matches!(self, Self::Question | Self::Ack)
    }
}

/// An endpoint of a flow.
pub(crate) type End = (IpAddr, u16);

/// Which packets belong together: as the one who asks has sent them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Flow {
    pub(crate) source: End,
    pub(crate) destination: End,
    pub(crate) protocol: u8,
}

/// Short enough for a line of the log.
impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((source, from), (destination, to)) = (self.source, self.destination);
        write!(f, "protocol {} {source} {from} > {destination} {to}", self.protocol)
    }
}

/// What a packet was when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) kind: Kind,
    pub(crate) ttl: u8,
    pub(crate) flow: Flow,
    /// From 1, without gaps, in each flow.
    pub(crate) number: u32,
    /// When it was sent, in nanoseconds of the run.
    pub(crate) time: u64,
}

fn wide(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn narrow(address: Ipv6Addr) -> IpAddr {
    address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4)
}

impl Stamp {
    /// Reads the stamp of a packet, where it has one.
    pub(crate) fn read(bytes: &[u8], seen: &Seen) -> Option<Self> {
        let bytes = bytes.get(seen.data..seen.end).filter(|data| data.len() >= LEN && data.starts_with(&MAGIC))?;
        let kind = *Kind::ALL.get(usize::from(bytes[4]))?;
        let number = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        let time = bytes[12..20].iter().fold(0, |time, byte| time << 8 | u64::from(*byte));
        let flow = Flow {
            source: (narrow(v6(bytes, 24)), word(bytes, 20)),
            destination: (narrow(v6(bytes, 40)), word(bytes, 22)),
            protocol: bytes[5],
        };
        Some(Self { kind, ttl: bytes[6], flow, number, time })
    }

    /// Writes it. The packet has room for it.
    pub(crate) fn write(&self, bytes: &mut [u8], seen: &Seen) -> bool {
        let Some(bytes) = bytes.get_mut(seen.data..seen.end).filter(|data| data.len() >= LEN) else { return false };
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&[self.kind as u8, self.flow.protocol, self.ttl, 0]);
        bytes[8..12].copy_from_slice(&self.number.to_be_bytes());
        bytes[12..20].copy_from_slice(&self.time.to_be_bytes());
        bytes[20..22].copy_from_slice(&self.flow.source.1.to_be_bytes());
        bytes[22..24].copy_from_slice(&self.flow.destination.1.to_be_bytes());
        bytes[24..40].copy_from_slice(&wide(self.flow.source.0).octets());
        bytes[40..56].copy_from_slice(&wide(self.flow.destination.0).octets());
        true
    }
}

/// Numbers the packets of each flow.
#[derive(Default)]
pub(crate) struct Stamper {
    last: BTreeMap<Flow, u32>,
}

impl Stamper {
    /// Stamps a packet. The first one of a TCP connection becomes a SYN, all others belong to an open one.
    pub(crate) fn stamp(&mut self, bytes: &mut [u8], now: u64) -> bool {
        let Some(seen) = Seen::read(bytes) else { return false };
        let flow = Flow {
            source: (seen.source, seen.ports.0),
            destination: (seen.destination, seen.ports.1),
            protocol: seen.protocol,
        };
        let last = self.last.entry(flow).or_insert(0);
        let stamp = Stamp { kind: Kind::Question, ttl: seen.ttl, flow, number: *last + 1, time: now };
        if !stamp.write(bytes, &seen) {
            return false;
        }
        *last += 1;
        if seen.protocol == TCP {
            bytes[seen.l4 + 4..seen.l4 + 8].copy_from_slice(&stamp.number.to_be_bytes());
            bytes[seen.l4 + 13] = if stamp.number == 1 { SYN } else { ACK };
        }
        seen.fill_checksums(bytes);
        true
    }
}
