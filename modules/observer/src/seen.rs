//! A packet as it is seen here: read by fixed places and summed up by a plain loop, so that nothing of it is shared with the functions
//! that are checked.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use perigee_guest::wire::Mac;

/// Where the IP header begins: behind Ethernet. No tags here.
pub(crate) const IP: usize = 14;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMP: u8 = 1;
pub(crate) const ICMPV6: u8 = 58;
/// Kinds of ICMP and ICMPv6.
pub(crate) const ECHO: u8 = 8;
pub(crate) const ECHO_REPLY: u8 = 0;
pub(crate) const ECHO6: u8 = 128;
pub(crate) const ECHO6_REPLY: u8 = 129;
/// Flags of TCP.
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

/// A whole IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) to: Mac,
    pub(crate) from: Mac,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) ttl: u8,
    pub(crate) protocol: u8,
    /// Of TCP and UDP. Of an echo its number, at the side that has asked; else 0.
    pub(crate) ports: (u16, u16),
    /// Of TCP; 0 of others.
    pub(crate) flags: u8,
    /// Where the header behind IP begins, where its payload does, and where the packet ends.
    pub(crate) l4: usize,
    pub(crate) data: usize,
    pub(crate) end: usize,
}

pub(crate) fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn mac(bytes: &[u8], at: usize) -> Mac {
    let mut mac = Mac([0; 6]);
    mac.0.copy_from_slice(&bytes[at..at + 6]);
    mac
}

pub(crate) fn v6(bytes: &[u8], at: usize) -> Ipv6Addr {
    let mut address = [0; 16];
    address.copy_from_slice(&bytes[at..at + 16]);
    address.into()
}

pub(crate) fn v4(bytes: &[u8], at: usize) -> Ipv4Addr {
    Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3])
}

/// Where what is behind the IP header lies, and what it is.
struct Behind {
    source: IpAddr,
    destination: IpAddr,
    ttl: u8,
    protocol: u8,
    l4: usize,
    end: usize,
}

fn read_ip(bytes: &[u8]) -> Option<Behind> {
    if bytes.len() < IP + 20 {
        return None;
    }
    match word(bytes, 12) {
        // Parts of packets are none of ours.
        0x0800 if bytes[IP] >> 4 == 4 && word(bytes, IP + 6) & 0x3fff == 0 => Some(Behind {
            source: v4(bytes, IP + 12).into(),
            destination: v4(bytes, IP + 16).into(),
            ttl: bytes[IP + 8],
            protocol: bytes[IP + 9],
            l4: IP + usize::from(bytes[IP] & 15) * 4,
            end: IP + usize::from(word(bytes, IP + 2)),
        }),
        0x86dd if bytes.len() >= IP + 40 => Some(Behind {
            source: v6(bytes, IP + 8).into(),
            destination: v6(bytes, IP + 24).into(),
            ttl: bytes[IP + 7],
            protocol: bytes[IP + 6],
            l4: IP + 40,
            end: IP + 40 + usize::from(word(bytes, IP + 4)),
        }),
        _ => None,
    }
}

impl Seen {
    /// Reads a frame. Nothing where it is no whole packet of TCP, UDP or ICMP in plain IP.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let Behind { source, destination, ttl, protocol, l4, end } = read_ip(bytes)?;
        let header = match protocol {
            TCP if end >= l4 + 20 && end <= bytes.len() => usize::from(bytes[l4 + 12] >> 4) * 4,
            UDP | ICMP | ICMPV6 => 8,
            _ => return None,
        };
        if end > bytes.len() || end < l4 + header {
            return None;
        }
        let ports = match (protocol, bytes[l4]) {
            (TCP | UDP, _) => (word(bytes, l4), word(bytes, l4 + 2)),
            (ICMP, ECHO) | (ICMPV6, ECHO6) => (word(bytes, l4 + 4), 0),
            (ICMP, ECHO_REPLY) | (ICMPV6, ECHO6_REPLY) => (0, word(bytes, l4 + 4)),
            _ => (0, 0),
        };
        Some(Self {
            to: mac(bytes, 0),
            from: mac(bytes, 6),
            source,
            destination,
            ttl,
            protocol,
            ports,
            flags: if protocol == TCP { bytes[l4 + 13] } else { 0 },
            l4,
            data: l4 + header,
            end,
        })
    }

    /// Whether it is an answer that says that a packet did not get through: a reset, or an error of ICMP.
    pub(crate) fn is_error(&self, bytes: &[u8]) -> bool {
        match self.protocol {
            TCP => self.flags & RST != 0,
            ICMP => matches!(bytes[self.l4], 3 | 11 | 12),
            ICMPV6 => bytes[self.l4] < 128,
            _ => false,
        }
    }

    /// Whether it belongs to neighbour discovery.
    pub(crate) fn is_discovery(&self, bytes: &[u8]) -> bool {
        self.protocol == ICMPV6 && (133..=137).contains(&bytes[self.l4])
    }

    /// Where the checksum behind IP stands.
    fn sum_at(&self) -> usize {
        match self.protocol {
            TCP => self.l4 + 16,
            UDP => self.l4 + 6,
            _ => self.l4 + 2,
        }
    }

    /// The sum over all that the checksum behind IP covers, itself among it: 0xffff where it is right.
    fn sum(&self, bytes: &[u8]) -> u16 {
        let body = &bytes[self.l4..self.end];
        if self.protocol == ICMP {
            return add_up(0, body);
        }
        let sum = match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => add_up(add_up(0, &source.octets()), &destination.octets()),
            (IpAddr::V6(source), IpAddr::V6(destination)) => add_up(add_up(0, &source.octets()), &destination.octets()),
            _ => 0,
        };
        let len = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
        add_up(add_up(add_up(sum, &len), &[0, self.protocol]), body)
    }

    /// What is wrong with its checksums.
    pub(crate) fn bad_checksum(&self, bytes: &[u8]) -> Option<&'static str> {
        if self.source.is_ipv4() && add_up(0, &bytes[IP..self.l4]) != 0xffff {
            return Some("IPv4");
        }
        // UDP over IPv4 may go without.
        let none = self.protocol == UDP && self.source.is_ipv4() && word(bytes, self.sum_at()) == 0;
        (!none && self.sum(bytes) != 0xffff).then_some("TCP, UDP or ICMP")
    }

    /// Makes its checksums right.
    pub(crate) fn fill_checksums(&self, bytes: &mut [u8]) {
        if self.source.is_ipv4() {
            bytes[IP + 10..IP + 12].fill(0);
            let sum = !add_up(0, &bytes[IP..self.l4]);
            bytes[IP + 10..IP + 12].copy_from_slice(&sum.to_be_bytes());
        }
        let at = self.sum_at();
        bytes[at..at + 2].fill(0);
        let sum = match !self.sum(bytes) {
            0 => 0xffff,
            sum => sum,
        };
        bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Adds words in ones' complement.
pub(crate) fn add_up(sum: u16, bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)));
    words.fold(sum, |sum, word| {
        let sum = u32::from(sum) + word;
        u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap_or(0xffff)
    })
}
