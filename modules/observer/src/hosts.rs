//! The hosts at this end of a wire: they say where they are when they are asked, and send back what they get.

use crate::config::Config;
use crate::seen::{ACK, ECHO_REPLY, ECHO6_REPLY, ICMP, ICMPV6, IP, SYN, Seen, TCP, mac, v4, v6, word};
use crate::stamp::{Kind, Stamp};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};
use perigee_guest::Refusal;
use perigee_guest::wire::Mac;

/// A host, with all MAC addresses that it has had.
struct Host {
    address: IpAddr,
    /// From when on it has which; the last one is the newest.
    macs: Vec<(u64, Mac)>,
    silent: bool,
}

/// The hosts.
pub(crate) struct Hosts {
    hosts: Vec<Host>,
    /// For so long a packet may still go to the MAC address that a host had before.
    stale: u64,
    answers: bool,
    /// Each so many answers one comes from a port that was not asked; 0: none.
    stray: u32,
    /// Until then: later nothing may be missing.
    stray_until: u64,
}

/// What a message says of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Mac(Mac),
    Silent,
    Back,
}

impl Hosts {
    pub(crate) fn new(config: &Config<'_>) -> Self {
        let host = |host: &crate::config::Host| Host {
            address: host.address,
            macs: [(0, host.mac)].into_iter().collect(),
            silent: false,
        };
        Self {
            hosts: config.hosts.0.iter().map(host).collect(),
            stale: config.stale * 1_000_000,
            answers: config.answers,
            stray: config.stray,
            stray_until: config.whole.map_or(u64::MAX, |(from, _)| from * 1_000_000),
        }
    }

    fn find(&self, address: IpAddr) -> Option<&Host> {
        self.hosts.iter().find(|host| host.address == address)
    }

    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.find(address).is_some()
    }

    /// Where a host is now; nothing of one that is not here.
    pub(crate) fn mac(&self, address: IpAddr) -> Option<Mac> {
        self.find(address)?.macs.last().map(|(_, mac)| *mac)
    }

    /// Whether a packet that was sent at `sent` and has come now may be at this MAC address of a host.
    pub(crate) fn may_be_at(&self, address: IpAddr, mac: Mac, sent: u64) -> bool {
        let Some(host) = self.find(address) else { return false };
        let ends = host.macs.iter().skip(1).map(|(since, _)| *since).chain([u64::MAX]);
        let mut had = host.macs.iter().zip(ends);
        had.any(|((_, at), until)| *at == mac && until.saturating_add(self.stale) > sent)
    }

    /// Whether a packet comes to a host where it is now. True of hosts that are not here: somebody stands behind the next hop.
    pub(crate) fn is_now_at(&self, seen: &Seen) -> bool {
        let mut hosts = self.hosts.iter().filter(|host| host.macs.iter().any(|(_, mac)| *mac == seen.to)).peekable();
        hosts.peek().is_none() || hosts.any(|host| host.macs.last().is_some_and(|(_, mac)| *mac == seen.to))
    }

    /// Something becomes of a host.
    pub(crate) fn change(&mut self, address: IpAddr, change: Change, now: u64) {
        for host in self.hosts.iter_mut().filter(|host| host.address == address) {
            match change {
                Change::Mac(mac) => host.macs.push((now, mac)),
                Change::Silent => host.silent = true,
                Change::Back => host.silent = false,
            }
        }
    }

    /// Whether a host's address is one of here, as messages need it.
    pub(crate) fn known(&self, address: IpAddr) -> Result<(), Refusal> {
        if self.has(address) { Ok(()) } else { Err(Refusal::new("there is no such host among `hosts`")) }
    }

    /// Answers a question for a MAC address, where it asks for one of these and comes to it.
    pub(crate) fn answer_neighbour(&self, bytes: &mut [u8]) -> bool {
        match bytes.len() {
            0..42 => false,
            _ if word(bytes, 12) == 0x0806 => self.answer_arp(bytes),
            _ => Seen::read(bytes)
                .filter(|seen| seen.is_discovery(bytes))
                .is_some_and(|seen| self.answer_nd(bytes, &seen)),
        }
    }

    /// Where the host is, if it answers and a frame to this MAC address comes to it.
    fn awake(&self, address: IpAddr, to: Mac) -> Option<Mac> {
        self.find(address).filter(|host| !host.silent)?;
        self.mac(address).filter(|mac| to.is_multicast() || to == *mac)
    }

    fn answer_arp(&self, bytes: &mut [u8]) -> bool {
        let (asker, target) = (v4(bytes, IP + 14), v4(bytes, IP + 24));
        let Some(own) = self.awake(target.into(), mac(bytes, 0)).filter(|_| word(bytes, IP + 6) == 1) else {
            return false;
        };
        let asker_mac = mac(bytes, IP + 8);
        bytes[IP + 7] = 2;
        bytes[IP + 8..IP + 14].copy_from_slice(&own.0);
        bytes[IP + 14..IP + 18].copy_from_slice(&target.octets());
        bytes[IP + 18..IP + 24].copy_from_slice(&asker_mac.0);
        bytes[IP + 24..IP + 28].copy_from_slice(&asker.octets());
        write_macs(bytes, asker_mac, own);
        true
    }

    /// Turns a solicitation into the advertisement that answers it: what both have in common stays, such as their lengths.
    fn answer_nd(&self, bytes: &mut [u8], seen: &Seen) -> bool {
        // Header, target, and the MAC address of who asks.
        if bytes[seen.l4] != 135 || seen.end != seen.l4 + 32 || seen.source == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
            return false;
        }
        let target = v6(bytes, seen.l4 + 8);
        let (Some(own), IpAddr::V6(asker)) = (self.awake(target.into(), seen.to), seen.source) else { return false };
        bytes[IP + 8..IP + 24].copy_from_slice(&target.octets());
        bytes[IP + 24..IP + 40].copy_from_slice(&asker.octets());
        // An advertisement, which was asked for and replaces what was known.
        bytes[seen.l4..seen.l4 + 8].copy_from_slice(&[136, 0, 0, 0, 0x60, 0, 0, 0]);
        bytes[seen.l4 + 24..seen.l4 + 26].copy_from_slice(&[2, 1]);
        bytes[seen.l4 + 26..seen.l4 + 32].copy_from_slice(&own.0);
        write_macs(bytes, seen.from, own);
        let answer = Seen { source: target.into(), destination: asker.into(), protocol: ICMPV6, ..*seen };
        answer.fill_checksums(bytes);
        true
    }

    /// Turns a question into its answer, where hosts here answer and it came to one that does; and the answer to a SYN into what
    /// acknowledges it.
    pub(crate) fn answer(&self, bytes: &mut [u8], seen: &Seen, stamp: &Stamp, now: u64) -> bool {
        // An echo asks no port.
        let is_echo = matches!(seen.protocol, ICMP | ICMPV6);
        let is_stray = !is_echo && self.stray != 0 && stamp.number.is_multiple_of(self.stray) && now < self.stray_until;
        let kind = match stamp.kind {
            Kind::Question if !self.answers => return false,
            Kind::Question if is_stray => Kind::Stray,
            Kind::Question => Kind::Answer,
            Kind::Answer if seen.flags & (SYN | ACK) == SYN | ACK => Kind::Ack,
            _ => return false,
        };
        if self.find(seen.destination).is_some_and(|host| host.silent) {
            return false;
        }
        let asked = if kind == Kind::Stray { seen.ports.1.wrapping_add(1) } else { seen.ports.1 };
        let answer = Seen { source: seen.destination, destination: seen.source, ports: (asked, seen.ports.0), ..*seen };
        let len = if seen.source.is_ipv4() { 4 } else { 16 };
        let at = if seen.source.is_ipv4() { IP + 12 } else { IP + 8 };
        let (first, second) = bytes[at..at + 2 * len].split_at_mut(len);
        first.swap_with_slice(second);
        if is_echo {
            bytes[seen.l4] = if seen.protocol == ICMP { ECHO_REPLY } else { ECHO6_REPLY };
        } else {
            bytes[seen.l4..seen.l4 + 2].copy_from_slice(&answer.ports.0.to_be_bytes());
            bytes[seen.l4 + 2..seen.l4 + 4].copy_from_slice(&answer.ports.1.to_be_bytes());
        }
        if seen.protocol == TCP {
            // What was a sequence number is acknowledged.
            let number = stamp.number.wrapping_add(1);
            bytes[seen.l4 + 4..seen.l4 + 8].copy_from_slice(&stamp.number.to_be_bytes());
            bytes[seen.l4 + 8..seen.l4 + 12].copy_from_slice(&number.to_be_bytes());
            bytes[seen.l4 + 13] = if kind != Kind::Ack && seen.flags & SYN != 0 { SYN | ACK } else { ACK };
        }
        bytes[if seen.source.is_ipv4() { IP + 8 } else { IP + 7 }] = 64;
        Stamp { kind, ttl: 64, time: now, ..*stamp }.write(bytes, seen);
        write_macs(bytes, seen.from, seen.to);
        answer.fill_checksums(bytes);
        true
    }
}

fn write_macs(bytes: &mut [u8], to: Mac, from: Mac) {
    bytes[..6].copy_from_slice(&to.0);
    bytes[6..12].copy_from_slice(&from.0);
}
