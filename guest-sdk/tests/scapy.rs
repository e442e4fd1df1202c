//! Scapy as the second opinion on every header: each reads what the other builds, field by field, checksums included.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

use perigee_guest::wire::{Cover, HEADERS, Info, Layers, Next, PartInfo, Place, checksum, dump};
use serde_json::Value;
use std::collections::BTreeSet;
use support::scapy::{self, Layer};
use support::stacks::{self, AnyStack};
use support::{Random, hex, hex_value, unhex};

/// Packets of each of scapy's stacks.
const ROUNDS: &str = "12";
/// Packets of each of ours.
const PACKETS: usize = 12;

fn header(name: &str) -> &'static Info {
    HEADERS.iter().find(|info| info.format.name == name).unwrap_or_else(|| panic!("no header is called {name:?}"))
}

/// What a failure is to show of a packet.
fn shown(packet: &[u8]) -> String {
    let mut text = String::new();
    dump(packet, &mut text).unwrap();
    format!("{text}{}", hex(packet))
}

/// The same headers at the same places, with the same values.
fn assert_agrees(what: &str, packet: &[u8], places: &[Place], layers: &[Layer]) {
    let ours: Vec<_> = places.iter().map(|place| (place.name(), place.start)).collect();
    let theirs: Vec<_> =
        layers.iter().filter(|layer| !layer.option).map(|layer| (layer.name.as_str(), layer.start)).collect();
    assert_eq!(ours, theirs, "{what}: ours, and scapy's\n{}", shown(packet));
    for layer in layers {
        assert_fields(what, packet, layer);
    }
}

fn assert_fields(what: &str, packet: &[u8], layer: &Layer) {
    let format = &header(&layer.name).format;
    for (name, theirs) in &layer.fields {
        let field = format.fields.iter().find(|field| field.name == name);
        let field = field.unwrap_or_else(|| panic!("mapping.py has {}.{name}, which we do not have", layer.name));
        let ours = hex_value(field, &packet[layer.start..]);
        let where_ = format!("{what}: {}.{name} at byte {}", layer.name, layer.start);
        assert_eq!(&ours, theirs, "{where_}: ours, and scapy's\n{}", shown(packet));
    }
}

/// The packet with its checksums spoilt: by zeros, and by other values.
fn spoilt(packet: &[u8], places: &[Place], with: u128) -> Vec<u8> {
    let mut spoilt = packet.to_vec();
    for (index, place) in places.iter().enumerate() {
        let bytes = &mut spoilt[place.whole()];
        // Where nobody says that IPv4 follows, only its checksum does.
        let is_proof = index > 0 && places[index - 1].measured.next == Next::IpByVersion;
        match place.measured.cover {
            Cover::Nothing => {}
            Cover::Header(_) if is_proof => {}
            Cover::Header(field) | Cover::Message(field) | Cover::Pseudo(field, _) => {
                assert!(field.set(bytes, with));
            }
            Cover::Own(_) => bytes[8..12].copy_from_slice(&with.to_be_bytes()[12..]),
        }
    }
    spoilt
}

#[test]
fn every_field_has_a_counterpart_or_a_reason() {
    let mapping = &scapy::run(&["mapping"], "")[0];
    let mut missing = Vec::new();
    for info in HEADERS {
        let name = info.format.name;
        if mapping["without"][name].is_string() {
            continue;
        }
        let Some(fields) = mapping["fields"][name].as_array() else {
            missing.push(format!("{name}: no class of scapy's"));
            continue;
        };
        for field in info.format.fields {
            let whole = format!("{name}.{}", field.name);
            if !fields.contains(&field.name.into()) && !mapping["without"][&whole].is_string() {
                missing.push(whole);
            }
        }
    }
    assert!(missing.is_empty(), "neither in PARTS nor in WITHOUT of tests/scapy/mapping.py:\n{}", missing.join("\n"));
    let known = |name: &str| HEADERS.iter().any(|info| info.format.name == name);
    for (name, _) in mapping["fields"].as_object().unwrap() {
        assert!(known(name), "mapping.py has a header {name}, which we do not have");
    }
    for (name, reason) in scapy::pairs(&mapping["without"]) {
        let (header_name, field) = name.split_once('.').unwrap_or((&name, ""));
        let is_there = known(header_name)
            && (field.is_empty() || header(header_name).format.fields.iter().any(|known| known.name == field));
        assert!(is_there && !reason.is_empty(), "WITHOUT has {name}, which we do not have");
    }
}

/// Checks what scapy says of a packet that it made.
fn check_made(line: &Value) {
    let what = line["stack"].as_str().unwrap();
    let (packet, filled) = (unhex(line["raw"].as_str().unwrap()), unhex(line["filled"].as_str().unwrap()));
    let places: Vec<_> = Layers::new(&packet).collect();
    assert_agrees(what, &packet, &places, &scapy::layers(line));
    let checked = checksum::check(&packet).map_err(|place| (place.name(), place.start));
    assert_eq!(checked, Ok(()), "{what}: a wrong checksum\n{}", shown(&packet));
    for with in [0, 0x5a5a_a5a5, u128::MAX] {
        let mut again = spoilt(&packet, &places, with);
        checksum::fill(&mut again).unwrap();
        let text = format!("{what}, spoilt with {with:x}: ours\n{}\nscapy's\n{}", shown(&again), shown(&filled));
        assert!(again == filled, "{text}");
    }
    let covered = places.iter().any(|place| place.measured.cover != Cover::Nothing);
    if covered {
        let wrong = spoilt(&packet, &places, 0x5a5a_a5a5);
        // By chance, all of them are right.
        assert!(wrong == packet || checksum::check(&wrong).is_err(), "{what}: spoilt, and not noticed");
    }
}

#[test]
fn we_read_what_scapy_builds() {
    let lines = scapy::run(&["make", "1", ROUNDS], "");
    assert!(lines.len() > 300, "only {} packets", lines.len());
    let wrong: BTreeSet<_> = lines
        .iter()
        .filter(|line| std::panic::catch_unwind(|| check_made(line)).is_err())
        .map(|line| line["stack"].as_str().unwrap())
        .collect();
    assert!(wrong.is_empty(), "packets of these stacks, see above: {wrong:?}");
    let without = &scapy::run(&["mapping"], "")[0]["without"];
    let seen: BTreeSet<_> = lines.iter().flat_map(scapy::layers).map(|layer| layer.name).collect();
    let unseen = HEADERS.iter().map(|info| info.format.name).filter(|name| !seen.contains(*name));
    let unseen: Vec<_> = unseen.filter(|name| !without[name].is_string()).collect();
    assert!(unseen.is_empty(), "no stack in tests/scapy/stacks.py has {unseen:?}");
}

#[test]
fn scapy_reads_what_we_build() {
    let mut random = Random(1);
    let mut packets = Vec::new();
    for turn in 0..PACKETS {
        for stack in stacks::all() {
            let payload = 46 + random.below(60);
            let make = if turn == 0 { AnyStack::plain } else { AnyStack::random };
            packets.push((stack, make(stack, &mut random, payload)));
        }
    }
    let input: String = packets.iter().map(|(_, packet)| hex(packet) + "\n").collect();
    let lines = scapy::run(&["read"], &input);
    assert_eq!(lines.len(), packets.len());
    let without = &scapy::run(&["mapping"], "")[0]["without"];
    let pairs = packets.iter().zip(&lines);
    let wrong: BTreeSet<_> = pairs
        .filter(|((stack, packet), line)| {
            std::panic::catch_unwind(|| assert_read(stack, packet, line, without)).is_err()
        })
        .map(|((stack, _), _)| stack.name)
        .collect();
    assert!(wrong.is_empty(), "packets of these stacks, see above: {wrong:?}");
}

/// Checks what scapy says of a packet of ours.
fn assert_read(stack: &AnyStack, packet: &[u8], line: &Value, without: &Value) {
    let places: Vec<_> = Layers::new(packet).collect();
    // Nobody can tell NVGRE from GRE.
    let name = |part: &PartInfo| if part.info.format.name == "NVGRE" { "GRE" } else { part.info.format.name };
    let declared: Vec<_> = stack.parts.iter().map(|part| (name(part), part.start)).collect();
    let found: Vec<_> = places.iter().map(|place| (place.name(), place.start)).collect();
    assert_eq!(found[..declared.len()], declared, "{}: found, and declared\n{}", stack.name, shown(packet));
    let layers = scapy::layers(line);
    let theirs: Vec<_> = layers.iter().filter(|layer| !layer.option).map(|l| (l.name.as_str(), l.start)).collect();
    // Behind a header that scapy does not have it knows nothing.
    let known = declared.iter().position(|(name, _)| without[name].is_string()).unwrap_or(declared.len());
    let declared = &declared[..known];
    let text = format!("{}: scapy's, and ours\n{}", stack.name, shown(packet));
    assert!(theirs.len() >= declared.len(), "{theirs:?} {text}");
    assert_eq!(&theirs[..declared.len()], declared, "{text}");
    let known = layers.iter().filter(|layer| layer.option || layer.start < stack.len);
    known.for_each(|layer| assert_fields(stack.name, packet, layer));
    assert_eq!(line["rebuilt"].as_str().unwrap(), hex(packet), "{}: scapy's checksums, and ours", stack.name);
    assert_eq!(checksum::check(packet).map_err(|place| place.name()), Ok(()), "{}", stack.name);
}
