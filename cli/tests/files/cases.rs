//! Captures by name, and what must become of them.

use super::{Endian, Pcap, block, ethernet, frame, interface, packet_block, section};

/// A capture, and how many of its packets come; or what is said of it before anything starts.
pub(crate) struct Case(pub(crate) &'static str, pub(crate) Vec<u8>, pub(crate) Result<usize, &'static [&'static str]>);

/// A file of the new format.
pub(crate) fn pcapng(blocks: &[Vec<u8>]) -> Vec<u8> {
    [section(), blocks.concat()].concat()
}

/// Packets of an interface, each with a tag of its own.
pub(crate) fn packets(interface: u32, tags: std::ops::RangeInclusive<u8>) -> Vec<u8> {
    tags.map(|tag| packet_block(interface, &frame(tag, 64))).collect::<Vec<_>>().concat()
}

/// Files that libpcap reads to their end, whatever else a stricter reader may think of them.
pub(crate) fn readable() -> Vec<Case> {
    let mut cases = Vec::new();
    let old = |pcap: Pcap| pcap.file(&[frame(1, 64), frame(2, 1_500), frame(3, 14)]);
    for (name, magic) in [("us", 0xa1b2_c3d4), ("ns", 0xa1b2_3c4d), ("patched", 0xa1b2_cd34)] {
        for endian in [Endian::Little, Endian::Big] {
            cases.push(Case(name, old(Pcap { magic, endian, ..Pcap::default() }), Ok(3)));
        }
    }
    cases.push(Case("reserved fields", old(Pcap { reserved: 0x0102_0304, ..Pcap::default() }), Ok(3)));
    cases.push(Case("empty", Pcap::default().file(&[]), Ok(0)));
    let no_end = interface(1, 65_535, &[9, 0, 1, 0, 9, 0, 0, 0]);
    cases.push(Case("no end of options", pcapng(&[no_end, packets(0, 1..=3)]), Ok(3)));
    let zone = interface(1, 65_535, &[10, 0, 4, 0, 1, 2, 3, 4, 0, 0, 0, 0]);
    cases.push(Case("time zone of four bytes", pcapng(&[zone, packets(0, 1..=3)]), Ok(3)));
    let comment = interface(1, 65_535, &[1, 0, 2, 0, 0xff, 0xfe, 0, 0, 0, 0, 0, 0]);
    cases.push(Case("comment that is no UTF-8", pcapng(&[comment, packets(0, 1..=3)]), Ok(3)));
    let two = pcapng(&[ethernet(), ethernet(), packets(0, 1..=3), packets(1, 4..=6)]);
    cases.push(Case("two interfaces alike", two, Ok(6)));
    let unknown = pcapng(&[ethernet(), packets(0, 1..=1), block(0x0bad, &[1; 40]), packets(0, 2..=2)]);
    cases.push(Case("a block that nobody knows", unknown, Ok(2)));
    cases
}

/// Files in which libpcap stops, or whose packets are no frames.
pub(crate) fn refused() -> Vec<Case> {
    let frames = [frame(1, 64), frame(2, 64)];
    let long = |len| Pcap::default().file(&[frame(1, 64), frame(2, len), frame(3, 64)]);
    let cut = Pcap::default().file(&frames);
    let other = |link| interface(link, 65_535, &[]);
    let jumbo = interface(1, 262_144, &[]);
    let link = |link| Pcap { link, ..Pcap::default() }.file(&frames);
    vec![
        Case(
            "cut",
            cut[..cut.len() - 1].to_vec(),
            Err(&["first 1 packets, at packet 2", "editcap -r in.pcap OUT 1-1"]),
        ),
        Case("cut in its header", cut[..20].to_vec(), Err(&["cannot be read"])),
        Case("text", b"these are no packets at all, but words".to_vec(), Err(&["cannot be read", "capinfos"])),
        Case("nothing", Vec::new(), Err(&["cannot be read"])),
        Case(
            "snap lengths",
            pcapng(&[ethernet(), packets(0, 1..=3), jumbo, packets(1, 4..=6)]),
            Err(&["first 3 packets, at packet 4", "snapshot length", "editcap -F nsecpcap in.pcap OUT"]),
        ),
        Case(
            "errors first",
            pcapng(&[ethernet(), interface(1, 262_144, &[]).repeat(5_000), packets(0, 1..=100)]),
            Err(&["first 0 packets", "editcap -F nsecpcap"]),
        ),
        Case(
            "link types",
            pcapng(&[ethernet(), other(113), packets(0, 1..=3)]),
            Err(&["first 0 packets", "type 113", "tshark -r in.pcap"]),
        ),
        Case(
            "no such interface",
            pcapng(&[ethernet(), packets(0, 1..=3), packets(1, 4..=5), packets(0, 6..=6)]),
            Err(&["first 3 packets, at packet 4", "interface 1"]),
        ),
        Case(
            "longer than its snap length",
            pcapng(&[interface(1, 40, &[]), packets(0, 1..=3)]),
            Err(&["first 0 packets", "snaplen of 40", "editcap -F nsecpcap"]),
        ),
        Case("longer than libpcap takes", long(300_000), Err(&["first 1 packets, at packet 2", "300000"])),
        Case("longer than DPDK takes", long(70_000), Err(&["70000 bytes in packet 2", "editcap -s 65535"])),
        Case("raw IP", link(101), Err(&["Raw IP (RAW), not Ethernet", "Scapy"])),
        Case("IPv4", link(228), Err(&["(IPV4), not Ethernet"])),
        Case("loopback of BSD", link(0), Err(&["(NULL), not Ethernet"])),
        Case("cooked", link(113), Err(&["Linux cooked v1 (LINUX_SLL), not Ethernet"])),
        Case("cooked, version 2", link(276), Err(&["(LINUX_SLL2), not Ethernet"])),
        Case("PPP", link(9), Err(&["(PPP), not Ethernet"])),
        Case("a type that nobody knows", link(9_999), Err(&["9999, not Ethernet"])),
        Case("raw IP in pcapng", pcapng(&[other(101), packets(0, 1..=3)]), Err(&["not Ethernet"])),
    ]
}
