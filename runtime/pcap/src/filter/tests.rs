//! Our interpreter beside libpcap's: the same programs, on packets of all kinds.

use super::libpcap::Compiled;
use super::program::Program;
use super::{LONGEST, compile};
use perigee_core::frame::Frame;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::path::{Path, PathBuf};

/// Filters of each kind that the language has.
pub(crate) const FILTERS: &[&str] = &[
    "",
    "arp",
    "ip",
    "ip6",
    "rarp",
    "tcp",
    "udp",
    "sctp",
    "icmp",
    "icmp6",
    "igmp",
    "ah",
    "esp",
    "not ip",
    "ip or arp",
    "tcp port 80",
    "udp port 53",
    "port 53",
    "src port 40001",
    "dst port 9",
    "sctp port 9",
    "portrange 40000-40002",
    "tcp portrange 1-1024",
    "src portrange 100-200",
    "dst portrange 0-65535",
    "host 192.0.2.1",
    "src host 192.0.2.1",
    "dst host 192.0.2.2",
    "net 192.0.2.0/24",
    "src net 192",
    "dst net 10.0.0.0/8",
    "net 192.0.2.0 mask 255.255.255.128",
    "ip6 host 2001:db8::1",
    "src net 2001:db8::/32",
    "host 2001:db8::2 and icmp6",
    "ether host 02:00:00:00:00:01",
    "ether src 02:00:00:00:00:01",
    "ether dst 02:00:00:00:00:02",
    "ether broadcast",
    "ether multicast",
    "multicast",
    "ip multicast",
    "ip6 multicast",
    "ether proto 0x88b5",
    "ether proto \\arp",
    "ip proto 6",
    "ip6 proto 17",
    "proto 17",
    "ip proto \\tcp",
    "less 60",
    "greater 100",
    "len > 64",
    "len = 60",
    "len % 2 = 1",
    "len / 4 > 20",
    "vlan",
    "vlan 42",
    "vlan 42 and ip",
    "vlan and udp port 9",
    "vlan 5 or ip",
    "vlan 42 and vlan 7",
    "mpls",
    "mpls 16 and ip",
    "pppoes",
    "pppoes 7",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "tcp[13] = 2",
    "tcp[13] & 7 != 0",
    "icmp[icmptype] = icmp-echo",
    "icmp[0] = 8",
    "icmp6[0] = 128",
    "udp[4:2] > 8",
    "ip[0] & 0xf != 5",
    "ip[6:2] & 0x1fff != 0",
    "ip[8] < 5",
    "ip[2:2] > 100",
    "ip6[6] = 58",
    "ether[0] & 1 = 0",
    "ether[12:2] = 0x0806",
    "ether[6:4] = 0x02000000",
    "ether[100] = 0",
    "ether[len - 1] = 0x5a",
    "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420",
    "ip[ip[0] & 0xf] = 1",
    "ether[ether[14]] = 1",
    "ip[1] * 3 + 1 = 1",
    "ip[8] ^ 0xff = 191",
    "ip[9] | 1 = 7",
    "ip[9] << 2 = 24",
    "ip[9] >> 1 = 3",
    "- ip[9] = -6",
    "ip[8] - ip[9] > 50",
    "ip[8] / ip[1] = 3",
    "ip[8] % ip[1] = 0",
    "1 << ip[8] = 0",
    "ether[14] << ether[15] > 7",
    "tcp and (port 80 or port 443) and not host 192.0.2.9",
    "(ip and tcp and src port 40001 and tcp[13] = 2) or (ip6 and udp) or arp or (vlan and ip)",
    "ip host 192.0.2.1 and (tcp or udp or icmp) and greater 40 and less 1500 and ether[0] = 2 and ip[8] > 1",
    "geneve",
    "geneve 0xb",
    "llc",
    "stp",
    "isis",
    "decnet host 10.15",
    "ether host 02:00:00:00:00:02 or ip6 multicast",
    "arp[6:2] = 1",
    "arp host 192.0.2.1",
    "rarp host 192.0.2.1",
    "ip broadcast or ether broadcast",
];

/// A filter, compiled by libpcap, for both.
struct Both {
    text: &'static str,
    theirs: Compiled,
    ours: Program,
}

fn both() -> Vec<Both> {
    let one = |text: &&'static str| {
        let theirs = Compiled::new(text).map_err(|what| assert!(what.contains("netmask"), "{text}: {what}")).ok()?;
        let ours = Program::new(&theirs.instructions()).unwrap_or_else(|what| panic!("{text}: {what}"));
        Some(Both { text, theirs, ours })
    };
    FILTERS.iter().filter_map(one).collect()
}

fn compare(filters: &[Both], packet: &[u8]) -> usize {
    let mut passed = 0;
    for Both { text, theirs, ours } in filters {
        let passes = theirs.passes(packet);
        assert_eq!(ours.passes(packet), passes, "{text:?} on {packet:02x?}");
        passed += usize::from(passes);
    }
    passed
}

fn captures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = vec![root.join("examples/pcap/in.pcap")];
    let corpus = std::fs::read_dir(root.join("fuzz/corpus/pcap")).unwrap();
    found.extend(corpus.map(|entry| entry.unwrap().path()));
    found.sort();
    found
}

/// The packets of a capture, as far as it can be read.
fn packets(path: &Path) -> Vec<Vec<u8>> {
    let Ok(mut reader) = pcap_file::pcap::PcapReader::new(std::fs::File::open(path).unwrap()) else {
        return Vec::new();
    };
    let mut packets = Vec::new();
    while let Some(Ok(packet)) = reader.next_packet() {
        packets.push(packet.data.into_owned());
    }
    packets
}

#[test]
fn captures_are_filtered_as_libpcap_does() {
    let filters = both();
    let all: Vec<Vec<u8>> = captures().iter().flat_map(|path| packets(path)).collect();
    assert!(all.len() >= 8, "{} packets", all.len());
    let passed: usize = all.iter().map(|packet| compare(&filters, packet)).sum();
    assert!(passed > 6 * 8, "filters let nearly nothing pass: {passed}");
}

/// The six frames of the example, with a tag or two, cut, with some bytes changed; and bytes of any kind.
pub(crate) fn packet() -> impl Strategy<Value = Vec<u8>> {
    let known = packets(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pcap/in.pcap"));
    assert_eq!(known.len(), 6);
    let tags = proptest::collection::vec((prop_oneof![Just(0x8100_u16), Just(0x88a8), Just(0x8847)], 0_u16..64), 0..3);
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let changed =
        (prop::sample::select(known), tags, changes, 0_usize..200).prop_map(|(mut bytes, tags, changes, len)| {
            for (tpid, tci) in tags {
                let [[a, b], [c, d]] = [tpid, tci].map(u16::to_be_bytes);
                bytes.splice(12..12, [a, b, c, d]);
            }
            for (at, byte) in changes {
                // Headers are where filters look.
                let at = at.index(bytes.len().min(64));
                bytes[at] = byte;
            }
            if len < 100 {
                bytes.truncate(len);
            }
            bytes
        });
    prop_oneof![8 => changed, 1 => proptest::collection::vec(any::<u8>(), 0..160)]
}

#[test]
fn packets_of_all_kinds_are_filtered_as_libpcap_does() {
    let filters = both();
    let config = Config { failure_persistence: None, cases: 3_000, rng_seed: RngSeed::Fixed(1), ..Config::default() };
    let passed = std::cell::Cell::new(0);
    let result = TestRunner::new(config).run(&packet(), |packet| {
        passed.set(passed.get() + compare(&filters, &packet));
        Ok(())
    });
    result.unwrap_or_else(|failed| panic!("{failed}"));
    assert!(passed.get() > 10_000, "filters let nearly nothing pass: {}", passed.get());
}

#[test]
fn what_is_no_filter_is_refused_in_libpcaps_words() {
    for (text, expected) in [
        ("tcp prot 80", "syntax error"),
        ("vlan 5000", "VLAN tag 5000 greater than maximum 4095"),
        ("host 1.2.3", ""),
        ("inbound", ""),
        ("ip6 protochain 17", "it needs a loop, as `protochain` does"),
        ("port 70000", ""),
        ("a\0b", "zero byte"),
    ] {
        match compile(text) {
            Err(what) => assert!(what.contains(expected), "{text:?}: {what}"),
            Ok(_) => assert_eq!(expected, "", "{text:?} is taken"),
        }
    }
    assert!(compile(&"x".repeat(LONGEST + 1)).unwrap_err().contains("8193 bytes, and 8192 are the most"));
}

#[test]
fn a_frame_without_bytes_passes_only_what_asks_for_none() {
    assert_eq!(Frame::len(&[][..]), 0);
    assert!(compile("").unwrap().passes(&[][..]) && compile("less 1").unwrap().passes(&[][..]));
    assert!(!compile("ip").unwrap().passes(&[][..]) && !compile("not ip").unwrap().passes(&[][..]));
}
