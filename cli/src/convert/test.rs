//! Profiles and flows of the shapes that TRex and MoonGen have in their repositories.

use super::*;
use pcap_file::pcap::{PcapPacket, PcapWriter};
use std::time::Duration;
use tempfile::TempDir;

/// Ethernet, IPv4 and UDP with seven bytes.
const UDP: &str =
    "02000000000202000000000108004500002300000000401166c70a0000010a0100010400000900 0f00007065726967656521";
/// The same in base64.
const BASE64: &str = "AgAAAAACAgAAAAABCABFAAAjAAAAAEARZscKAAABCgEAAQQAAAkADwAAcGVyaWdlZSE=";

/// A folder with the packet as a capture.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let packet = crate::streams::digits(UDP).unwrap();
    let mut writer = PcapWriter::new(Vec::new()).unwrap();
    writer.write_packet(&PcapPacket::new(Duration::ZERO, u32::try_from(packet.len()).unwrap(), &packet)).unwrap();
    std::fs::write(folder.path().join("udp.pcap"), writer.into_writer()).unwrap();
    folder
}

fn profile(text: &str) -> Result<Converted, Refused> {
    trex::convert(text, folder().path())
}

/// A stream of that packet with this mode and these instructions.
fn stream(mode: &str, vm: &str) -> String {
    format!(
        "- name: s\n  stream:\n    self_start: True\n    packet:\n      pcap: udp.pcap\n    mode: {mode}\n    vm: {vm}\n"
    )
}

fn text(converted: Result<Converted, Refused>) -> String {
    written::text("x", &converted.unwrap().streams)
}

#[test]
fn streams_go_on_with_each_other() {
    let each = |name: &str, next: &str, starts: &str| {
        format!(
            "- name: {name}\n  {next}\n  stream:\n    self_start: {starts}\n    isg: 50.0\n    packet:\n      binary: \"{BASE64}\"\n    \
             mode:\n      type: single_burst\n      pps: 100\n      total_pkts : 10000\n"
        )
    };
    let all = format!("{}{}", each("one", "next: two", "True"), each("two", "", "False"));
    let text = text(profile(&all));
    assert!(text.contains("# Ethernet, IPv4, UDP\n"), "{text}");
    assert!(text.contains("rate = \"100 pps\"\ncount = 10000\nstart = \"50us\"\nafter = \"one\"\n"), "{text}");
    let told = profile(&format!("{}{}", each("one", "next: two", "True"), each("two", "", "True"))).unwrap_err();
    assert!(told.line == 2 && told.what.contains("starts by itself"), "{told:?}");
    assert_eq!(profile(&each("one", "next: three", "True")).unwrap_err().line, 2);
    let alone = profile(&each("one", "", "False")).unwrap();
    assert!(alone.told[0].what.contains("nothing starts \"one\""));
}

#[test]
fn rates_and_bursts_are_those_of_trex() {
    let rate = |mode: &str| text(profile(&stream(mode, "[]")));
    assert!(rate("{ type: continuous, bps_L1: 1000000 }").contains("rate = \"1 Mbit/s l1\""));
    // 60 bytes with the frame check sequence.
    assert!(rate("{ type: continuous, bps_L2: 512000 }").contains("rate = \"1 kpps\""));
    assert!(rate("{ type: continuous, rate: { type: percentage, value: 25 } }").contains("rate = \"25 %\""));
    let bursts = rate("{ type: multi_burst, pps: 1000000, pkts_per_burst: 10, ibg: 91.0, count: 5 }");
    assert!(
        bursts.contains("rate = \"100 kpps\"") && bursts.contains("gap = \"1us\"") && bursts.contains("count = 50"),
        "{bursts}"
    );
    let told = |mode: &str| profile(&stream(mode, "[]")).unwrap_err();
    assert_eq!(
        told("{ type: sometimes, pps: 1 }").what,
        "mode \"sometimes\" is not known; known: continuous, single_burst, multi_burst"
    );
    assert!(told("{ type: multi_burst, percentage: 1, pkts_per_burst: 10 }").what.contains("needs a rate in pps"));
    assert_eq!(told("{ type: continuous, pps: 1, loop: 2 }").line, 6);
    assert!(told("{ type: multi_burst, pps: 0, pkts_per_burst: 10 }").what.contains("a rate of 0"));
}

#[test]
fn instructions_become_items() {
    let vary = |vm: &str| text(profile(&stream("{ type: continuous, pps: 1 }", vm)));
    let text = vary(
        "\n      instructions: [ { \"type\": \"flow_var\", \"name\": \"a\", \"op\": \"inc\", \"size\": 2, \"init_value\": 100, \
         \"min_value\": 100, \"max_value\": 5000, \"step\": 1 },\n        { \"type\": \"write_flow_var\", \"name\": \"a\", \
         \"add_value\": 1, \"is_big_endian\": true, \"pkt_offset\": 34 } ]\n      split_by_var: \"a\"",
    );
    assert!(text.contains("{ add = 1, field = \"udp.source_port\", from = 100, name = \"a\", to = 5000 },"), "{text}");
    let text = vary(
        "[ { type: tuple_flow_var, name: t, ip_min: 0x10000001, ip_max: 16.0.0.254, port_min: 1025, port_max: 65500, limit_flows: 1000, \
         flags: 0 }, { type: write_flow_var, name: t.ip, pkt_offset: 26 }, { type: fix_checksum_ipv4, pkt_offset: 14 }, \
         { type: write_flow_var, name: t.port, pkt_offset: 34 } ]",
    );
    assert!(text.contains("from = \"16.0.0.1\", ports = [1025, 65500], to = \"16.0.0.254\""), "{text}");
    assert!(text.contains("{ field = \"ipv4.source\", of = \"t\" }") && text.contains("of = \"t.port\""), "{text}");
    let text = vary(
        "[ { type: flow_var, name: len, op: random, size: 2, min_value: 60, max_value: 1500 }, { type: trim_pkt_size, name: len }, \
         { type: write_flow_var, name: len, add_value: -14, is_big_endian: true, pkt_offset: 16 }, \
         { type: write_flow_var, name: len, add_value: -34, is_big_endian: true, pkt_offset: 38 } ]",
    );
    assert!(text.contains("sizes = { draw = \"random\", from = 60, to = 1500 }") && !text.contains("vary"), "{text}");
    let text = vary(
        "[ { type: flow_var, name: a, op: dec, size: 1, min_value: 1, max_value: 9, next_var: b }, \
         { type: flow_var, name: b, size: 4, value_list: [ 5, 7 ] }, { type: write_flow_var, name: a, pkt_offset: 22 }, \
         { type: write_mask_flow_var, name: b, pkt_offset: 14, pkt_cast_size: 2, mask: 0xff0, shift: 4, is_big_endian: false } ]",
    );
    assert!(
        text.contains(
            "{ field = \"ipv4.ttl\", from = 1, name = \"a\", step = -1, to = 9 },\n    { bits = 16, carry = \"a\""
        ),
        "{text}"
    );
    assert!(
        text.contains("little_endian = true, mask = \"0xff0\"") && text.contains("shift = 4, values = [5, 7]"),
        "{text}"
    );
}

#[test]
fn what_trex_has_and_we_do_not_is_refused_with_its_line() {
    let mode = "{ type: continuous, pps: 1 }";
    for (vm, part) in [
        ("[ { type: jump } ]", "the instruction \"jump\" is not known"),
        ("[ { type: flow_var, name: a, size: 3 } ]", "3 bytes"),
        ("[ { type: flow_var, name: a, size: 2, max_value: 75000 } ]", "no room in 2 bytes"),
        ("[ { type: write_flow_var, name: a, pkt_offset: 1 } ]", "no variable before it"),
        ("[ { type: trim_pkt_size, name: a } ]", "no variable is called"),
        ("{ steps: [] }", "`steps` has no counterpart"),
    ] {
        let told = profile(&stream(mode, vm)).unwrap_err();
        assert!(told.line == 7 && told.what.contains(part), "{vm}: {told:?}");
    }
    let with = |line: &str| stream(mode, "[]") + line;
    assert_eq!(profile(&with("    action_count: 3\n")).unwrap_err().line, 8);
    assert_eq!(profile(&with("    enabled: false\n")).unwrap_err().line, 8);
    let told = profile(&with("    flow_stats: { enabled: true, stream_id: 12 }\n")).unwrap().told;
    assert!(told[0].line == 8 && told[0].what.contains("`probes` measures"));
    assert!(profile("a: 1\n").unwrap_err().what.contains("a list"));
    assert!(profile(&stream(mode, "[]").replace("udp.pcap", "gone.pcap")).unwrap_err().what.starts_with("gone.pcap: "));
}

#[test]
fn flows_and_their_children_become_streams() {
    let flows = "Flow{\"base\", Packet.Udp{\n  ethSrc = txQueue(),\n  ethDst = arp(\"10.1.0.10\"),\n  ip4Src = range(ip\"10.0.0.1\", \
                 ip\"10.0.0.5\"),\n  udpDst = 319,\n  pktLength = 60\n }, timestamp = true }\n\
                 Flow{\"child\", Packet.Udp{ udpDst = 43 }, parent = \"base\", rate = 512, ratePattern = \"poisson\", timeLimit = \"10m\" }\n\
                 Flow{\"old\", packet.udp{ eth_src = nil, ip4_dst = list{ ip\"10.1.0.1\", ip\"10.1.0.2\" }, udp_dst = randomRange(1, 9),\n  \
                 pktLength = 124 }, mode = \"all\", rate = \"1mp/s\", dataLimit = \"1kp\" }\n";
    let converted = moongen::convert(flows).unwrap();
    let lines: Vec<_> = converted.told.iter().map(|told| told.line).collect();
    assert_eq!(lines, [2, 3, 1, 7, 2, 3, 7]);
    let text = written::text("x", &converted.streams);
    assert!(
        text.contains("rate = \"100 %\"")
            && text.contains("rate = \"1 Mpps\"\npattern = \"poisson\"\nduration = \"600s\""),
        "{text}"
    );
    assert!(text.contains("{ field = \"ipv4.source\", from = \"10.0.0.1\", to = \"10.0.0.5\" }"), "{text}");
    assert!(text.contains("{ draw = \"random\", field = \"udp.destination_port\", from = 1, to = 9 }"), "{text}");
    assert!(text.contains("size = 124") && text.contains("count = 1000"), "{text}");
}

#[test]
fn what_moongen_has_and_we_do_not_is_refused_with_its_line() {
    let packet = "Packet.Udp{ pktLength = 60,\n ip4Src = range(1, 2), udpSrc = range(3, 4) }";
    for (flow, line, part) in [
        (format!("Flow{{\"a\", {packet}, mode = \"random\" }}"), 2, "has no counterpart: write mode = \"all\""),
        (format!("Flow{{\"a\", {packet}, parent = \"b\" }}"), 2, "the parent \"b\" is not above"),
        (format!("Flow{{\"a\", {packet}, speed = 1 }}"), 2, "the option `speed` is not known"),
        ("Flow{\"a\", Packet.Quic{} }".to_owned(), 1, "packets of kind \"Quic\""),
        ("Flow{\"a\", Packet.Udp{ tcpSrc = 1,\n pktLength = 60 } }".to_owned(), 1, "the packet has no tcp"),
        (
            "Flow{\"a\", Packet.Udp{ pktLength = 60,\n udpColour = 1 } }".to_owned(),
            2,
            "the field `udpColour` is not known",
        ),
        ("Flow{\"a\", Packet.Udp{ udpSrc = 1 } }".to_owned(), 1, "no pktLength"),
        ("Flow{\"a\", Packet.Udp{ pktLength = 60,\n ip4Src = lookup(1) } }".to_owned(), 2, "lookup: is not known"),
        ("print(\"x\")".to_owned(), 1, "a file has Flow{...} alone"),
    ] {
        let told = moongen::convert(&flow).unwrap_err();
        assert!(told.line == line && told.what.contains(part), "{flow}: {told:?}");
    }
    let single = moongen::convert(&format!("Flow{{\"a\", {packet}, rate = 1 }}")).unwrap();
    assert!(single.told[0].what.contains("each value stays for 2 packets"));
    let none = text(moongen::convert(&format!("Flow{{\"a\", {packet}, rate = 1, mode = \"none\" }}")));
    assert!(none.contains("ipv4 = { source = 1 }") && !none.contains("vary"), "{none}");
}
