//! Fragments in any order.

use super::*;
use perigee_guest::testing::Run;

const FROM: &str = "10.0.0.1:5000";
const TO: &str = "192.0.2.1:53";

/// A UDP packet of four fragments, in their order.
fn parts() -> Vec<Vec<u8>> {
    let data: Vec<u8> = (0..92).collect();
    split(&udp_with(FROM, TO, &data), 32)
}

/// Cuts a packet.
fn split(frame: &[u8], size: usize) -> Vec<Vec<u8>> {
    let payload = &frame[34..];
    let count = payload.len().div_ceil(size);
    payload
        .chunks(size)
        .enumerate()
        .map(|(at, part)| {
            let mut fragment = [&frame[..34], part].concat();
            let (ip, _) = Ipv4::split_mut(&mut fragment[14..]).unwrap();
            ip.set_lengths(0, part.len());
            ip.set_identification(77);
            ip.set_fragment_offset(u16::try_from(at * size / 8).unwrap());
            ip.set_more_fragments(at + 1 < count);
            ip.fill_checksum(&[]);
            fragment
        })
        .collect()
}

/// Puts fragments together, and gives the whole packet.
fn join(mut fragments: Vec<Vec<u8>>) -> Vec<u8> {
    fragments.sort_by_key(|fragment| Ipv4::parse(&fragment[14..]).unwrap().fragment_offset());
    let mut whole = fragments[0][..34].to_vec();
    fragments.iter().for_each(|fragment| whole.extend(&fragment[34..]));
    let len = whole.len() - 34;
    let (ip, _) = Ipv4::split_mut(&mut whole[14..]).unwrap();
    ip.set_lengths(0, len);
    ip.set_more_fragments(false);
    ip.set_fragment_offset(0);
    ip.fill_checksum(&[]);
    whole
}

/// What comes out of fragments that come in this order, one in each batch, or all in one.
fn through(host: &mut Host<Nat>, fragments: &[Vec<u8>], together: bool) -> Vec<Vec<u8>> {
    let size = if together { fragments.len() } else { 1 };
    let mut out = Vec::new();
    // What came together with the first one goes with the next call.
    for batch in fragments.chunks(size).chain([&[][..]]) {
        let direct = host.process(batch.to_vec());
        out.extend(direct.into_iter().chain(host.outputs().to_vec()).filter(|output| output.desc.verdict != 0));
    }
    out.retain(|output| !output.verdict.is_drop() && output.desc.verdict != perigee_guest::abi::verdict::HOLD);
    out.into_iter().map(|output| output.bytes).collect()
}

/// All orders of four.
fn orders() -> Vec<[usize; 4]> {
    let mut orders = Vec::new();
    for code in 0..256 {
        let order = [code / 64, code / 16 % 4, code / 4 % 4, code % 4];
        if (0..4).all(|part| order.contains(&part)) {
            orders.push(order);
        }
    }
    orders
}

#[test]
fn any_order_gives_the_same_packet() {
    assert_eq!(orders().len(), 24);
    for together in [false, true] {
        for order in orders() {
            let mut host = start("");
            let parts = parts();
            let out = through(&mut host, &order.map(|part| parts[part].clone()), together);
            assert_eq!(out.len(), 4, "{order:?}");
            let whole = join(out);
            assert_eq!(checksum::check(&whole), Ok(()), "{order:?}");
            assert!(ends(&whole[14..]).ends_with(&format!(":5000 > {TO}")));
            assert_eq!((host.held(), host.counter("outbound")), (0, 4));
        }
    }
}

#[test]
fn fragments_come_back_in_any_order_too() {
    let mut host = start("");
    let own = outside(&mut host, &udp(FROM, TO));
    let data: Vec<u8> = (0..92).collect();
    let mut parts = split(&udp_with(TO, &own, &data), 32);
    parts.reverse();
    let whole = join(through(&mut host, &parts, false));
    assert_eq!(checksum::check(&whole), Ok(()));
    assert_eq!(ends(&whole[14..]), format!("{TO} > {FROM}"));
}

#[test]
fn parts_that_overlap_are_dropped_with_all_that_waits() {
    let mut host = start("");
    let parts = parts();
    host.process([parts[2].clone()]);
    assert_eq!(host.held(), 1);
    let mut again = parts[2].clone();
    again[40] ^= 1;
    host.process([again]);
    assert_eq!((host.held(), host.counter("drop.fragment_overlap")), (0, 2));
    assert_eq!(through(&mut host, &parts[..1], false).len(), 0);
    assert_eq!(host.counter("drop.fragment_overlap"), 3);
}

#[test]
fn what_waits_too_long_is_dropped() {
    let mut host = start("");
    host.process([parts()[1].clone()]);
    host.set_time(SECOND / 2);
    host.process(Vec::<Vec<u8>>::new());
    assert_eq!(host.held(), 1);
    for step in 0..16 {
        host.set_time(SECOND + step);
        host.process(Vec::<Vec<u8>>::new());
    }
    assert_eq!((host.held(), host.counter("drop.fragment_timeout")), (0, 1));
}

/// A packet that is whole is forgotten while some of its fragments wait for the next call; who gets its place then, and goes nowhere, does not
/// take them along.
#[test]
fn others_take_a_place_and_no_fragments() {
    let mut host = start(r#""fragments": {"packets": 1}"#);
    let [first, others @ ..] = &parts()[..] else { unreachable!() };
    let strangers = (0..9).map(|number| {
        let mut frame = split(&udp_with(TO, "198.51.100.1:5000", &[1; 92]), 32).swap_remove(0);
        let (ip, _) = Ipv4::split_mut(&mut frame[14..]).unwrap();
        ip.set_identification(number);
        ip.fill_checksum(&[]);
        frame
    });
    let batch: Vec<_> = others.iter().chain([first]).cloned().chain(strangers).collect();
    assert_eq!(through(&mut host, &batch, true).len(), 4);
    assert_eq!((host.held(), host.counter("drop.no_mapping")), (0, 9));
}

#[test]
fn no_more_wait_than_may() {
    let run = Run { hold_quota: 3, ..Run::default() };
    let mut host = Host::<Nat>::start_in(run, &config("")).unwrap();
    let data: Vec<u8> = vec![9; 252];
    let parts = split(&udp_with(FROM, TO, &data), 32);
    for part in &parts[1..] {
        host.process([part.clone()]);
        assert!(host.held() <= 3);
    }
    // The fourth has no place, so the packet cannot become whole: none of it is kept.
    assert_eq!((host.held(), host.counter("drop.fragments_full")), (0, parts.len() as u64 - 1));
}

#[test]
fn a_first_fragment_that_is_dropped_takes_the_others_with_it() {
    let mut host = start("");
    let parts = split(&udp_with("192.0.2.1:53", "198.51.100.1:5000", &[1; 92]), 32);
    host.process([parts[1].clone()]);
    host.process([parts[0].clone()]);
    host.process([parts[2].clone()]);
    assert_eq!((host.held(), host.counter("drop.no_mapping")), (0, 3));
}
