//! Stacks of what applications and devices say.

use super::stacks::{AnyStack, stacks};
use perigee_guest::wire::*;

/// A question: a.example, address, Internet.
const QUESTION: [u8; 15] = *b"\x01a\x07example\x00\x00\x01\x00\x01";
/// Options of DHCP: the kind of message, the end.
const DISCOVER: [u8; 4] = [53, 1, 1, 255];
/// Option of DHCPv6: how long it took so far.
const ELAPSED: [u8; 6] = [0, 8, 0, 2, 0, 0];
/// Option of DHCPv6: a relayed message, which is a request for information.
const RELAYED: [u8; 14] = [0, 9, 0, 10, 11, 1, 2, 3, 0, 8, 0, 2, 0, 0];
/// A set with a template: number 256, one field of four bytes, an IPv4 address.
const TEMPLATE: [u8; 12] = [0, 2, 0, 12, 1, 0, 0, 1, 0, 8, 0, 4];
/// The same in NetFlow.
const TEMPLATE9: [u8; 12] = [0, 0, 0, 12, 1, 0, 0, 1, 0, 8, 0, 4];
/// A sample of counters without records, and one of packets.
const SAMPLES: [u8; 60] = {
    let mut samples = [0; 60];
    (samples[3], samples[7], samples[11]) = (2, 12, 1);
    (samples[23], samples[27], samples[31], samples[39]) = (1, 32, 1, 1);
    samples
};

/// Of QUIC: the length, then what is protected.
const PROTECTED: [u8; 33] = [32; 33];

/// What follows the headers of a stack where random bytes would be malformed.
pub const TAILS: &[(&str, &[u8])] = &[
    ("DnsQuery", &QUESTION),
    ("DnsStream", &QUESTION),
    ("DhcpQuery", &DISCOVER),
    ("Dhcp6Query", &ELAPSED),
    ("Dhcp6Relayed", &RELAYED),
    ("NtpQuery", &[]),
    ("QuicHello", &PROTECTED),
    ("IpfixMessage", &TEMPLATE),
    ("NetFlow9Message", &TEMPLATE9),
    ("SflowSamples", &SAMPLES),
    ("SflowSamples6", &SAMPLES),
    ("PtpSync", &[]),
    ("PtpPeerQuestion", &[]),
    ("PtpAnswer", &[]),
    ("PtpBest", &[]),
    ("PtpSignal", &[0, 4, 0, 6, 0, 0, 0, 0, 0, 0]),
    ("PtpManaged", &[0, 1, 0, 2, 0x20, 0]),
    ("LacpState", &[0; 50]),
    ("MarkerQuestion", &[0; 90]),
];

/// Fields that keep their sensible value: see `stacks.rs`.
pub const KEPT: &[(&str, &str, &str)] = &[
    ("DNS", "question_count", "more than there are"),
    ("DNS", "answer_count", "more than there are"),
    ("DNS", "authority_count", "more than there are"),
    ("DNS", "additional_count", "more than there are"),
    ("DNS", "opcode", "an update has other sections"),
    ("DNS", "response", "an answer in a response without a question"),
    ("DHCP", "hardware_len", "longer than its place"),
    ("DHCP", "server_name", "scapy and Wireshark read it as text"),
    ("DHCP", "boot_file", "scapy and Wireshark read it as text"),
    ("DHCPv6", "kind", "scapy knows some only"),
    ("DhcpQuery", "source_port", "scapy wants a client's port"),
    ("DhcpQuery", "destination_port", "scapy wants a server's port"),
    ("PtpAnswer", "destination_port", "scapy is told of one only"),
    ("DnsStream", "rst", "a reset has a text behind it"),
    (
        "DnsStream",
        "syn",
        "with SYN and ACK Wireshark 4.4 takes the source port for the server's, and so for the protocol's",
    ),
    ("marker", "version", "later ones have other fields"),
    ("Dhcp6Relayed", "source_port", "Wireshark wants a relay's port"),
    ("Dhcp6Relayed", "destination_port", "scapy wants a relay's port"),
    ("NTP", "version", "older ones have other fields"),
    ("NTP", "mode", "others have other fields"),
    ("NTP", "origin", "scapy rounds it"),
    ("sFlow agent", "sample_count", "more than there are"),
    ("sFlow IPv6 agent", "sample_count", "more than there are"),
    ("NetFlow v9", "count", "more than there are"),
    ("QUIC", "version", "others have other forms"),
    ("QUIC", "kind", "a retry has other fields"),
    ("PTP", "major_sdo_id", "other standards' messages"),
    ("PTP", "kind", "messages of the same form, but not for all programs"),
    ("PTP management", "action", "only 0 to 4 are defined"),
    ("marker", "kind", "only 1 and 2 are defined"),
    ("LACP", "version", "later ones have more fields"),
    ("LACP", "actor_type", "1"),
    ("LACP", "actor_len", "20"),
    ("LACP", "partner_type", "2"),
    ("LACP", "partner_len", "20"),
    ("LACP", "collector_type", "3"),
    ("LACP", "collector_len", "16"),
    ("LACP", "terminator_type", "0"),
    ("LACP", "terminator_len", "0"),
    ("marker", "length", "16"),
    ("marker", "terminator_type", "0"),
    ("marker", "terminator_len", "0"),
    ("LacpState", "destination", "slow protocols are sent to their group"),
    ("MarkerQuestion", "destination", "slow protocols are sent to their group"),
    ("PtpSync", "nanoseconds", "below 1,000,000,000"),
    ("PtpPeerQuestion", "nanoseconds", "below 1,000,000,000"),
    ("PtpAnswer", "nanoseconds", "below 1,000,000,000"),
    ("PtpBest", "nanoseconds", "below 1,000,000,000"),
];

stacks! { APP_STACKS;
    DnsQuery { eth: Ethernet, ip: Ipv4, udp: Udp, dns: Dns } => |p| p.dns.set_question_count(1);
    DnsStream { eth: Ethernet, ip: Ipv6, tcp: Tcp, length: DnsTcp, dns: Dns } => |p| p.dns.set_question_count(1);
    DhcpQuery { eth: Ethernet, ip: Ipv4, udp: Udp, dhcp: Dhcp } => |p| p.udp.set_source_port(68);
    Dhcp6Query { eth: Ethernet, ip: Ipv6, udp: Udp, dhcp: Dhcpv6 } => |p| {
        p.udp.set_destination_port(547);
        p.dhcp.set_kind(1);
    };
    Dhcp6Relayed { eth: Ethernet, ip: Ipv6, udp: Udp, relay: Dhcpv6Relay } => |p| {
        p.udp.set_source_port(547);
        p.relay.set_kind(12);
    };
    NtpQuery { eth: Ethernet, ip: Ipv4, udp: Udp, ntp: Ntp };
    IpfixMessage { eth: Ethernet, ip: Ipv4, udp: Udp, message: Ipfix };
    NetFlow9Message { eth: Ethernet, ip: Ipv6, udp: Udp, message: NetFlow9 } => |p| p.message.set_count(1);
    SflowSamples { eth: Ethernet, ip: Ipv4, udp: Udp, sflow: Sflow, agent: SflowIpv4 } => |p| p.agent.set_sample_count(2);
    SflowSamples6 {
        eth: Ethernet, ip: Ipv6, udp: Udp, sflow: Sflow, agent: SflowIpv6
    } => |p| p.agent.set_sample_count(2);
    QuicHello {
        eth: Ethernet, ip: Ipv4, udp: Udp, quic: With<QuicLong, 8>, source: With<QuicSource, 4>
    } => |p| p.quic.set_kind(2);
    PtpSync { eth: Ethernet, ptp: Ptp, time: PtpTimestamp };
    PtpPeerQuestion { eth: Ethernet, ptp: Ptp, body: PtpPeerDelayRequest };
    PtpAnswer { eth: Ethernet, ip: Ipv4, udp: Udp, ptp: Ptp, body: PtpResponse };
    PtpBest { eth: Ethernet, tag: Vlan, ptp: Ptp, body: PtpAnnounce };
    PtpSignal { eth: Ethernet, ptp: Ptp, body: PtpSignaling };
    PtpManaged { eth: Ethernet, ptp: Ptp, body: PtpManagement };
    LacpState { eth: Ethernet, slow: SlowProtocol, lacp: Lacp } => |p| p.eth.set_destination(SlowProtocol::GROUP);
    MarkerQuestion {
        eth: Ethernet, slow: SlowProtocol, marker: Marker
    } => |p| p.eth.set_destination(SlowProtocol::GROUP);
}
