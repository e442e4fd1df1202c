//! Stacks of the headers beyond the common ones.

use super::stacks::AnyStack;
use perigee_guest::wire::*;

/// A stack is made by a macro of its own file, because two of them list their stacks.
use super::stacks::stacks;

/// Routers shall look at the packet (RFC 2113).
const ROUTER_ALERT: [u8; 4] = [0x94, 4, 0, 0];
/// The beginning of an IPv4 packet, as errors quote it: header, UDP ports and length.
const QUOTED4: [u8; 28] =
    [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0x66, 0xcf, 10, 0, 0, 1, 10, 0, 0, 2, 0x75, 0x30, 0x75, 0x31, 0, 8, 0, 0];
/// The beginning of an IPv6 packet.
const QUOTED6: [u8; 48] = {
    let mut packet = [0; 48];
    (packet[0], packet[5], packet[6], packet[7]) = (0x60, 8, 17, 64);
    (packet[8], packet[23], packet[24], packet[39]) = (0x20, 1, 0x20, 2);
    (packet[40], packet[41], packet[42], packet[43], packet[45]) = (0x75, 0x30, 0x75, 0x31, 8);
    (packet[46], packet[47]) = (0xd5, 0x79);
    packet
};
/// A router's options: prefix information and link MTU.
const ROUTER: [u8; 40] = {
    let mut options = [0; 40];
    (options[0], options[1], options[2], options[3]) = (3, 4, 64, 0xc0);
    (options[16], options[17], options[18], options[19]) = (0x20, 1, 0x0d, 0xb8);
    (options[32], options[33], options[38], options[39]) = (5, 1, 0x05, 0xdc);
    options
};
/// Of PPPoE's discovery: service name, host-uniq.
const TAGS: [u8; 12] = [1, 1, 0, 0, 1, 3, 0, 4, 1, 2, 3, 4];
const USER_DATA: [u8; 8] = *b"packets!";
/// SCTP's heartbeat: its only parameter.
const HEARTBEAT: [u8; 8] = [0, 1, 0, 8, 1, 2, 3, 4];
/// An option of GENEVE: class 0x0102 with four bytes.
const GENEVE_OPTION: [u8; 8] = [1, 2, 0x21, 1, 0xca, 0xfe, 0xba, 0xbe];

/// What follows the headers of a stack where random bytes would be malformed.
pub const TAILS: &[(&str, &[u8])] = &[
    ("Unreachable4", &QUOTED4),
    ("Error4", &QUOTED4),
    ("Redirect4", &QUOTED4),
    ("Timestamp4", &[]),
    ("Error6", &QUOTED6),
    ("RouterQuestion", &[1, 1, 2, 0, 0, 0, 0, 1]),
    ("RouterAnswer", &ROUTER),
    ("Redirect6", &[2, 1, 2, 0, 0, 0, 0, 1]),
    ("Mld1", &[]),
    ("Mld2Question", &[]),
    ("Mld2Answer", &[]),
    ("Igmp2", &[]),
    ("Igmp3Question", &[]),
    ("Igmp3Answer", &[]),
    ("PppoeDiscovery", &TAGS),
    ("SctpUser", &USER_DATA),
    ("SctpBegin", &[]),
    ("SctpHeartbeat", &HEARTBEAT),
];

/// Fields that keep their sensible value: see `stacks.rs`.
pub const KEPT: &[(&str, &str, &str)] = &[
    ("Ip6Fragment", "next_header", "another protocol's number before random bytes"),
    ("ICMP unreachable", "words", "where extensions begin, which are not there"),
    ("ICMP error", "words", "where extensions begin, which are not there"),
    ("Error6", "parameter", "its first byte says where extensions begin, which are not there"),
    ("Error4", "kind", "a parameter problem has other bytes after it"),
    ("UserInOrder", "source_port", "scapy wants both ports to be GTP-U's"),
    ("UserOfSession", "source_port", "scapy wants both ports to be GTP-U's"),
    ("UserPlain", "source_port", "scapy wants both ports to be GTP-U's"),
    ("GTP-U", "kind", "other messages carry no packet"),
    ("GTP-U extended part", "next_extension", "an extension that is not there"),
    ("GTP-U PDU session container", "flags", "they announce more bytes"),
    ("GTP-U PDU session container", "paging", "it announces more bytes"),
    ("GTP-U PDU session container", "direction", "only 0 and 1 are defined"),
    ("PppoeDiscovery", "code", "others have other tags"),
    ("PPP", "protocol", "another protocol's number before random bytes"),
    ("GRE", "reserved", "bits of RFC 1701, which announce more bytes to some"),
    ("SCTP chunk", "kind", "another chunk's bytes would be needed"),
    ("SCTP init", "flags", "must be 0"),
    ("MPLS", "label", "the lowest 16 have a meaning of their own"),
    ("segment routing", "segments_left", "no more than there are"),
    ("segment routing", "flags", "0x08 announces a signature in some drafts"),
    ("hop-by-hop options", "first", "an option whose type has a meaning, and another length"),
    ("destination options", "first", "an option whose type has a meaning, and another length"),
    ("IGMPv3 report", "records", "more records than there are"),
    ("MLDv2 report", "records", "more records than there are"),
    ("routing", "segments_left", "no more than there are"),
    ("routing", "kind", "other kinds hold other addresses"),
    ("UserOfSession", "extension", "without it another header follows"),
    ("UserExtended", "extension", "without it another header follows"),
    ("UserExtended", "source_port", "scapy wants both ports to be GTP-U's"),
    ("Extended6", "next_header", "other kinds have other bytes"),
    ("MLDv2 query", "reserved2", "must be 0"),
    ("IGMPv3 query", "reserved", "bits of RFC 9279, which announce extensions"),
    ("IGMPv3 report", "reserved", "bits of RFC 9279, which announce extensions"),
    ("MLDv2 record", "kind", "only 1 to 6 are defined"),
    ("IGMPv3 record", "kind", "only 1 to 6 are defined"),
    ("GTP-U extension", "words", "more bytes than there are"),
    ("GTP-U extension", "last", "an extension that is not there"),
    ("extension", "specific", "in shim6 it says that no packet follows"),
    ("AH", "next_header", "another protocol's number"),
    ("EspInUdp", "spi", "0 is no ESP"),
];

stacks! { MORE_STACKS;
    Unreachable4 { eth: Ethernet, ip: Ipv4, icmp: Icmp, error: IcmpUnreachable };
    Error4 { eth: Ethernet, ip: Ipv4, icmp: Icmp, error: IcmpError };
    Redirect4 { eth: Ethernet, ip: Ipv4, icmp: Icmp, error: IcmpRedirect } => |p| p.icmp.set_code(1);
    Timestamp4 { eth: Ethernet, ip: Ipv4, icmp: Icmp, times: IcmpTimestamp };
    Error6 { eth: Ethernet, ip: Ipv6, icmp: Icmpv6, error: Icmpv6Error };
    RouterQuestion {
        eth: Ethernet, ip: Ipv6, icmp: Icmpv6, question: RouterSolicitation
    } => |p| p.ip.set_hop_limit(255);
    RouterAnswer { eth: Ethernet, ip: Ipv6, icmp: Icmpv6, answer: RouterAdvertisement } => |p| p.ip.set_hop_limit(255);
    Redirect6 { eth: Ethernet, ip: Ipv6, icmp: Icmpv6, better: NdRedirect } => |p| p.ip.set_hop_limit(255);
    Mld1 { eth: Ethernet, ip: Ipv6, hop: HopByHop, icmp: Icmpv6, group: Mld } => |p| p.ip.set_hop_limit(1);
    Mld2Question {
        eth: Ethernet, ip: Ipv6, hop: HopByHop, icmp: Icmpv6, query: With<MldQuery2, 16>
    } => |p| p.ip.set_hop_limit(1);
    Mld2Answer {
        eth: Ethernet, ip: Ipv6, hop: HopByHop, icmp: Icmpv6, report: MldReport2, record: With<MldRecord, 32>
    } => |p| p.ip.set_hop_limit(1);
    Igmp2 { eth: Ethernet, ip: With<Ipv4, 4>, igmp: Igmp, group: IgmpGroup } => |p| {
        p.ip.options = ROUTER_ALERT;
        p.ip.set_ttl(1);
    };
    Igmp3Question { eth: Ethernet, ip: With<Ipv4, 4>, igmp: Igmp, query: With<IgmpQuery3, 8> } => |p| {
        p.ip.options = ROUTER_ALERT;
        p.ip.set_ttl(1);
    };
    Igmp3Answer {
        eth: Ethernet, ip: With<Ipv4, 4>, igmp: Igmp, report: IgmpReport3, record: With<IgmpRecord, 8>
    } => |p| {
        p.ip.options = ROUTER_ALERT;
        p.ip.set_ttl(1);
    };
    Extensions6 {
        eth: Ethernet, ip: Ipv6, hop: HopByHop, destination: With<DestinationOptions, 8>, udp: Udp
    } => |p| {
        p.destination.set_first([1, 12, 0, 0, 0, 0]);
    };
    Routed6 { eth: Ethernet, ip: Ipv6, route: With<Routing, 32>, tcp: Tcp } => |p| {
        p.route.set_segments_left(2);
        p.route.options = [7; 32];
    };
    Segments6 { eth: Ethernet, ip: Ipv6, route: With<SegmentRouting, 32>, udp: Udp } => |p| {
        p.route.set_segments_left(1);
        p.route.set_last_entry(1);
        p.route.options = [7; 32];
    };
    Extended6 { eth: Ethernet, ip: Ipv6, more: Extension, udp: Udp } => |p| {
        p.ip.set_next_header(140);
        p.more.set_specific(0x8000_1234_5678);
    };
    Whole6 { eth: Ethernet, ip: Ipv6, fragment: Fragment, udp: Udp };
    Ip6Fragment { eth: Ethernet, ip: Ipv6, fragment: Fragment } => |p| {
        p.fragment.set_next_header(253);
        p.fragment.set_offset(8);
    };
    Authentic4 { eth: Ethernet, ip: Ipv4, ah: With<Ah, 12>, udp: Udp } => |p| p.ah.set_spi(0x100);
    Encrypted6 { eth: Ethernet, ip: Ipv6, esp: Esp };
    EspInUdp { eth: Ethernet, ip: Ipv4, udp: Udp, esp: Esp };
    Labels { eth: Ethernet, outer: Mpls, inner: Mpls, ip: Ipv4, udp: Udp } => |p| {
        p.outer.set_label(0x1234);
        p.inner.set_label(0x4321);
    };
    Labels6 { eth: Ethernet, label: Mpls, ip: Ipv6, tcp: Tcp } => |p| p.label.set_label(0xfffff);
    PppoeSession { eth: Ethernet, pppoe: Pppoe, ppp: Ppp, ip: Ipv4, udp: Udp };
    PppoeSession6 { eth: Ethernet, pppoe: Pppoe, ppp: Ppp, ip: Ipv6, udp: Udp };
    PppoeDiscovery { eth: Ethernet, pppoe: Pppoe } => |p| {
        p.eth.set_ether_type(0x8863);
        p.pppoe.set_code(9);
    };
    GreIp { eth: Ethernet, ip: Ipv4, gre: With<Gre, 12>, inner_ip: Ipv4, udp: Udp };
    GreIp6 { eth: Ethernet, ip: Ipv6, gre: With<Gre, 4>, inner_ip: Ipv6, tcp: Tcp };
    GreFrame { eth: Ethernet, ip: Ipv4, gre: Gre, inner_eth: Ethernet, inner_ip: Ipv4, udp: Udp };
    NvgreFrame { eth: Ethernet, ip: Ipv4, nvgre: Nvgre, inner_eth: Ethernet, inner_ip: Ipv4, udp: Udp };
    GeneveFrame {
        eth: Ethernet, ip: Ipv4, udp: Udp, geneve: With<Geneve, 8>, inner_eth: Ethernet, inner_ip: Ipv4, inner_udp: Udp
    } => |p| p.geneve.options = GENEVE_OPTION;
    GeneveIp { eth: Ethernet, ip: Ipv6, udp: Udp, geneve: Geneve, inner_ip: Ipv6, inner_tcp: Tcp };
    UserPlain {
        eth: Ethernet, ip: Ipv4, udp: Udp, gtp: Gtpu, inner_ip: Ipv4, inner_udp: Udp
    } => |p| p.udp.set_source_port(2152);
    UserInOrder {
        eth: Ethernet, ip: Ipv4, udp: Udp, gtp: Gtpu, optional: GtpuOptional, inner_ip: Ipv4, inner_udp: Udp
    } => |p| p.udp.set_source_port(2152);
    UserOfSession {
        eth: Ethernet, ip: Ipv6, udp: Udp, gtp: Gtpu, extended: GtpuExtended, session: GtpuPduSession,
        inner_ip: Ipv4, inner_udp: Udp
    } => |p| p.udp.set_source_port(2152);
    UserExtended {
        eth: Ethernet, ip: Ipv4, udp: Udp, gtp: Gtpu, extended: GtpuExtended, more: GtpuExtension,
        inner_ip: Ipv4, inner_udp: Udp
    } => |p| p.udp.set_source_port(2152);
    SctpUser { eth: Ethernet, ip: Ipv4, sctp: Sctp, data: SctpData };
    SctpBegin { eth: Ethernet, ip: Ipv6, sctp: Sctp, init: SctpInit } => |p| p.init.set_tag(1);
    SctpHeartbeat { eth: Ethernet, ip: Ipv4, sctp: Sctp, beat: SctpChunk } => |p| p.beat.set_kind(4);
}
