//! What an index says is never that a packet is not there which is; and mostly that one is not there which is not.

use super::reader::{Index, Stretch, Unusable};
use super::sketch::{Sketch, Sketcher};
use super::{Writer, path};
use crate::filter::tests::{FILTERS, packet};
use crate::filter::{Program, compile};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::cell::Cell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn programs() -> Vec<(&'static str, Arc<Program>)> {
    FILTERS.iter().filter_map(|text| Some((*text, compile(text).ok()?))).collect()
}

fn sketch<'a>(packets: impl IntoIterator<Item = &'a Vec<u8>>) -> Sketch {
    let mut sketcher = Sketcher::new();
    packets.into_iter().for_each(|packet| sketcher.packet(packet));
    sketcher.take()
}

fn again(sketch: &Sketch) -> Sketch {
    let mut bytes = Vec::new();
    sketch.encode(&mut bytes);
    Sketch::decode(&bytes).expect("what was written is read")
}

#[test]
fn no_packet_is_denied_that_a_filter_takes() {
    let programs = programs();
    let config = Config { failure_persistence: None, cases: 1_000, rng_seed: RngSeed::Fixed(3), ..Config::default() };
    let (denied, asked) = (Cell::new(0), Cell::new(0));
    let result = TestRunner::new(config).run(&proptest::collection::vec(packet(), 1..8), |packets| {
        let known = again(&sketch(&packets));
        for (text, program) in &programs {
            let (passes, may) = (packets.iter().any(|packet| program.passes(&packet[..])), known.may_pass(program));
            prop_assert!(may || !passes, "{text}");
            asked.set(asked.get() + usize::from(!passes));
            denied.set(denied.get() + usize::from(!may));
        }
        Ok(())
    });
    result.unwrap_or_else(|failed| panic!("{failed}"));
    println!("{} of {} filters that take nothing need not be tried", denied.get(), asked.get());
    assert!(denied.get() * 10 > asked.get() * 7, "{} of {}", denied.get(), asked.get());
}

/// UDP behind so many tags, or TCP over IPv6.
fn udp(source: u32, port: u16, tags: &[u16]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    tags.iter().for_each(|tag| frame.extend([&[0x81, 0][..], &tag.to_be_bytes()].concat()));
    frame.extend([8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend(source.to_be_bytes());
    frame.extend([10, 9, 0, 1]);
    frame.extend([&port.to_be_bytes()[..], &[0, 53, 0, 8, 0, 0]].concat());
    frame
}

#[test]
fn what_is_not_there_is_denied_however_many_packets_there_are() {
    let many: Vec<_> = (0..3_000).map(|n| udp(0x0a00_0000 + n, 20_000, &[])).chain([udp(7, 9, &[42])]).collect();
    let known = again(&sketch(&many));
    let may = |text: &str| known.may_pass(&compile(text).expect("a filter"));
    let there =
        ["host 10.0.3.7", "src host 10.0.0.0 and udp port 53", "udp", "vlan 42 and host 0.0.0.7", "src net 10.0.0.0/8"];
    there.iter().for_each(|text| assert!(may(text), "{text}"));
    let missing = [
        "tcp",
        "arp",
        "ip6",
        "udp port 54",
        "src port 53",
        "dst host 10.0.3.7",
        "vlan 41",
        "vlan 42 and host 10.0.3.7",
        "icmp[0] = 8",
        "ether host 02:00:00:00:00:03",
        "host 172.16.0.1 or host 172.16.0.2",
    ];
    let found: Vec<_> = missing.iter().filter(|text| may(text)).collect();
    assert!(found.is_empty(), "{found:?}");
}

fn written(packets: &[Vec<u8>]) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("a.pcapng");
    let mut writer = Writer::new(&file).expect("an index");
    fs::write(&file, vec![0; packets.len() * 100]).expect("a file");
    for (n, packet) in (0..).zip(packets) {
        writer.packet(n * 100_000, n * 100_000 + 90_000, 1_000 + n, packet).expect("a packet");
    }
    writer.finish(&file.metadata().expect("it")).expect("whole");
    (home, file)
}

fn read(file: &Path) -> Result<Vec<Stretch>, Unusable> {
    let mut index = Index::open(file, &file.metadata().expect("it"))?;
    let mut all = Vec::new();
    while let Some(stretch) = index.next_stretch()? {
        all.push(stretch);
    }
    Ok(all)
}

#[test]
fn an_index_is_read_as_it_was_written_and_for_its_file_alone() {
    let packets: Vec<_> = (0..50).map(|n| udp(n, 5, &[])).collect();
    let (home, file) = written(&packets);
    let stretches = read(&file).expect("an index");
    let shape: Vec<_> = stretches.iter().map(|s| (s.begin, s.packets, s.first_ns, s.last_ns)).collect();
    assert_eq!(shape[..2], [(0, 11, 1_000, 1_010), (1_100_000, 11, 1_011, 1_021)]);
    assert_eq!(shape.iter().map(|(_, packets, ..)| packets).sum::<u64>(), 50);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(path(&file).metadata().expect("it").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(home.path()).expect("it").count(), 2, "nothing else is left");
    let time = file.metadata().expect("it").modified().expect("a time");
    File::options()
        .append(true)
        .open(&file)
        .expect("it")
        .set_modified(time + std::time::Duration::from_nanos(9))
        .expect("set");
    assert_eq!(read(&file), Err(Unusable::Stale));
    File::options().append(true).open(&file).expect("it").set_modified(time).expect("set");
    assert_eq!(read(&file), Ok(stretches));
    fs::remove_file(path(&file)).expect("removed");
    assert_eq!(read(&file), Err(Unusable::Missing));
}

#[test]
fn an_index_that_is_not_finished_leaves_nothing() {
    let home = tempfile::tempdir().expect("a folder");
    drop(Writer::new(&home.path().join("a")).expect("an index"));
    assert_eq!(fs::read_dir(home.path()).expect("it").count(), 0);
    fs::write(home.path().join(".a.index.part"), "of a process that was killed").expect("written");
    drop(Writer::new(&home.path().join("a")).expect("an index"));
    assert_eq!(fs::read_dir(home.path()).expect("it").count(), 0);
}

#[test]
fn damage_is_found_and_never_obeyed() {
    let packets: Vec<_> = (0..15).map(|n| udp(n, 5, &[1])).collect();
    let (_home, file) = written(&packets);
    let whole = fs::read(path(&file)).expect("it");
    for at in 0..whole.len() {
        fs::write(path(&file), &whole[..at]).expect("written");
        assert_eq!(read(&file), Err(Unusable::Damaged), "cut at {at}");
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        fs::write(path(&file), changed).expect("written");
        assert!(read(&file).is_err(), "changed at {at}");
    }
    // Also where the checksum is right: whatever the bytes are.
    let filters = programs();
    let filters = &filters[20..24];
    let mut random = 1_u64;
    for round in 0..20_000_u64 {
        let mut next = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round);
            random >> 33
        };
        let mut body = whole[12..].to_vec();
        body.truncate(usize::try_from(next()).unwrap_or(0) % body.len());
        (0..3).for_each(|_| {
            let (at, byte) = (usize::try_from(next()).unwrap_or(0), next());
            let len = body.len().max(1);
            if let Some(slot) = body.get_mut(at % len) {
                *slot = byte.to_le_bytes()[0];
            }
        });
        if let Some(sketch) = body.get(40..).and_then(Sketch::decode) {
            filters.iter().for_each(|(_, program)| _ = sketch.may_pass(program));
        }
    }
}

#[test]
fn a_header_that_was_seen_in_the_stretch_before_is_seen_again() {
    let mut sketcher = Sketcher::new();
    let frame = udp(7, 9, &[42]);
    (0..2).for_each(|_| sketcher.packet(&frame));
    let first = sketcher.take();
    sketcher.packet(&frame);
    assert_eq!(sketcher.take(), first);
    let loads = [&[][..], &[1], &[1, 2]].map(|tags| sketch([&udp(7, 9, tags)]));
    let vlan = |known: &Sketch, text: &str| known.may_pass(&compile(text).expect("a filter"));
    assert_eq!(loads.map(|known| vlan(&known, "vlan 1 and host 0.0.0.7")), [false, true, false]);
}
