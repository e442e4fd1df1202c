//! Packets that go in parts, and are put together again.

use super::*;

/// What comes of stamped packets that are cut, each so many.
fn cut(every: u32, count: usize) -> Vec<Vec<Vec<u8>>> {
    let mut stamp = start(&format!(r#"{{"mode": "stamp", "parts": {every}}}"#));
    let frame = packet(UDP, [10, 77, 1, 2], 53);
    let one = |_| {
        let out = stamp.process([frame.clone()]);
        let whole = out.iter().filter(|out| out.verdict == Verdict::NEXT).map(|out| out.bytes.clone());
        let parts = stamp.outputs().iter().map(|output| output.bytes.clone()).collect::<Vec<_>>();
        whole.chain(parts).collect()
    };
    (0..count).map(one).collect()
}

fn place(part: &[u8]) -> u16 {
    u16::from_be_bytes([part[IP + 6], part[IP + 7]])
}

#[test]
fn parts_go_in_each_order_and_are_one_packet_again() {
    let sent = cut(2, 12);
    assert!(sent.iter().step_by(2).all(|out| out.len() == 1 && place(&out[0]) == 0));
    let orders: std::collections::BTreeSet<Vec<u16>> =
        sent.iter().skip(1).step_by(2).map(|parts| parts.iter().map(|part| place(part)).collect()).collect();
    assert!(orders.len() == 6 && orders.iter().all(|order| order.len() == 3), "{orders:?}");
    let mut host = start(r#"{"mode": "firewall", "from": "a", "rules": [{"action": "accept"}], "answers": true}"#);
    let all: Vec<_> = sent.into_iter().flatten().collect();
    assert_eq!(broken(&mut host, 9, &all), None);
    assert_eq!((host.counter("questions"), host.counter("answered"), host.counter("parts")), (12, 12, 18));
}

#[test]
fn what_is_wrong_with_parts_is_said() {
    const CONFIG: &str = r#"{"mode": "firewall", "from": "a", "rules": [{"action": "accept"}]}"#;
    let parts = cut(1, 1).remove(0);
    let run = |parts: &[Vec<u8>]| broken(&mut start(CONFIG), 9, parts);
    assert_eq!(run(&parts[..2]), None, "one is missing");
    let mut host = start(CONFIG);
    broken(&mut host, 9, &parts[..2]);
    assert_eq!(host.counter("questions"), 0);
    assert!(run(&[parts[0].clone(), parts[0].clone()]).unwrap().contains("comes twice"));
    // The sum over the header changes with the field.
    let with = |change: fn(&mut [u8])| {
        let mut part = parts[1].clone();
        change(&mut part);
        [parts[0].clone(), part, parts[2].clone()]
    };
    assert!(run(&with(|part| part[IP + 8] -= 1)).unwrap().contains("wrong checksum"));
    let (less, more) = (|part: &mut [u8]| part[IP + 8] -= 1, |part: &mut [u8]| part[IP + 10] += 1);
    let mut other = parts[1].clone();
    less(&mut other);
    more(&mut other);
    assert!(run(&[parts[0].clone(), other]).unwrap().contains("hops left"));
    // What they carry is covered by the checksum of the packet.
    assert!(run(&with(|part| part[IP + 30] ^= 1)).unwrap().contains("the checksum of TCP, UDP or ICMP"));
}
