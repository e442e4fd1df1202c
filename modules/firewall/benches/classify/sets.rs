//! Rule sets with the shapes that ClassBench (Taylor and Turner, IEEE/ACM Transactions on Networking, 2007) names: access lists of
//! providers, firewalls, and chains of Linux' filter.
//!
//! What is taken from there: prefixes nest and are shared by many rules; ports are any, above 1023, below 1024, one, or some range (WC,
//! HI, LO, EM, AR there); access lists are specific in their destination, firewalls have many wildcards. Its files of measured
//! distributions are not used: the proportions below are ours, and so are the addresses.

use crate::pattern::{ANY_PORT, ANY_PROTOCOL, Nets, Pattern, Range, Tail, state};
use crate::seen::{Addresses, NO_PORT, Seen, UNTAGGED};
use core::net::Ipv4Addr;
use perigee_guest::Lcg64;
use perigee_guest::state::Prefix;

/// What a set is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    Acl,
    Fw,
    Ipc,
}

impl Shape {
    pub const ALL: [Self; 3] = [Self::Acl, Self::Fw, Self::Ipc];

    pub fn name(self) -> &'static str {
        match self {
            Self::Acl => "acl",
            Self::Fw => "fw",
            Self::Ipc => "ipc",
        }
    }

    /// Of a hundred rules: any source, any destination; any port, one, above 1023, below 1024 (the rest is some range); TCP, UDP (the
    /// rest has no ports).
    fn parts(self) -> Parts {
        match self {
            Self::Acl => {
                Parts { any_source: 20, any_destination: 2, any: 20, one: 60, high: 8, low: 2, tcp: 75, udp: 17 }
            }
            Self::Fw => {
                Parts { any_source: 45, any_destination: 30, any: 30, one: 50, high: 8, low: 2, tcp: 55, udp: 30 }
            }
            Self::Ipc => {
                Parts { any_source: 10, any_destination: 10, any: 45, one: 40, high: 5, low: 1, tcp: 50, udp: 30 }
            }
        }
    }
}

struct Parts {
    any_source: u64,
    any_destination: u64,
    any: u64,
    one: u64,
    high: u64,
    low: u64,
    tcp: u64,
    udp: u64,
}

/// A set.
pub struct Set {
    pub patterns: Vec<Pattern>,
}

/// Random numbers.
struct Random(Lcg64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        u64::from(self.0.below(limit))
    }
}

impl Set {
    /// So many rules, and at the end one for all packets.
    pub fn new(shape: Shape, count: usize, seed: u64) -> Self {
        let mut random = Random(Lcg64::new(seed));
        let parts = shape.parts();
        // As many networks as would share the rules among them, eight each.
        let networks: Vec<u32> = (0..count / 8 + 1).map(|_| 0x0a00_0000 | random.below(1 << 24) as u32).collect();
        let mut patterns: Vec<Pattern> = Vec::with_capacity(count);
        for rule in 0..count as u32 - 1 {
            let source = prefix(&mut random, &networks, parts.any_source);
            let destination = prefix(&mut random, &networks, parts.any_destination);
            let tail = tail(&mut random, &parts);
            patterns.push(Pattern { rule, nets: Nets::V4(source, destination), tail });
        }
        let any = Prefix::new(Ipv4Addr::UNSPECIFIED, 0).expect("no bits");
        patterns.push(Pattern { rule: count as u32 - 1, nets: Nets::V4(any, any), tail: Tail::ANY });
        Self { patterns }
    }

    /// Packets of rules that are drawn, each somewhere in what its rule is met by.
    pub fn packets(&self, count: usize, seed: u64) -> Vec<Seen> {
        let mut random = Random(Lcg64::new(seed));
        (0..count).map(|_| packet(&mut random, &self.patterns)).collect()
    }
}

/// A prefix in one of the networks: whole, a part of it, or one address.
fn prefix(random: &mut Random, networks: &[u32], any: u64) -> Prefix<Ipv4Addr> {
    if random.below(100) < any {
        return Prefix::new(Ipv4Addr::UNSPECIFIED, 0).expect("no bits");
    }
    let network = networks[random.below(networks.len() as u64) as usize];
    let len = [16, 20, 22, 24, 24, 24, 26, 28, 30, 32, 32, 32, 32, 32][random.below(14) as usize];
    let host = random.below(64) as u32;
    Prefix::new((network & 0xffff_ffc0 | host).into(), len).expect("at most 32 bits")
}

fn tail(random: &mut Random, parts: &Parts) -> Tail {
    let kind = random.below(100);
    if kind >= parts.tcp + parts.udp {
        let protocol = [1, 47, 50, ANY_PROTOCOL][random.below(4) as usize];
        return Tail { protocol, ..Tail::ANY };
    }
    let protocol = if kind < parts.tcp { 6 } else { 17 };
    let source_port = if random.below(100) < 10 { Range { from: 1_024, to: 65_535 } } else { ANY_PORT };
    let which = random.below(100);
    let range = |from: u64, to: u64| Range { from: from as u32, to: to as u32 };
    let destination_port = if which < parts.any {
        ANY_PORT
    } else if which < parts.any + parts.one {
        let port = [22, 25, 53, 80, 110, 123, 143, 161, 443, 445, 1433, 3306, 3389, 8080][random.below(14) as usize];
        let port = if random.below(3) == 0 { 1_024 + random.below(9_000) } else { port };
        range(port, port)
    } else if which < parts.any + parts.one + parts.high {
        range(1_024, 65_535)
    } else if which < parts.any + parts.one + parts.high + parts.low {
        range(0, 1_023)
    } else {
        let from = random.below(60_000);
        range(from, from + 1 + random.below(1_000))
    };
    Tail { source_port, destination_port, protocol, ..Tail::ANY }
}

fn packet(random: &mut Random, patterns: &[Pattern]) -> Seen {
    let pattern = patterns[random.below(patterns.len() as u64) as usize];
    let Nets::V4(source, destination) = pattern.nets else { unreachable!("all are of IPv4") };
    let mut inside = |prefix: Prefix<Ipv4Addr>| {
        let hosts = u64::from(prefix.last().to_bits() - prefix.address().to_bits()) + 1;
        Ipv4Addr::from_bits(prefix.address().to_bits() + random.below(hosts) as u32)
    };
    let (source, destination) = (inside(source), inside(destination));
    let mut port =
        |range: Range<u32>| range.from + random.below(u64::from(range.to.min(65_535) - range.from) + 1) as u32;
    let (source_port, destination_port) = (port(pattern.tail.source_port), port(pattern.tail.destination_port));
    let protocol = if pattern.tail.protocol == ANY_PROTOCOL { 17 } else { pattern.tail.protocol as u8 };
    let has_ports = protocol == 6 || protocol == 17;
    Seen {
        addresses: Addresses::V4(source, destination),
        protocol,
        source_port: if has_ports { source_port } else { NO_PORT },
        destination_port: if has_ports { destination_port } else { NO_PORT },
        flags: 0x10,
        vlan: UNTAGGED,
        in_port: 0,
        out_port: 1,
        state: state::UNTRACKED,
        part: None,
        network: 14,
        transport: 34,
        end: 54,
    }
}
