//! `perigee dissect` beside tshark, and as a part of a pipe.

use crate::lab::tool;
use crate::modules::Bench;
use perigee_guest::wire::{Arp, Dns, Ethernet, Icmp, IcmpEcho, Icmpv6, Ipv4, Ipv6, Mpls, Stack, Tcp, Udp, Vlan, Vxlan};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::{Command, Stdio};

perigee_guest::stack! { struct Question { eth: Ethernet, ip: Ipv4, udp: Udp, dns: Dns } }
perigee_guest::stack! { struct Tagged { eth: Ethernet, outer: Vlan, inner: Vlan, ip: Ipv6, tcp: Tcp } }
perigee_guest::stack! { struct Who { eth: Ethernet, arp: Arp } }
perigee_guest::stack! { struct Ping { eth: Ethernet, ip: Ipv4, icmp: Icmp, echo: IcmpEcho } }
perigee_guest::stack! { struct Ping6 { eth: Ethernet, ip: Ipv6, icmp: Icmpv6, echo: IcmpEcho } }
perigee_guest::stack! { struct Labelled { eth: Ethernet, mpls: Mpls, ip: Ipv4, tcp: Tcp } }
perigee_guest::stack! {
    struct Tunnel { eth: Ethernet, ip: Ipv4, udp: Udp, vxlan: Vxlan, eth2: Ethernet, ip2: Ipv4, tcp: Tcp }
}

/// A header's field, and what tshark calls it.
const FIELDS: [(&str, &str, &str); 22] = [
    ("Ethernet", "source", "eth.src"),
    ("Ethernet", "destination", "eth.dst"),
    ("VLAN", "vid", "vlan.id"),
    ("VLAN", "pcp", "vlan.priority"),
    ("MPLS", "label", "mpls.label"),
    ("ARP", "sender", "arp.src.proto_ipv4"),
    ("ARP", "target", "arp.dst.proto_ipv4"),
    ("ARP", "operation", "arp.opcode"),
    ("IPv4", "source", "ip.src"),
    ("IPv4", "destination", "ip.dst"),
    ("IPv4", "ttl", "ip.ttl"),
    ("IPv4", "checksum", "ip.checksum"),
    ("IPv6", "source", "ipv6.src"),
    ("IPv6", "destination", "ipv6.dst"),
    ("IPv6", "hop_limit", "ipv6.hlim"),
    ("UDP", "source_port", "udp.srcport"),
    ("UDP", "destination_port", "udp.dstport"),
    ("TCP", "sequence", "tcp.seq_raw"),
    ("TCP", "window", "tcp.window_size_value"),
    ("TCP", "checksum", "tcp.checksum"),
    ("VXLAN", "vni", "vxlan.vni"),
    ("ICMP", "kind", "icmp.type"),
];

/// Packets with values that vary by their number.
fn packets() -> Vec<Vec<u8>> {
    let make = |n: u32| {
        let (low, v4) = (n.to_le_bytes()[0], Ipv4Addr::from(0x0a00_0000 + n * 77_777));
        let v6 = Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(n) << (n % 64));
        let mut packet = vec![0; 120 + n as usize % 50];
        let made = match n % 7 {
            0 => Question::fill(&mut packet, |p| {
                p.ip.set_source(v4);
                p.udp.set_source_port(1_024 + u16::from(low));
                p.udp.set_destination_port(53);
            }),
            1 => Tagged::fill(&mut packet, |p| {
                p.outer.set_vid(u16::from(low));
                p.inner.set_pcp(low % 8);
                p.ip.set_destination(v6);
                p.tcp.set_sequence(n.wrapping_mul(99_999_999));
            }),
            2 => Who::fill(&mut packet, |p| p.arp.set_target(v4)),
            3 => Ping::fill(&mut packet, |p| {
                p.ip.set_ttl(low);
                p.icmp.set_kind(8);
            }),
            4 => Ping6::fill(&mut packet, |p| {
                p.ip.set_source(v6);
                p.ip.set_hop_limit(low);
                p.icmp.set_kind(128);
            }),
            5 => Labelled::fill(&mut packet, |p| {
                p.mpls.set_label(n * 1_000);
                p.tcp.set_window(n.to_le_bytes()[0].into());
            }),
            _ => Tunnel::fill(&mut packet, |p| {
                p.vxlan.set_vni(n * 3);
                p.ip.set_source(v4);
                p.ip2.set_destination(v4);
            }),
        };
        made.unwrap();
        packet
    };
    (0..210).map(make).collect()
}

/// A capture with times to the nanosecond, at which tshark's floating-point numbers would not stop.
fn capture(packets: &[Vec<u8>]) -> Vec<u8> {
    let words = |words: [u32; 6]| words.map(u32::to_le_bytes).concat();
    let mut file = words([0xa1b2_3c4d, 0x0004_0002, 0, 0, 262_144, 1]);
    for (n, packet) in (0_u32..).zip(packets) {
        let length = u32::try_from(packet.len()).unwrap();
        file.extend([1_700_000_000 + n, 999_999_999 - n * 7, length, length].map(u32::to_le_bytes).concat());
        file.extend(packet);
    }
    file
}

fn with_capture() -> Bench {
    let bench = Bench::new();
    std::fs::write(bench.path("a.pcap"), capture(&packets())).unwrap();
    bench
}

fn tshark(file: &Path) -> Vec<Vec<String>> {
    let mut command = Command::new(tool("tshark"));
    command.arg("-n").arg("-r").arg(file).args(["-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len"]);
    command.args(FIELDS.iter().flat_map(|(_, _, name)| ["-e", name]));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// The values of a field in all headers of that name, as tshark lists them.
fn values(packet: &Value, header: &str, field: &str) -> String {
    let headers = packet["headers"].as_array().unwrap().iter().filter(|one| one["name"] == header);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    headers.map(|one| text(&one["fields"][field])).collect::<Vec<_>>().join(",")
}

#[test]
fn values_are_those_that_tshark_has() {
    let bench = with_capture();
    let said = bench.perigee(&["dissect", "a.pcap", "--json"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let theirs = tshark(&bench.path("a.pcap"));
    assert_eq!((said.out.lines().count(), theirs.len()), (210, 210));
    let mut compared = [0; FIELDS.len()];
    for (line, row) in said.out.lines().zip(theirs) {
        let packet: Value = serde_json::from_str(line).unwrap();
        let (seconds, ns) = row[0].split_once('.').unwrap();
        assert_eq!(packet["time_ns"], format!("{seconds}{ns}"), "{line}");
        assert_eq!(packet["length"].to_string(), row[1], "{line}");
        assert_eq!((&packet["malformed"], &packet["more_headers"]), (&false.into(), &false.into()), "{line}");
        for (((header, field, name), theirs), compared) in FIELDS.iter().zip(&row[2..]).zip(&mut compared) {
            assert_eq!(values(&packet, header, field), *theirs, "{name}: {line}");
            *compared += usize::from(!theirs.is_empty());
        }
    }
    assert!(compared.iter().all(|packets| *packets >= 30), "each was in packets: {compared:?}");
}

#[test]
fn formats_and_streams_show_the_same() {
    let bench = with_capture();
    let shown = bench.perigee(&["dissect", "a.pcap"]).out;
    assert!(shown.lines().next().unwrap().contains(" IPv4 10.0.0.0 > 0.0.0.0, UDP 1024 > 53, DNS"), "{shown}");
    let made = Command::new(tool("editcap"))
        .arg("-F")
        .arg("pcapng")
        .args([bench.path("a.pcap"), bench.path("a.pcapng")])
        .status();
    assert!(made.unwrap().success());
    assert_eq!(bench.perigee(&["dissect", "a.pcapng"]).out, shown);
    for name in ["a.pcap", "a.pcapng"] {
        let mut command = bench.command(&["dissect", "-"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut to, bytes) = (child.stdin.take().unwrap(), std::fs::read(bench.path(name)).unwrap());
        let writer = std::thread::spawn(move || to.write_all(&bytes).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.status.success() && String::from_utf8(output.stdout).unwrap() == shown, "{name}");
    }
}

#[test]
fn a_stream_is_shown_as_it_comes() {
    let bench = with_capture();
    let mut child = bench.command(&["dissect", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    // The first packet and nothing behind it: its line is there while the stream is open.
    let bytes = std::fs::read(bench.path("a.pcap")).unwrap();
    to.write_all(&bytes[..24 + 16 + 120]).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("1 1700000000.999999999 120: Ethernet "), "{line}");
    drop(to);
    assert!(child.wait().unwrap().success());
}

#[test]
fn filters_and_counts_choose_packets() {
    let bench = with_capture();
    let said = bench.perigee(&["dissect", "a.pcap", "--filter", "udp port 53", "--count", "3"]).out;
    let numbers: Vec<_> = said.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(numbers, ["1", "8", "15"]);
    let verbose = bench.perigee(&["dissect", "a.pcap", "-f", "arp", "-c", "1", "--verbose"]).out;
    assert!(verbose.starts_with("3 1700000002.999999985 122\n  Ethernet destination="), "{verbose}");
    assert!(
        verbose.contains("\n  ARP hardware=1 protocol=0x0800 ") && verbose.ends_with("\n  payload 80 bytes\n"),
        "{verbose}"
    );
    let wrong = bench.perigee(&["dissect", "a.pcap", "--filter", "udp prot 53"]);
    assert_eq!(wrong.code, Some(1));
    assert!(
        wrong.err.starts_with("error: --filter \"udp prot 53\": ") && wrong.err.contains("pcap-filter(7)"),
        "{}",
        wrong.err
    );
}

#[test]
fn what_is_whole_of_a_broken_file_is_shown_and_then_the_place_is_told() {
    let bench = with_capture();
    let bytes = std::fs::read(bench.path("a.pcap")).unwrap();
    // Within the second packet's bytes; then a record that says it is longer than any.
    std::fs::write(bench.path("cut.pcap"), &bytes[..24 + 16 + 120 + 16 + 7]).unwrap();
    let mut wild = bytes;
    wild[24 + 16 + 120 + 8..][..4].copy_from_slice(&[0xff; 4]);
    std::fs::write(bench.path("wild.pcap"), wild).unwrap();
    std::fs::write(bench.path("\u{1b}[2Jtext"), "This is no capture.").unwrap();
    for (file, lines, told) in [
        ("cut.pcap", 1, "error: cut.pcap: is cut short: the record of packet 2, at byte 160, is not whole; "),
        ("wild.pcap", 1, "error: wild.pcap: cannot be read beyond its first 1 packets, at byte 160: a record says "),
        ("\u{1b}[2Jtext", 0, "error: \u{fffd}[2Jtext: is neither a pcap nor a pcapng file; "),
        ("nothing", 0, "error: cannot read nothing: No such file"),
        (".", 0, "error: cannot read .: is a directory"),
    ] {
        let said = bench.perigee(&["dissect", file]);
        assert_eq!((said.code, said.out.lines().count()), (Some(1), lines), "{file}: {}", said.err);
        assert!(said.err.starts_with(told) && said.err.lines().count() == 1, "{}", said.err);
    }
}

#[test]
fn a_reader_that_goes_is_no_error() {
    let bench = Bench::new();
    let many: Vec<Vec<u8>> = packets().into_iter().cycle().take(20_000).collect();
    std::fs::write(bench.path("many.pcap"), capture(&many)).unwrap();
    let mut command = bench.command(&["dissect", "many.pcap"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr), (Some(0), Vec::new()), "{line}");
}
