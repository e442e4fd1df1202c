//! Several instances, each with a part of the ports.

use super::*;
use perigee_guest::Verdict;

#[test]
fn each_instance_has_its_part_and_knows_whose_the_others_are() {
    for index in 0..2_u16 {
        let more = format!(r#""preserve": false, "slice": {{"index": {index}, "of": 2}}, "rings": [0, 1]"#);
        let mut host = start(&more);
        for n in 1..50 {
            let own = outside(&mut host, &udp(&format!("10.0.0.{n}:5000"), "192.0.2.1:53"));
            assert_eq!((endpoint(&own).1 - 1_024) / 32_256, index);
        }
        let port = if index == 0 { 65_535 } else { 1_024 };
        let frame = udp("192.0.2.1:53", &format!("198.51.100.1:{port}"));
        let out = host.process([frame.clone()]);
        assert_eq!((out[0].verdict, &out[0].bytes), (Verdict::ring(1 - index), &frame));
        let about = udp(&format!("198.51.100.1:{port}"), "192.0.2.1:53");
        let out = host.process([error("203.0.113.1", "198.51.100.1", 3, &about, 28)]);
        assert_eq!(out[0].verdict, Verdict::ring(1 - index), "an error follows what it quotes");
        assert_eq!(host.counter("steered"), 2);
    }
    let mut host = start(r#""slice": {"index": 0, "of": 2}"#);
    assert_eq!(send(&mut host, &udp("192.0.2.1:53", "198.51.100.1:65535")), "drop");
    assert_eq!(host.counter("drop.other_slice"), 1);
}

#[test]
fn who_steers_and_who_translates_agree() {
    let forward = r#""forwards": [{"protocol": "tcp", "outside": "198.51.100.1:80", "inside": "10.0.0.5:8080"}]"#;
    let mut steer = start(&format!(r#""steer": true, "rings": [0, 1], {forward}"#));
    let mut nats =
        [0, 1].map(|index| start(&format!(r#""slice": {{"index": {index}, "of": 2}}, "rings": [0, 1], {forward}"#)));
    let mut seen = [0; 2];
    for n in 1..100 {
        let host = format!("10.0.0.{n}:5000");
        for frame in [udp(&host, "192.0.2.1:53"), tcp(&host, "192.0.2.1:53", "S")] {
            let owner = ring(&mut steer, &frame);
            seen[owner] += 1;
            let out = nats[owner].process([frame])[0].bytes.clone();
            let own = ends(&out[14..]).split(" > ").next().unwrap().to_owned();
            let back = if out[23] == 17 { udp("192.0.2.1:53", &own) } else { tcp("192.0.2.1:53", &own, "SA") };
            assert_eq!(ring(&mut steer, &back), owner);
            assert_eq!(send(&mut nats[owner], &back), format!("192.0.2.1:53 > {host}"));
        }
    }
    assert!(seen.iter().all(|count| *count > 60), "{seen:?}");
    // A forward goes where its host is.
    let syn = tcp("192.0.2.1:777", "198.51.100.1:80", "S");
    let owner = ring(&mut steer, &syn);
    assert_eq!(ring(&mut steer, &tcp("10.0.0.5:8080", "192.0.2.1:777", "SA")), owner);
    assert_eq!(send(&mut nats[owner], &syn), "192.0.2.1:777 > 10.0.0.5:8080");
}

fn ring(steer: &mut Host<Nat>, frame: &[u8]) -> usize {
    let verdict = steer.process([Input::new(frame)])[0].verdict;
    (0..2_u16).position(|ring| verdict == Verdict::ring(ring)).unwrap()
}

#[test]
fn one_ring_gets_everything() {
    let mut steer = start(r#""steer": true, "rings": [1]"#);
    let out = steer.process([vec![7; 60], udp("192.0.2.1:1", "192.0.2.2:2")]);
    assert!(out.iter().all(|output| output.verdict == Verdict::ring(1)));
}
