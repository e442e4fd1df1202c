//! Wireshark's dissectors as the second opinion on what our stacks build: the protocols that were declared, and no
//! complaint.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

use pcap_file::pcap::{PcapPacket, PcapWriter};
use perigee_guest::wire::HEADERS;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use support::stacks::{self, AnyStack};
use support::{Random, hex};

/// What Wireshark calls our headers; `""` is for what it shows as a part of the header before. Some have two names.
const PROTOCOLS: &[(&str, &str)] = &[
    ("Ethernet", "eth"),
    ("VLAN", "vlan|ieee8021ad"),
    ("ARP", "arp"),
    ("IPv4", "ip"),
    ("IPv6", "ipv6"),
    ("UDP", "udp"),
    ("TCP", "tcp"),
    ("ICMP", "icmp"),
    ("ICMPv6", "icmpv6"),
    ("echo", ""),
    ("neighbor solicitation", ""),
    ("neighbor advertisement", ""),
    ("VXLAN", "vxlan"),
    ("ICMP unreachable", ""),
    ("ICMP error", ""),
    ("ICMP redirect", ""),
    ("ICMP timestamp", ""),
    ("ICMPv6 error", ""),
    ("router solicitation", ""),
    ("router advertisement", ""),
    ("neighbor redirect", ""),
    ("MLD", ""),
    ("MLDv2 query", ""),
    ("MLDv2 report", ""),
    ("MLDv2 record", ""),
    ("IGMP", "igmp"),
    ("IGMP group", ""),
    ("IGMPv3 query", ""),
    ("IGMPv3 report", ""),
    ("IGMPv3 record", ""),
    ("hop-by-hop options", "ipv6.hopopts"),
    ("destination options", "ipv6.dstopts"),
    ("routing", "ipv6.routing"),
    ("segment routing", "ipv6.routing"),
    ("extension", "shim6"),
    ("fragment", "ipv6.fraghdr"),
    ("AH", "ah"),
    ("ESP", "esp|udpencap"),
    ("MPLS", "mpls"),
    ("PPPoE", "pppoes|pppoed"),
    ("PPP", "ppp"),
    ("GRE", "gre"),
    ("NVGRE", "gre"),
    ("GENEVE", "geneve"),
    ("GTP-U", "gtp"),
    ("GTP-U optional part", ""),
    ("GTP-U extended part", ""),
    ("GTP-U PDU session container", ""),
    ("GTP-U extension", ""),
    ("SCTP", "sctp"),
    ("SCTP chunk", ""),
    ("SCTP data", ""),
    ("SCTP init", ""),
    ("DNS", "dns"),
    ("DNS over TCP", ""),
    ("DHCP", "dhcp"),
    ("DHCPv6", "dhcpv6"),
    ("DHCPv6 relay", "dhcpv6"),
    ("NTP", "ntp"),
    ("IPFIX", "cflow"),
    ("NetFlow v9", "cflow"),
    ("sFlow", "sflow"),
    ("sFlow agent", ""),
    ("sFlow IPv6 agent", ""),
    ("QUIC", "quic"),
    ("QUIC source", ""),
    ("PTP", "ptp"),
    ("PTP time", ""),
    ("PTP peer delay request", ""),
    ("PTP response", ""),
    ("PTP announce", ""),
    ("PTP signaling", ""),
    ("PTP management", ""),
    ("slow protocol", "slow"),
    ("LACP", "lacp"),
    ("marker", "marker"),
];

/// Complaints that are none, and why: a part of a stack's name, of the message, and the reason.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("Quic", "decrypt", "there is no key, and nothing that is encrypted"),
    ("PtpPeerQuestion", "No Response", "each packet is alone; Wireshark 4.4 looks for an answer"),
];

/// Groups of expert items: what concerns checksums, what concerns malformed packets (epan/proto.h).
const CHECKSUM: u32 = 0x0100_0000;
const MALFORMED: u32 = 0x0700_0000;
/// Severities: from note on, from warning on.
const NOTE: u32 = 0x0040_0000;
const WARNING: u32 = 0x0060_0000;

/// Wireshark computes only some checksums unless it is told to.
const OPTIONS: &[&str] = &[
    "ip.check_checksum:TRUE",
    "udp.check_checksum:TRUE",
    "udp.ignore_ipv6_zero_checksum:FALSE",
    "tcp.check_checksum:TRUE",
    "sctp.checksum:TRUE",
    // Its heuristics see protocols in random bytes, and its conversations see errors between unrelated packets.
    "tcp.analyze_sequence_numbers:FALSE",
    "esp.do_esp_sequence_analysis:FALSE",
    "tcp.desegment_tcp_streams:FALSE",
    "ip.defragment:FALSE",
    "ipv6.defragment:FALSE",
];

const FIELDS: &[&str] =
    &["frame.protocols", "_ws.expert.message", "_ws.expert.severity", "_ws.expert.group", "_ws.malformed"];

/// What Wireshark says of a packet.
struct Opinion {
    protocols: Vec<String>,
    /// Message, severity and group.
    complaints: Vec<(String, u32, u32)>,
    malformed: String,
}

fn tshark(packets: &[Vec<u8>]) -> Vec<Opinion> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packets.pcap");
    let mut writer = PcapWriter::new(std::fs::File::create(&path).unwrap()).unwrap();
    for (number, packet) in packets.iter().enumerate() {
        let len = u32::try_from(packet.len()).unwrap();
        writer.write_packet(&PcapPacket::new(Duration::from_millis(number as u64), len, packet)).unwrap();
    }
    drop(writer);
    let text = dissect(&path);
    let opinions: Vec<_> = text.lines().map(opinion).collect();
    assert_eq!(opinions.len(), packets.len());
    opinions
}

fn dissect(path: &Path) -> String {
    let mut command = Command::new("tshark");
    command.arg("-n").arg("-r").arg(path).args(["-T", "fields", "-E", "separator=\t", "-E", "aggregator=\u{1}"]);
    command.args(FIELDS.iter().flat_map(|field| ["-e", field]));
    command.args(OPTIONS.iter().flat_map(|option| ["-o", option]));
    let output = command.output().expect("tshark does not start: `./x setup` installs it");
    assert!(output.status.success(), "tshark: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn opinion(line: &str) -> Opinion {
    let columns: Vec<_> = line.split('\t').collect();
    let [protocols, messages, severities, groups, malformed] = columns[..] else { panic!("columns: {line:?}") };
    let numbers = |text: &str| -> Vec<u32> {
        let texts = text.split('\u{1}').filter(|text| !text.is_empty());
        texts.map(|text| text.parse().unwrap_or_else(|_| panic!("no number: {text}"))).collect()
    };
    let messages = messages.split('\u{1}').map(str::to_owned);
    let complaints = messages.zip(numbers(severities)).zip(numbers(groups)).map(|((m, s), g)| (m, s, g)).collect();
    // "ethertype" stands for a choice, not for bytes.
    let protocols = protocols.split(':').filter(|name| *name != "ethertype").map(str::to_owned).collect();
    Opinion { protocols, complaints, malformed: malformed.to_owned() }
}

fn protocol(header: &str) -> &'static str {
    let found = PROTOCOLS.iter().find(|(name, _)| *name == header);
    found.unwrap_or_else(|| panic!("no entry in PROTOCOLS of {} for {header:?}", file!())).1
}

/// Whether a complaint is in the list of those that are none.
fn is_allowed(stack: &str, message: &str) -> bool {
    ALLOWED.iter().any(|(part, text, _)| stack.contains(part) && message.contains(text))
}

fn check(make: fn(&AnyStack, &mut Random, usize) -> Vec<u8>, turns: usize, is_bad: fn(u32, u32) -> bool) {
    let mut random = Random(7);
    let made: Vec<_> =
        (0..turns).flat_map(|_| stacks::all()).map(|stack| (stack, make(stack, &mut random, 60))).collect();
    let packets: Vec<_> = made.iter().map(|(_, packet)| packet.clone()).collect();
    let opinions = tshark(&packets);
    let wrong = made.iter().zip(&opinions).filter_map(|((stack, packet), opinion)| {
        let problem = problem(stack, opinion, is_bad)?;
        Some(format!("{}: {problem}\n{:?} {:?}\n{}", stack.name, opinion.protocols, opinion.complaints, hex(packet)))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{} of {} packets:\n{}", wrong.len(), made.len(), wrong.join("\n"));
}

/// What is wrong with a packet.
fn problem(stack: &AnyStack, opinion: &Opinion, is_bad: fn(u32, u32) -> bool) -> Option<String> {
    let declared = stack.parts.iter().map(|part| protocol(part.info.format.name));
    let mut declared: Vec<_> = declared.filter(|name| !name.is_empty()).collect();
    // However many labels there are, Wireshark says it once.
    declared.dedup_by(|next, name| (*next, *name) == ("mpls", "mpls"));
    // Wireshark 4.4 takes IP apart behind labels, but no longer names it among the protocols.
    if opinion.protocols.iter().zip(&declared).any(|(found, name)| *name == "mpls" && found == "mpls")
        && !opinion.protocols.iter().any(|found| found == "ip" || found == "ipv6")
    {
        declared.retain(|name| !matches!(*name, "ip" | "ipv6"));
    }
    let is_one = |(found, names): (&String, &&str)| names.split('|').any(|name| name == found);
    if opinion.protocols.len() < declared.len() || !opinion.protocols.iter().zip(&declared).all(is_one) {
        return Some(format!("declared are {declared:?}"));
    }
    // What heuristics see in the random payload behind our headers may be malformed.
    let only_ours =
        opinion.protocols[declared.len()..].iter().all(|name| name == "data" || declared.contains(&&**name));
    if only_ours && !opinion.malformed.is_empty() {
        return Some(format!("malformed: {}", opinion.malformed));
    }
    let counts = |(message, severity, group): &&(String, u32, u32)| {
        is_bad(*severity, *group) && (only_ours || *group == CHECKSUM) && !is_allowed(stack.name, message)
    };
    opinion.complaints.iter().find(counts).map(|(message, ..)| message.clone())
}

#[test]
fn packets_with_sensible_values_give_no_reason_to_complain() {
    check(AnyStack::plain, 1, |severity, _| severity >= WARNING);
}

#[test]
fn packets_with_random_values_are_well_formed() {
    check(AnyStack::random, 20, |severity, group| severity >= NOTE && matches!(group, CHECKSUM | MALFORMED));
}

#[test]
fn a_wrong_checksum_is_noticed() {
    let mut random = Random(7);
    let stack = stacks::all().find(|stack| stack.name == "Udp4Options").unwrap();
    let mut packet = stack.plain(&mut random, 60);
    *packet.last_mut().unwrap() ^= 1;
    let opinion = &tshark(&[packet])[0];
    assert!(opinion.complaints.iter().any(|(_, _, group)| *group == CHECKSUM), "{:?}", opinion.complaints);
}

/// Headers that lie in the variable part or payload of another one, where dissecting leaves them to who walks it.
const OPTION_HEADERS: &[&str] = &[
    "link-layer address",
    "prefix information",
    "link MTU",
    "GENEVE option",
    "ESP trailer",
    "IPFIX set",
    "QUIC short",
    "sFlow record",
    "sFlow flow sample",
    "sFlow expanded flow sample",
    "sFlow counter sample",
    "sFlow expanded counter sample",
    "sFlow packet",
    "sFlow switch",
    "sFlow port counters",
];

#[test]
fn every_header_is_in_a_stack() {
    let is_there = |name: &str| stacks::all().any(|stack| stack.parts.iter().any(|p| p.info.format.name == name));
    let names = HEADERS.iter().map(|info| info.format.name);
    let missing: Vec<_> = names.filter(|name| !is_there(name) && !OPTION_HEADERS.contains(name)).collect();
    assert!(missing.is_empty(), "no stack in tests/support/stacks.rs has {missing:?}");
}
