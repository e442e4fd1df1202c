//! Whatever the bytes are: no header and no iterator panics, and each iterator ends.

use super::captured::hex;
use super::dns::{Data, MAX_NAME, Message, Name, Writer};
use super::ipfix::{Sets, Templates, Value};
use super::quic::{Kind, Packet, Packets, Versions, read_varint};
use super::sflow::{Datagram, Sample};
use super::{Dhcp, Dhcpv6, HEADERS, Ptp, dns, ipfix, quic, sflow};
use crate::wire::{Layers, dump};
use proptest::collection::vec;
use proptest::prelude::*;
use std::string::{String, ToString as _};
use std::vec::Vec;

/// A good message with some bytes changed and its end cut off, or anything.
fn mutated(message: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let len = message.len();
    let changes = vec((0..len, prop_oneof![Just(0), Just(0xc0), Just(0xff), any::<u8>()]), 0..6);
    let some = (changes, prop_oneof![Just(len), 0..=len]).prop_map(move |(changes, end)| {
        let mut bytes = message.clone();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(end);
        bytes
    });
    prop_oneof![4 => some, 1 => vec(any::<u8>(), 0..600)]
}

/// Whether an iterator ends before it has given more items than there are bytes.
fn ends<T>(items: impl Iterator<Item = T>, bytes: &[u8]) -> bool {
    items.take(bytes.len() + 2).count() <= bytes.len()
}

fn walk_dns(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes) else { return };
    assert!(ends(message.questions(), bytes) && ends(message.records(), bytes));
    let _ = message.edns();
    let mut room = [0; MAX_NAME];
    let mut check = |name: Name<'_>| {
        assert!(name.is(".") == (name == Name::ROOT) && name.is_within("."));
        assert!(name.labels().count() < 128 && !name.to_string().is_empty());
        let len = name.canonical(&mut room);
        let (copy, end) = Name::read(&room[..len], 0).unwrap();
        assert!(copy == name && end == len);
        let _ = name.is_within("example.org");
    };
    for question in message.questions().flatten() {
        check(question.name);
    }
    for record in message.records().flatten() {
        check(record.name);
        match record.data() {
            Ok(Data::Ns(name) | Data::Cname(name) | Data::Ptr(name)) => check(name),
            Ok(Data::Mx { exchange: name, .. } | Data::Srv { target: name, .. }) => check(name),
            Ok(Data::Soa { primary, mailbox, .. }) => {
                check(primary);
                check(mailbox);
            }
            Ok(Data::Txt(texts)) => assert!(ends(texts, bytes)),
            Ok(Data::Opt(opt)) => assert!(ends(opt.options(), bytes)),
            Ok(Data::A(_) | Data::Aaaa(_) | Data::Other(_)) | Err(_) => {}
        }
    }
}

/// What was read of a message, written and read again, is the same; in a room that may be too small.
fn rewrite_dns(bytes: &[u8], room: usize) {
    let Ok(message) = Message::parse(bytes) else { return };
    let mut copy = std::vec![0; room];
    let Ok(mut writer) = Writer::new(&mut copy, message.header()) else { return };
    let asked = message.questions().flatten();
    let asked =
        asked.take_while(|question| writer.question(question.name, question.kind, question.class).is_ok()).count();
    let written = message.records().flatten().take_while(|record| {
        let fill = |data: &mut dns::Rdata<'_, '_>| match record.data() {
            Ok(Data::Cname(name)) => data.name(name),
            _ => data.bytes(record.bytes),
        };
        writer.record(record.section, record.name, record.kind, record.class, record.ttl, fill).is_ok()
    });
    let written = written.count();
    let len = writer.len();
    let copy = Message::parse(&copy[..len]).unwrap();
    assert_eq!((copy.questions().flatten().count(), copy.records().flatten().count()), (asked, written));
    assert!(copy.questions().flatten().eq(message.questions().flatten().take(asked)));
    for (ours, theirs) in copy.records().flatten().zip(message.records().flatten()) {
        assert!(ours.name == theirs.name && ours.ttl == theirs.ttl && ours.section == theirs.section);
    }
}

fn walk_ipfix(bytes: &[u8]) {
    let Ok(sets) = Sets::of_message(bytes) else { return };
    assert!(ends(sets.clone(), bytes));
    let mut templates = Templates::<2, 3>::new();
    for set in sets.flatten() {
        assert!(ends(set.templates(), bytes));
        for template in set.templates().flatten() {
            assert!(template.fields().count() == usize::from(template.count));
            let _ = templates.learn(1, &template);
        }
        let Some(fields) = templates.find(1, set.id) else { continue };
        assert!(ends(set.records(fields), bytes));
        for record in set.records(fields).flatten() {
            assert_eq!(record.values().count(), fields.len());
            let _ = record.values().filter_map(|value: Value<'_>| value.number()).count();
        }
    }
}

fn walk_sflow(bytes: &[u8]) {
    let Ok(datagram) = Datagram::parse(bytes) else { return };
    assert!(ends(datagram.samples(), bytes));
    for sample in datagram.samples().flatten() {
        match sample {
            Sample::Flow(flow) => assert!(ends(flow.records(), bytes)),
            Sample::Counters(counters) => assert!(ends(counters.records(), bytes)),
            Sample::Other { .. } => {}
        }
    }
}

fn walk_quic(bytes: &[u8]) {
    assert!(ends(Packets::new(bytes), bytes));
    for packet in Packets::new(bytes).flatten() {
        if let Kind::Negotiation { versions } = packet.kind {
            assert_eq!(Versions::new(versions).count() * 4, versions.len());
        }
    }
    if let Ok((_, rest)) = Packet::parse_long(bytes) {
        assert!(rest.len() < bytes.len());
    }
    let _ = read_varint(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dns_ends(bytes in mutated(hex(dns::test::RESPONSE)), room in 0..600_usize) {
        walk_dns(&bytes);
        rewrite_dns(&bytes, room);
    }

    #[test]
    fn ipfix_ends(bytes in prop_oneof![mutated(hex(ipfix::test::MESSAGE)), mutated(hex(ipfix::test::NETFLOW))]) {
        walk_ipfix(&bytes);
    }

    #[test]
    fn sflow_ends(bytes in mutated(hex(&sflow::test::datagram()))) {
        walk_sflow(&bytes);
    }

    #[test]
    fn quic_ends(bytes in mutated(hex(&quic::test::initial()))) {
        walk_quic(&bytes);
    }

    #[test]
    fn headers_and_options_end(bytes in vec(any::<u8>(), 0..400)) {
        let mut text = String::new();
        for info in HEADERS {
            if let Ok(measured) = info.measure(&bytes) {
                assert!(measured.header_len <= measured.total_len && measured.total_len <= bytes.len());
            }
            assert!(Layers::starting_with(info, &bytes).count() <= bytes.len());
        }
        dump(&bytes, &mut text).unwrap();
        assert!(ends(Dhcp::options(&bytes), &bytes) && ends(Dhcpv6::options(&bytes), &bytes));
        assert!(ends(Ptp::tlvs(&bytes), &bytes));
        let mut dhcp = Dhcp::default();
        dhcp.set_boot_file([bytes.first().copied().unwrap_or(0); 128]);
        assert!(dhcp.all_options(&bytes).count() <= bytes.len() + 192);
    }
}

/// Many records whose names are long chains of pointers cost no more than their number.
#[test]
fn chains_of_pointers_are_cheap() {
    // The first points to the header's last byte, a zero; each other one to the record before it.
    let mut bytes = std::vec![0; 12];
    bytes[6..8].copy_from_slice(&5000_u16.to_be_bytes());
    for _ in 0..5000 {
        let at = u16::try_from(bytes.len().min(0x3fff)).unwrap();
        bytes.extend((0xc000 | at.saturating_sub(12).max(11)).to_be_bytes());
        bytes.extend([0, 41, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    walk_dns(&bytes);
    assert!(Message::parse(&bytes).unwrap().records().count() == 128);
}

#[test]
#[allow(unreachable_pub, reason = "a stack's parts are public, and it is seen here only")]
fn a_port_is_only_a_hint() {
    crate::stack! { struct Udp4 { eth: crate::wire::Ethernet, ip: crate::wire::Ipv4, udp: crate::wire::Udp } }
    let found = |port: u16, payload: &[u8]| {
        let mut packet = std::vec![0; Udp4::LEN];
        packet.extend(payload);
        <Udp4 as crate::wire::Stack>::fill(&mut packet, |headers| headers.udp.set_destination_port(port)).unwrap();
        let mut layers = Layers::new(&packet);
        let names: Vec<_> = layers.by_ref().skip(3).map(|place| place.name()).collect();
        assert!(!layers.is_malformed());
        names
    };
    assert_eq!(found(443, &hex(&quic::test::initial())), ["QUIC", "QUIC source"]);
    assert_eq!(found(443, &[0x40, 1, 2, 3, 4, 5, 6, 7]), Vec::<&str>::new());
    assert_eq!(found(53, &hex(dns::test::RESPONSE)), ["DNS"]);
    assert_eq!(found(53, &[0; 11]), Vec::<&str>::new());
    assert_eq!(found(6343, &hex(&sflow::test::datagram())), ["sFlow", "sFlow agent"]);
    assert_eq!(found(547, &hex(&std::format!("0c00 {}", "00".repeat(32)))), ["DHCPv6 relay"]);
    assert_eq!(found(547, &[1, 2, 3, 4]), ["DHCPv6"]);
}
