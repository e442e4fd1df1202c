//! Stacks of all headers, and packets of them.

use super::Random;
use super::{app_stacks, more_stacks};
use perigee_guest::wire::*;

/// A stack without its type.
pub struct AnyStack {
    pub name: &'static str,
    pub parts: &'static [PartInfo],
    pub len: usize,
    /// Makes a packet of it, with sensible values and right lengths and checksums.
    pub fill: fn(&mut [u8]),
    pub fill_checksums: fn(&mut [u8]),
    pub parse: fn(&[u8]) -> Result<(), Error>,
}

/// Declares stacks, and lists them. What follows `=>` sets what the defaults leave open.
macro_rules! stacks {
    ($list:ident; $($name:ident { $($part:ident: $kind:ty),+ $(,)? } $(=> $set:expr)?;)+) => {
        $(perigee_guest::stack! { pub struct $name { $($part: $kind),+ } })+

        pub const $list: &[AnyStack] = &[$(AnyStack {
            name: stringify!($name),
            parts: <$name as Stack>::PARTS,
            len: size_of::<$name>(),
            fill: |packet| {
                #[allow(unused_mut, unused_assignments, reason = "most stacks need nothing more")]
                let mut set: fn(&mut $name) = |_| {};
                $(set = $set;)?
                <$name as Stack>::fill(packet, set).unwrap();
            },
            fill_checksums: <$name as Stack>::fill_checksums,
            parse: |packet| <$name as Stack>::parse(packet).map(|_| ()),
        }),+];
    };
}

pub(crate) use stacks;

/// All stacks.
pub fn all() -> impl Iterator<Item = &'static AnyStack> {
    STACKS.iter().chain(more_stacks::MORE_STACKS).chain(app_stacks::APP_STACKS)
}

/// Maximum segment size and window scale, with nothing before it.
const SYN_OPTIONS: [u8; 8] = [2, 4, 5, 0xb4, 1, 3, 3, 7];
/// Router alert (RFC 2113), and the end of options.
const IP_OPTIONS: [u8; 8] = [0x94, 4, 0, 0, 0, 0, 0, 0];

stacks! { STACKS;
    Frame { eth: Ethernet } => |p| p.eth.set_ether_type(0x88b5);
    ArpFrame { eth: Ethernet, arp: Arp };
    ArpTagged { eth: Ethernet, tag: Vlan, arp: Arp };
    Ip4 { eth: Ethernet, ip: Ipv4 } => |p| p.ip.set_protocol(253);
    Ip6 { eth: Ethernet, ip: Ipv6 } => |p| p.ip.set_next_header(252);
    Udp4 { eth: Ethernet, ip: Ipv4, udp: Udp };
    Udp4Tagged { eth: Ethernet, outer: Vlan, inner: Vlan, ip: Ipv4, udp: Udp } => |p| p.eth.set_ether_type(0x88a8);
    Udp4Options { eth: Ethernet, ip: With<Ipv4, 8>, udp: Udp } => |p| p.ip.options = IP_OPTIONS;
    Udp6 { eth: Ethernet, ip: Ipv6, udp: Udp };
    Tcp4 { eth: Ethernet, ip: Ipv4, tcp: Tcp };
    Tcp6Options { eth: Ethernet, tag: Vlan, ip: Ipv6, tcp: With<Tcp, 8> } => |p| {
        p.tcp.options = SYN_OPTIONS;
        p.tcp.set_syn(true);
    };
    Ping4 { eth: Ethernet, ip: Ipv4, icmp: Icmp, echo: IcmpEcho };
    Ping6 { eth: Ethernet, ip: Ipv6, icmp: Icmpv6, echo: IcmpEcho };
    Solicitation { eth: Ethernet, ip: Ipv6, icmp: Icmpv6, question: NeighborSolicitation } => |p| p.ip.set_hop_limit(255);
    Advertisement { eth: Ethernet, ip: Ipv6, icmp: Icmpv6, answer: NeighborAdvertisement } => |p| p.ip.set_hop_limit(255);
    Ip4InIp4 { eth: Ethernet, outer: Ipv4, inner: Ipv4, udp: Udp };
    Ip6InIp4 { eth: Ethernet, outer: Ipv4, inner: Ipv6, tcp: Tcp };
    Ip4InIp6 { eth: Ethernet, outer: Ipv6, inner: Ipv4, icmp: Icmp, echo: IcmpEcho };
    VxlanIn4 {
        eth: Ethernet, ip: Ipv4, udp: Udp, vxlan: Vxlan, inner_eth: Ethernet, inner_ip: Ipv4, inner_udp: Udp
    };
    VxlanIn6 {
        eth: Ethernet, tag: Vlan, ip: Ipv6, udp: Udp, vxlan: Vxlan, inner_eth: Ethernet, inner_tag: Vlan,
        inner_ip: Ipv6, inner_tcp: With<Tcp, 8>
    } => |p| {
        p.inner_tcp.options = SYN_OPTIONS;
        p.inner_tcp.set_syn(true);
    };
}

/// What follows the headers of a stack where random bytes would be malformed.
const TAILS: &[(&str, &[u8])] =
    &[("Solicitation", &[1, 1, 2, 0, 0, 0, 0, 1]), ("Advertisement", &[2, 1, 2, 0, 0, 0, 0, 1])];

/// Fields of a header, or of all headers of a stack, that keep their sensible value in random packets, and why others would
/// read the rest in another way.
const KEPT: &[(&str, &str, &str)] = &[
    ("Ip4", "protocol", "another protocol's number before random bytes"),
    ("Ip6", "next_header", "another protocol's number before random bytes"),
    ("Frame", "ether_type", "another protocol's number before random bytes"),
    ("VXLAN", "flags", "0x04 makes it VXLAN-GPE, of a draft, where another protocol than Ethernet may follow"),
];

/// Places of a packet's headers as dissecting finds them.
fn places(packet: &[u8]) -> Vec<(&'static str, usize, usize, usize)> {
    let place = |place: Place| (place.name(), place.start, place.measured.header_len, place.measured.total_len);
    Layers::new(packet).map(place).collect()
}

impl AnyStack {
    /// A packet with sensible values and a random payload, or that which its last header needs.
    pub fn plain(&self, random: &mut Random, payload: usize) -> Vec<u8> {
        let tail = TAILS
            .iter()
            .chain(more_stacks::TAILS)
            .chain(app_stacks::TAILS)
            .find(|(name, _)| *name == self.name)
            .map(|(_, tail)| *tail);
        let mut packet = vec![0; self.len + tail.map_or(payload, <[u8]>::len)];
        match tail {
            Some(tail) => packet[self.len..].copy_from_slice(tail),
            None => random.fill(&mut packet[self.len..]),
        }
        (self.fill)(&mut packet);
        assert_eq!((self.parse)(&packet), Ok(()), "{} does not parse what it made", self.name);
        packet
    }

    /// A packet in which every field has a random value, but for those on which it depends which headers follow, and where
    /// they lie: a value that changes this is taken back.
    pub fn random(&self, random: &mut Random, payload: usize) -> Vec<u8> {
        let mut packet = self.plain(random, payload);
        let expected = places(&packet);
        for part in self.parts {
            let header = part.info.format.name;
            for field in part.info.format.fields {
                if KEPT
                    .iter()
                    .chain(more_stacks::KEPT)
                    .chain(app_stacks::KEPT)
                    .any(|(of, name, _)| (*of == header || *of == self.name) && *name == field.name)
                {
                    continue;
                }
                let field = field.after(part.start);
                let before = packet.clone();
                let value = random.value();
                // Between 30,000 and 40,000 nobody expects a protocol.
                let value =
                    if field.name.ends_with("_port") && field.bits == 16 { 30_000 + value % 10_000 } else { value };
                field.set(&mut packet, value);
                // Where nobody says that IPv4 follows, only its checksum does.
                (self.fill_checksums)(&mut packet);
                if places(&packet) != expected || (self.parse)(&packet).is_err() {
                    packet = before;
                }
            }
        }
        (self.fill_checksums)(&mut packet);
        packet
    }
}
