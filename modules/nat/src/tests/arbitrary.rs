//! Whatever comes, nothing fails.

use super::*;
use proptest::prelude::*;

/// Packets of all kinds, with some bytes changed, some cut off.
fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let sound = prop_oneof![
        Just(udp("10.0.0.1:5000", "192.0.2.1:53")),
        Just(udp("192.0.2.1:53", "198.51.100.1:5000")),
        Just(udp("192.0.2.1:53", "198.51.100.0:5000")),
        Just(udp("10.0.0.2:5000", "198.51.100.1:53")),
        Just(tcp("10.0.0.1:5000", "192.0.2.1:80", "S")),
        Just(tcp("192.0.2.1:80", "198.51.100.1:5000", "SA")),
        Just(echo("10.0.0.1", "192.0.2.1", 8, 1)),
        Just(error("203.0.113.1", "198.51.100.1", 3, &udp("198.51.100.1:5000", "192.0.2.1:53"), 36)),
        Just(error("10.0.0.5", "192.0.2.1", 3, &udp("192.0.2.1:53", "10.0.0.1:5000"), 36)),
    ];
    let changes = prop::collection::vec((0..80_usize, any::<u8>()), 0..4);
    let frame =
        (sound, changes, prop::option::of(0..90_usize), any::<bool>()).prop_map(|(mut frame, changes, cut, mend)| {
            for (at, value) in changes {
                if let Some(byte) = frame.get_mut(at) {
                    *byte = value;
                }
            }
            frame.truncate(cut.unwrap_or(usize::MAX));
            if mend && frame.len() >= 34 {
                let _ = checksum::fill(&mut frame);
            }
            if frame.is_empty() { vec![0] } else { frame }
        });
    let noise = prop::collection::vec(any::<u8>(), 1..200);
    prop::collection::vec(prop_oneof![8 => frame, 1 => noise], 1..40)
}

const LINKED: &str = r#""filtering": "endpoint-independent", "link": {
    "inside": {"port": 0, "address": "10.0.0.254/24"},
    "outside": {"port": 1, "address": "198.51.100.1/24", "gateway": "198.51.100.254"}}"#;

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_packets_are_counted_and_harm_nobody(batches in prop::collection::vec(frames(), 1..5), pause in 0..2_u64) {
        for more in ["", r#""filtering": "endpoint-independent", "loose": false"#, LINKED, r#""steer": true, "rings": [0, 1]"#] {
            let comma = if more.is_empty() { "" } else { ", " };
            let mut host = start(&format!(r#""sessions": 64, "hosts": 32{comma}{more}"#));
            let (mut came, mut now) = (0, 0);
            for (at, batch) in batches.iter().enumerate() {
                now += pause * 500_000_000;
                host.set_time(now);
                came += batch.len() as u64;
                let port = u16::try_from(at % 2).unwrap();
                host.process(batch.iter().map(|frame| Input::new(frame).port(port)));
            }
            // What waits goes in the end.
            for step in 0..20 {
                host.set_time(now + 2 * SECOND + step);
                host.process(Vec::<Vec<u8>>::new());
            }
            assert_eq!(host.held(), 0);
            let names: Vec<&str> = crate::outcome::Drop::ALL.iter().map(|(_, name)| *name).collect();
            let others = ["outbound", "inbound", "hairpinned", "passed", "steered", "arp.answered", "arp.heard"];
            let accounted: u64 = names.iter().chain(&others).map(|name| host.counter(name)).sum();
            assert_eq!(accounted, came, "each packet is counted once");
        }
    }
}

/// All counters, and what came out of all batches: verdicts and bytes.
type Outcome = (Vec<u64>, Vec<(perigee_guest::Verdict, Vec<u8>)>);

fn outcome(batches: &[Vec<Vec<u8>>], more: &str, none_is_plain: bool) -> Outcome {
    crate::plain::NONE_IS_PLAIN.set(none_is_plain);
    let mut host = start(more);
    let mut outputs = Vec::new();
    for (at, batch) in (0..).zip(batches) {
        host.set_time(at * SECOND);
        let port = u16::try_from(at % 2).unwrap();
        let out = host.process(batch.iter().map(|frame| Input::new(frame).port(port)));
        outputs.extend(out.into_iter().map(|out| (out.verdict, out.bytes)));
    }
    crate::plain::NONE_IS_PLAIN.set(false);
    let names = crate::outcome::Drop::ALL.iter().map(|(_, name)| *name);
    let names = names.chain(crate::outcome::Count::ALL.iter().map(|(_, name)| *name));
    (names.map(|name| host.counter(name)).collect(), outputs)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plain_packet_fares_as_by_the_general_way(batches in prop::collection::vec(frames(), 1..6)) {
        for more in ["", r#""filtering": "endpoint-independent", "loose": false"#, r#""filtering": "address-and-port-dependent""#] {
            prop_assert_eq!(outcome(&batches, more, false), outcome(&batches, more, true));
        }
    }
}
