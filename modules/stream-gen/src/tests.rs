//! The generator in a test host.

mod sizes;

use super::*;
use perigee_guest::abi::{offloads, tx_flags};
use perigee_guest::testing::{Host, Output, Run};
use perigee_guest::wire::{
    Ethernet, Gtpu, Header as _, HopByHop, Ipv4, Ipv6, Layers, Mpls, Sctp, SctpData, Stack, Tcp, Udp, Vlan, Vxlan,
    checksum,
};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Ethernet, IPv4 from 10.0.0.1 to 10.1.0.1, UDP from port 1024 to 9 with a checksum to be, 6 bytes "perige".
pub(crate) const UDP4: &str = "020000000002 020000000001 0800
    45 00 0022 0000 0000 40 11 0000 0a000001 0a010001
    0400 0009 000e ffff 706572696765";
/// VLAN 100, IPv6, TCP.
const TCP6: &str = "020000000002 020000000001 8100 0064 86dd
    60000000 0014 06 40 20010db8000000000000000000000001 20010db8000000000000000000000002
    0400 0050 00000000 00000000 50 02 ffff 0000 0000";
/// IPv6, ICMPv6 echo request.
const PING6: &str = "020000000002 020000000001 86dd
    60000000 0008 3a 40 20010db8000000000000000000000001 20010db8000000000000000000000002
    8000 0000 0001 0001";

pub(crate) fn config(packet: &str, rest: &str) -> String {
    let packet = packet.replace('\n', "\\n");
    format!(r#"{{"packet": "{packet}"{}{rest}}}"#, if rest.is_empty() { "" } else { ", " })
}

pub(crate) fn start(packet: &str, rest: &str) -> Host<StreamGen> {
    Host::start(&config(packet, rest)).unwrap()
}

fn refused(config: &str) -> String {
    Host::<StreamGen>::start(config).map(|_| ()).unwrap_err()
}

/// Source address and ports, after a look at lengths and checksums.
fn read(output: &Output) -> (u32, u16, u16) {
    assert_eq!(checksum::check(&output.bytes), Ok(()));
    let ip = Ipv4::parse(&output.bytes[14..]).unwrap();
    let udp = Udp::parse(ip.payload).unwrap();
    assert!(ip.checksum() != 0 && udp.checksum() != 0);
    (u32::from(ip.source()), udp.source_port(), udp.destination_port())
}

#[test]
fn a_template_goes_out_with_its_checksums() {
    for output in start(UDP4, "").generate(8) {
        assert_eq!((output.bytes.len(), output.verdict), (60, Verdict::NEXT));
        assert_eq!(read(&output), (0x0a00_0001, 1024, 9));
        assert_eq!(output.bytes[42..60], *b"perige\0\0\0\0\0\0\0\0\0\0\0\0");
    }
}

#[test]
fn fields_vary_and_checksums_follow() {
    let vary = r#""vary": [
        {"field": "ipv4.source", "draw": "random", "from": "10.0.0.0", "to": "10.0.255.255"},
        {"field": "udp.destination_port", "draw": "list", "values": [80, 443]},
        {"offset": 42, "bits": 16, "draw": "shuffle"}]"#;
    let mut host = start(UDP4, vary);
    let made: Vec<_> = (0..8).flat_map(|_| host.generate(256)).collect();
    let seen: Vec<_> = made.iter().map(read).collect();
    assert!(seen.iter().all(|(source, port, _)| source >> 16 == 0x0a00 && *port == 1024));
    assert!(seen.iter().map(|(source, ..)| source).collect::<BTreeSet<_>>().len() > 1_900);
    assert!(seen.iter().enumerate().all(|(i, (_, _, port))| *port == [80, 443][i % 2]));
    let words: BTreeSet<_> = made.iter().map(|output| &output.bytes[42..44]).collect();
    assert_eq!(words.len(), 2_048);
    assert_eq!((host.counter("packets"), host.counter("bytes")), (2_048, 2_048 * 60));
}

#[test]
fn sizes_vary_and_lengths_follow() {
    let mut host = start(UDP4, r#""sizes": {"imix": "aabg"}, "vary": [{"field": "ipv4.identification"}]"#);
    let made = host.generate(256);
    assert_eq!(made.iter().take(5).map(|output| output.bytes.len()).collect::<Vec<_>>(), [60, 60, 124, 1514, 60]);
    for (i, output) in (0_u16..).zip(&made) {
        read(output);
        let ip = Ipv4::parse(&output.bytes[14..]).unwrap();
        let udp = Udp::parse(ip.payload).unwrap();
        assert_eq!((ip.payload.len(), udp.payload.len()), (output.bytes.len() - 34, output.bytes.len() - 42));
        assert_eq!(output.bytes[18..20], i.to_be_bytes());
    }
    // What is too short is taken to what is possible.
    let made = start(UDP4, r#""sizes": {"draw": "list", "values": [0, 1522]}"#).generate(2);
    assert_eq!([made[0].bytes.len(), made[1].bytes.len()], [60, 1522]);
}

#[test]
fn other_headers_are_known_too() {
    let vary = r#""vary": [
        {"field": "ipv6.source", "from": "2001:db8:1::1", "to": "2001:db8:1::ff"},
        {"field": "vlan.vid", "draw": "random", "from": 100, "to": 199}, {"field": "tcp.sequence", "draw": "random"}]"#;
    for (i, output) in start(TCP6, vary).generate(64).iter().enumerate() {
        assert_eq!(checksum::check(&output.bytes), Ok(()));
        assert_eq!(
            (output.bytes.len(), output.bytes[41], &output.bytes[26..30]),
            (78, u8::try_from(i + 1).unwrap(), &[0x20, 1, 0xd, 0xb8][..])
        );
        assert!((100..200).contains(&u16::from_be_bytes([output.bytes[14], output.bytes[15]])));
    }
    for output in start(PING6, r#""vary": [{"field": "echo.sequence", "draw": "random"}]"#).generate(64) {
        assert_eq!(checksum::check(&output.bytes), Ok(()));
    }
}

#[test]
fn checksums_can_be_left_to_others() {
    let vary = r#""vary": [{"field": "ipv4.source", "from": 1, "to": 9}], "checksums": "#;
    // What the port cannot compute is computed here.
    let both = tx_flags::IP_CHECKSUM | tx_flags::UDP_CHECKSUM;
    let cases = [
        (offloads::TX_IP_CHECKSUM | offloads::TX_UDP_CHECKSUM, both),
        (offloads::TX_IP_CHECKSUM, tx_flags::IP_CHECKSUM),
        (0, 0),
    ];
    for (can, asked) in cases {
        let mut run = Run::default();
        run.ports[usize::from(run.next_port)].offloads = can;
        let mut host = Host::<StreamGen>::start_in(run, &config(UDP4, &format!("{vary} \"offload\""))).unwrap();
        for (i, output) in (1..).zip(host.generate(4)) {
            assert_eq!((output.desc.tx_flags & both, output.bytes[29]), (asked, i));
            if asked != 0 {
                assert_eq!((output.desc.l2_len, output.desc.l3_len), (14, 20));
            }
            let mut right = output.bytes.clone();
            checksum::fill(&mut right).unwrap();
            assert_eq!(output.bytes[24..26] == right[24..26], asked & tx_flags::IP_CHECKSUM == 0);
            assert_eq!(output.bytes[40..42] == right[40..42], asked & tx_flags::UDP_CHECKSUM == 0);
        }
    }
    for output in start(UDP4, &format!("{vary} \"none\"")).generate(4) {
        assert_eq!(
            (output.desc.tx_flags, &output.bytes[24..26], &output.bytes[40..42]),
            (0, &[0, 0][..], &[0xff, 0xff][..])
        );
    }
    // IPv4 can do without a checksum of UDP.
    let none = UDP4.replace("ffff", "0000");
    assert_eq!(start(&none, r#""vary": [{"field": "ipv4.ttl", "from": 1}]"#).generate(2)[1].bytes[40..42], [0, 0]);
}

#[test]
fn streams_are_mixed_by_weight() {
    let stream = |packet: &str, rest: &str| config(packet, rest);
    let json = format!(
        r#"{{"streams": [{}, {}, {}]}}"#,
        stream(UDP4, r#""weight": 7, "vary": [{"field": "ipv4.source", "draw": "random", "from": 1, "to": 99}]"#),
        stream(TCP6, r#""weight": 4, "sizes": {"draw": "random", "from": 78, "to": 1500}"#),
        stream(PING6, "")
    );
    let mut host = Host::<StreamGen>::start(&json).unwrap();
    let made: Vec<_> = (0..16).flat_map(|_| host.generate(256)).collect();
    let kind = |output: &&Output| match output.bytes[12] {
        8 => 0,
        0x81 => 1,
        _ => 2,
    };
    let count = |which| made.iter().filter(|output| kind(output) == which).count();
    assert!((2_300..2_480).contains(&count(0)) && (1_270..1_460).contains(&count(1)) && (290..400).contains(&count(2)));
    // Rooms go from stream to stream, and no packet has anything of another one.
    for output in &made {
        assert_eq!(checksum::check(&output.bytes), Ok(()));
        match kind(&output) {
            0 => assert!(read(output).0 < 100),
            1 => assert_eq!(output.bytes[78..].iter().max().copied().unwrap_or(0), 0),
            _ => assert_eq!(output.bytes.len(), 62),
        }
    }
}

#[test]
fn gaps_are_asked_of_the_port() {
    let mut host = start(UDP4, r#""gaps": {"packets_per_second": 1000000}"#);
    for output in host.generate(16) {
        assert_eq!((output.verdict, output.desc.tx_flags, output.desc.time), (Verdict::tx(1), tx_flags::GAP, 1000));
    }
    let mut host = start(UDP4, r#""gaps": {"megabits": 10000, "pattern": "poisson"}, "port": 2"#);
    let gaps: Vec<_> = (0..16).flat_map(|_| host.generate(256)).map(|output| output.desc.time).collect();
    let mean = gaps.iter().sum::<u64>() as f64 / gaps.len() as f64;
    assert!((mean - 67.2).abs() < 4.0, "{mean}");
}

#[test]
fn cached_packets_are_written_once() {
    let vary = r#""fill": "cached", "vary": [{"field": "ipv4.source", "from": 1, "to": 4000}]"#;
    let mut host = start(UDP4, vary);
    let sources: BTreeSet<_> = (0..4).flat_map(|_| host.generate(256)).map(|output| read(&output).0).collect();
    assert!(sources.len() >= 256);
    host.spoil_rooms();
    let spoiled = host.generate(4);
    assert_eq!(spoiled[0].bytes, spoiled[3].bytes);
    let text = "fill: \"cached\" needs a single stream of one length, no gaps and no offload";
    assert_eq!(refused(&config(UDP4, r#""fill": "cached", "sizes": {"imix": "simple"}"#)), text);
}

#[test]
fn always_filling_repairs_what_others_changed() {
    for (fill, same) in [("always", true), ("once", false)] {
        let mut host = start(UDP4, &format!(r#""fill": "{fill}""#));
        let first = host.generate(1).remove(0);
        host.spoil_rooms();
        assert_eq!(host.generate(256).iter().all(|output| output.bytes == first.bytes), same, "{fill}");
    }
}

#[test]
fn the_count_is_exact_and_the_seed_decides() {
    let mut host = start(UDP4, r#""count": 100, "port": 2"#);
    assert_eq!(
        [64, 64, 64].map(|count| (host.generate(count).len(), host.is_finished())),
        [(64, false), (36, true), (0, true)]
    );
    let make = |seed: u64, rest: &str| {
        let run = Run { seed, ..Run::default() };
        let vary = format!(r#""vary": [{{"field": "ipv4.source", "draw": "random"}}]{rest}"#);
        let mut host = Host::<StreamGen>::start_in(run, &config(UDP4, &vary)).unwrap();
        host.generate(8).into_iter().map(|output| output.bytes).collect::<Vec<_>>()
    };
    assert_eq!(make(1, ""), make(1, ""));
    assert_ne!(make(1, ""), make(2, ""));
    assert_eq!(make(1, r#", "seed": 7"#), make(2, r#", "seed": 7"#));
}

perigee_guest::stack! {
    struct Overlay {
        eth: Ethernet, tag: Vlan, ip: Ipv6, udp: Udp, vxlan: Vxlan, inner_eth: Ethernet, inner_ip: Ipv4, inner_tcp: Tcp,
    }
}
perigee_guest::stack! { pub(crate) struct Mobile { eth: Ethernet, ip: Ipv4, udp: Udp, gtp: Gtpu, inner: Ipv4, inner_udp: Udp } }
perigee_guest::stack! { pub(crate) struct Labels { eth: Ethernet, a: Mpls, b: Mpls, ip: Ipv4, udp: Udp } }
perigee_guest::stack! { pub(crate) struct Options { eth: Ethernet, ip: Ipv6, hop: HopByHop, udp: Udp } }
perigee_guest::stack! { struct Messages { eth: Ethernet, ip: Ipv4, sctp: Sctp, data: SctpData } }

/// A packet of a stack in hexadecimal digits, with a payload of 20 bytes that are not 0.
pub(crate) fn digits<S: Stack>() -> String {
    let mut bytes = vec![0xa5; S::LEN + 20];
    S::fill(&mut bytes, |_| ()).unwrap();
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn any_stack_is_a_template() {
    let cases = [
        (digits::<Overlay>(), ["vlan.vid", "ipv6.destination", "vxlan.vni", "ipv4.source", "tcp.sequence"]),
        (digits::<Mobile>(), ["ipv4.source", "gtp-u.teid", "ipv4#2.source", "udp.source_port", "udp#2.source_port"]),
        (digits::<Labels>(), ["mpls.label", "mpls#2.label", "mpls#2.ttl", "ipv4.dscp", "udp.destination_port"]),
        (
            digits::<Options>(),
            ["ethernet.source", "ipv6.flow_label", "ipv6.source", "ipv6.hop_limit", "udp.source_port"],
        ),
        (digits::<Messages>(), ["sctp.tag", "sctp-data.tsn", "sctp-data.stream", "ipv4.ttl", "sctp.source_port"]),
    ];
    for (packet, fields) in &cases {
        let items: Vec<_> =
            fields.iter().map(|f| format!(r#"{{"field": "{f}", "draw": "random", "to": 63}}"#)).collect();
        let vary = format!(r#""vary": [{}]"#, items.join(", "));
        let kinds = |bytes: &[u8]| Layers::new(bytes).map(|place| place.name()).collect::<Vec<_>>();
        let lengths = |bytes: &[u8]| Layers::new(bytes).map(|place| place.whole().len()).collect::<Vec<_>>();
        let first = start(packet, "").generate(1).remove(0).bytes;
        for sizes in ["", r#", "sizes": {"draw": "random", "from": 200, "to": 1500}"#] {
            let made = start(packet, &format!("{vary}{sizes}")).generate(256);
            for output in &made {
                assert_eq!(checksum::check(&output.bytes), Ok(()), "{fields:?}");
                // Some of the ports are those of protocols that the payload then looks like.
                assert!(kinds(&output.bytes).starts_with(&kinds(&first)), "{fields:?}");
                let more = output.bytes.len() - first.len();
                assert_eq!(lengths(&output.bytes)[1], lengths(&first)[1] + more, "{fields:?}");
            }
            for field in fields {
                let find = |bytes: &[u8]| Layers::new(bytes).collect::<perigee_guest::wire::Places>().field(field);
                let values: BTreeSet<_> =
                    made.iter().map(|output| find(&output.bytes).unwrap().get(&output.bytes)).collect();
                assert!(values.len() > 40, "{field}");
            }
        }
    }
}

#[test]
fn any_bytes_are_a_template() {
    let mut random = Lcg64::new(1);
    for _ in 0..300 {
        let len = 14 + random.below(86) as usize;
        let mut text = String::new();
        for _ in 0..len {
            let byte = [0x08, 0x00, 0x45, 0x46, 0x86, 0xdd, 0x81, 17, 6, 58][random.below(10) as usize];
            write!(text, "{byte:02x}").unwrap();
        }
        let vary = r#""vary": [{"offset": 8, "bits": 64, "draw": "random"}], "sizes": {"from": 50, "to": 300}"#;
        assert_eq!(start(&text, vary).generate(8).len(), 8);
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let cases = [
        ("{}".to_owned(), "packet: needs either packet (with vary and sizes) or streams"),
        (
            r#"{"streams": [{"packet": "00"}], "sizes": {}}"#.to_owned(),
            "vary and sizes belong into each of the streams",
        ),
        (
            r#"{"streams": [{"packet": "00"}]}"#.to_owned(),
            "streams[0]: packet: shorter than the 14 bytes of an Ethernet header",
        ),
        (config("0", ""), "packet: expected pairs of hexadecimal digits"),
        (config(&"zz".repeat(20), ""), "packet: expected pairs of hexadecimal digits"),
        (config(&"00".repeat(1537), ""), "packet: longer than 1536 bytes (sizes can make packets longer)"),
        (
            config(UDP4, r#""vary": [{"field": "tcp.window"}]"#),
            "vary[0]: field: the packet has no \"tcp.window\"; its headers are ethernet, ipv4, udp",
        ),
        (
            config(&UDP4.replace("0022", "0122"), r#""vary": [{"field": "ipv4.ttl"}]"#),
            "vary[0]: field: the packet has no \"ipv4.ttl\"; its headers are ethernet (what follows is cut off, or its lengths \
             contradict each other)",
        ),
        (config(UDP4, r#""vary": [{"offset": 60}]"#), "vary: an item is behind the packet's end"),
        (config(UDP4, r#""sizes": {"draw": "random"}"#), "sizes: to: is missing (or values, or clients)"),
        (
            config(UDP4, r#""sizes": {"field": "ipv4.ttl"}"#),
            "sizes: field, offset, of and carry are for the items of vary",
        ),
        (config(UDP4, r#""gaps": {}"#), "gaps: needs packets_per_second or megabits, and not both"),
        (config(UDP4, r#""port": 4"#), "port: this run has no port of that number"),
        (config(UDP4, r#""checksums": "hard""#), "checksums: unknown word \"hard\"; known: software, offload, none"),
    ];
    for (config, text) in cases {
        assert_eq!(refused(&config), text, "{config}");
    }
}

/// The configuration of README.md, as JSON.
const README: &str = r#""seed": 42, "sizes": {"imix": "simple"}, "vary": [
    {"field": "ipv4.source", "draw": "random", "from": "10.0.0.0", "to": "10.0.255.255"},
    {"field": "udp.destination_port", "draw": "list", "values": [80, 443]},
    {"field": "ipv4.ttl", "draw": "zipf", "from": 1, "to": 64, "exponent": 1.2},
    {"field": "ipv4.dscp", "draw": "weighted", "values": [0, 46], "weights": [9, 1]},
    {"name": "client", "field": "ipv4.destination", "clients":
        {"from": "10.1.0.1", "to": "10.1.0.9", "ports": [5000, 5002], "flows": 20, "macs": "02:00:00:00:01:00"}},
    {"field": "udp.source_port", "of": "client.port"},
    {"field": "ethernet.destination", "of": "client.mac"},
    {"name": "low", "offset": 19, "bits": 8, "to": 3},
    {"offset": 18, "bits": 8, "to": 9, "carry": "low"}]"#;

#[test]
fn packets_are_those_of_a_run_in_webassembly() {
    let mut host = start(UDP4, README);
    let made: Vec<_> = [256; 8].into_iter().flat_map(|count| host.generate(count)).take(2_000).collect();
    let first: Vec<_> =
        made.iter().take(5).map(|output| (output.bytes.len(), output.bytes[22], read(output).0 & 0xffff)).collect();
    assert_eq!(first, [(60, 47, 0x273d), (60, 3, 0x5e56), (1514, 2, 0x2768), (60, 9, 0xfe2f), (566, 3, 0x9df8)]);
    // FNV-1a over all bytes of the 2,000 packets that perigee wrote to a pcap file with the module in WebAssembly.
    let bytes = made.iter().flat_map(|output| &output.bytes);
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    assert_eq!(hash, 0xd5a7_ae68_9494_8cb1);
}
