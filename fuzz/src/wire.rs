//! A packet: dissected, shown, its checksums written and checked, its options walked.

use perigee_guest::testing::Host;
use perigee_guest::wire::{
    Cover, HEADERS, Layers, MAX_LAYERS, Place, TYPED, TlvFormat, Tlvs, checksum, dump, hex, show,
};
use perigee_guest::{Batch, Module, Refusal, Setup, abi};
use std::cell::RefCell;

/// Longest packet that is looked at: more bytes say nothing new and cost time.
const LONGEST: usize = 1900;

const OPTIONS: [TlvFormat; 5] = [TlvFormat::IP, TlvFormat::ND, TlvFormat::IPV6, TlvFormat::DHCP, TlvFormat::WORDS];

/// Reads bytes as a packet that begins with Ethernet, and as each header and each kind of options. Nothing panics or goes on
/// for ever, headers lie within each other, and checksums that were written are right.
pub fn check(bytes: &[u8]) {
    let packet = &bytes[..bytes.len().min(LONGEST)];
    let places = dissected(packet);
    shown(packet, &places);
    checksums(packet, &places);
    options(packet);
    headers(packet);
}

/// Headers follow each other, each within the payload of the one before.
fn dissected(packet: &[u8]) -> Vec<Place> {
    let mut layers = Layers::new(packet);
    let places: Vec<_> = layers.by_ref().collect();
    assert!(places.len() <= MAX_LAYERS);
    for pair in places.windows(2) {
        assert_eq!(pair[0].payload().start, pair[1].start);
        assert!(pair[1].whole().end <= pair[0].whole().end, "{pair:?}");
    }
    assert!(places.iter().all(|place| place.measured.header_len >= place.info.format.len));
    assert!(places.last().is_none_or(|last| last.payload() == layers.rest()));
    assert!(layers.rest().end <= packet.len());
    places
}

/// One line for each header; in hex, the packet again.
fn shown(packet: &[u8], places: &[Place]) {
    let mut text = String::new();
    dump(packet, &mut text).expect("a String takes everything");
    let lines = text.lines().filter(|line| !line.starts_with("padding ")).count();
    assert_eq!(lines, places.len() + 1, "{text}");
    let mut text = String::new();
    hex(packet, &mut text).expect("a String takes everything");
    let back = text.lines().flat_map(|line| line.split(' ').skip(1)).map(|byte| u8::from_str_radix(byte, 16));
    assert_eq!(back.collect::<Result<Vec<_>, _>>().as_deref(), Ok(packet));
}

/// After they were written checksums are right, nothing else has changed, and writing them again changes nothing.
fn checksums(packet: &[u8], places: &[Place]) {
    let _ = checksum::check(packet);
    let mut filled = packet.to_vec();
    let result = checksum::fill(&mut filled);
    assert_eq!(dissected(&filled).len(), places.len(), "writing checksums changed the headers");
    let wrong = checksum::check(&filled).map_err(|place| place.name());
    assert_eq!(wrong, Ok(()), "wrong after it was written");
    let mut outside = filled.clone();
    for place in places {
        let range = match place.measured.cover {
            Cover::Nothing => continue,
            Cover::Header(field) | Cover::Message(field) | Cover::Pseudo(field, _) => field.bytes(),
            Cover::Own(_) => 8..12,
        };
        let range = place.start + range.start..place.start + range.end;
        outside[range.clone()].copy_from_slice(&packet[range]);
    }
    assert!(outside == packet, "something beside the checksums has changed");
    let again = filled.clone();
    assert_eq!(checksum::fill(&mut filled), result);
    assert!(filled == again, "the second time differs from the first");
    if result.is_ok() && !packet.is_empty() {
        completed(packet, &again);
    }
}

/// Completes the checksums of its packets, as if they left by the port that they came from.
struct Completes {
    ports: Vec<abi::PortInfo>,
}

impl Module for Completes {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        Ok(Self { ports: setup.ports().to_vec() })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        for mut packet in batch {
            let port = self.ports[usize::from(packet.port())];
            packet.complete_checksums(&port).expect("headers that agree with each other");
            packet.next();
        }
    }
}

/// A port without offloads gets the same packet as from [`checksum::fill`].
fn completed(packet: &[u8], filled: &[u8]) {
    thread_local! {
        // Starting one takes longer than all the rest.
        static HOST: RefCell<Host<Completes>> =
            RefCell::new(Host::start("").expect("a module that refuses nothing"));
    }
    HOST.with_borrow_mut(|host| {
        let outputs = host.process([packet.to_vec()]);
        assert!(outputs[0].bytes == filled, "complete_checksums and fill differ");
    });
}

/// Options end, whatever they are.
fn options(bytes: &[u8]) {
    for format in OPTIONS {
        let mut left = bytes.len();
        for option in Tlvs::new(bytes, format) {
            // Each takes at least its type and length.
            let taken = option.map_or(1, |option| option.value.len() + format.kind_len + format.length_len);
            left = left.checked_sub(taken).expect("more options than bytes");
        }
        for kind in [0, 1, 2, u16::from(bytes.first().copied().unwrap_or(7))] {
            let _ = Tlvs::new(bytes, format).find_kind(kind);
        }
    }
}

/// The bytes as each header there is.
fn headers(bytes: &[u8]) {
    let mut text = String::new();
    let mut changed = bytes.to_vec();
    for (info, typed) in HEADERS.iter().zip(TYPED) {
        let lengths = (typed.parse)(&mut changed);
        let measured = info.measure(bytes);
        let expected = measured.ok().map(|m| (m.header_len - info.format.len, m.total_len - m.header_len));
        assert_eq!(lengths, expected, "{}", info.format.name);
        text.clear();
        show(&info.format, bytes, &mut text).expect("a String takes everything");
        assert!(Layers::starting_with(info, bytes).count() <= MAX_LAYERS);
        for field in info.format.fields {
            let value = field.get(bytes).unwrap_or(0);
            let is_there = bytes.len() >= field.bytes().end && field.bits <= 128;
            assert_eq!(field.set(&mut changed, value), is_there);
        }
    }
    assert!(changed == bytes, "writing what was read has changed it");
}
