//! Whatever comes, each packet is accounted for once.

use super::*;
use perigee_guest::wire::checksum;
use proptest::collection::vec;
use proptest::prelude::*;

const CLASSES: &str = r#"
    {"name": "a", "prefixes": ["10.0.0.0/30"], "cir": "80k", "cbs": 2000, "ebs": 1000, "yellow": "dscp 3", "red": "dscp 5"},
    {"name": "b", "prefixes": ["0.0.0.0/0", "::/0"], "per": "flow", "cir": "800k", "cbs": 2000, "counts": "wire", "aware": true},
    {"name": "c", "prefixes": ["10.0.0.8/29"], "shape": "1M", "queue": 20, "counts": "frame"}"#;

fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let good = prop_oneof![
        (0..16_u8, 0..64_u8, 28..1_000_usize).prop_map(|(host, dscp, len)| packet(host, dscp, len)),
        (0..64_u8, 48..1_000_usize).prop_map(|(dscp, len)| packet6(dscp, len)),
    ];
    let changed = (good, vec((12..80_usize, any::<u8>()), 0..3), any::<Option<u16>>());
    let spoilt = changed.prop_map(|(mut frame, changes, cut)| {
        for (at, value) in changes {
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
        }
        frame.truncate(usize::from(cut.unwrap_or(u16::MAX)).max(1));
        frame
    });
    vec(prop_oneof![8 => spoilt, 1 => vec(any::<u8>(), 1..200)], 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_packet_has_one_fate(batches in vec((frames(), 0..20 * MS), 1..8)) {
        let mut host = host(CLASSES);
        let mut now = 0;
        for (frames, later) in batches {
            now += later;
            host.set_time(now);
            let out = host.process(frames.iter().map(Vec::as_slice));
            for (frame, out) in frames.iter().zip(&out) {
                prop_assert!(checksum::check(frame).is_err() || checksum::check(&out.bytes).is_ok());
            }
        }
        let names = ["passed", "other", "malformed", "unmatched", "policed", "queue_full", "hold_full"];
        let all: u64 = names.iter().map(|name| host.counter(name)).sum();
        prop_assert_eq!(all + host.held() as u64, host.counter("packets"));
        let colours: u64 = ["green", "yellow", "red"].iter().map(|name| host.counter(name)).sum();
        let others: u64 = ["other", "malformed", "unmatched"].iter().map(|name| host.counter(name)).sum();
        prop_assert_eq!(colours + others, host.counter("packets"));
    }

    #[test]
    fn any_message_and_state_is_answered(request in "\\PC{0,40}", state in vec(any::<u8>(), 0..300)) {
        let mut host = host(CLASSES);
        let _ = host.message(request.as_bytes());
        let _ = host.restore(&state);
        host.process([packet(1, 0, 100)]);
        prop_assert_eq!(host.counter("packets"), 1);
    }
}
