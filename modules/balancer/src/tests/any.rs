//! Whatever comes, each packet is accounted for once, and what leaves is well-formed.

use super::*;
use perigee_guest::wire::checksum;
use proptest::collection::vec;
use proptest::prelude::*;

/// What becomes of a packet is one of these.
const FATES: [&str; 7] = ["packets", "other", "malformed", "no_backend", "fragments.unknown", "too_big", "no_headroom"];

fn config_of(forward: &str, address: &str) -> String {
    let service = |to: &str, protocol: &str| {
        format!(r#"{{"address": "{to}", "protocol": "{protocol}", "port": 80, "forward": "{forward}"}}"#)
    };
    let services =
        ["192.0.2.1", "2001:db8::1"].map(|to| ["tcp", "udp"].map(|protocol| service(to, protocol)).join(","));
    format!(
        r#"{{"backends": [{{"name": "s", "mac": "02:00:00:00:01:01", "address": "{address}"}}], "source4": "10.9.0.254",
            "source6": "fd00::fe", "table_size": 251, "services": [{}]}}"#,
        services.join(",")
    )
}

/// Packets for the services, with some bytes changed and the end cut off; and bytes of no sense.
fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let good = prop_oneof![
        (0..50_u32, any::<u8>(), 0..1_480_usize).prop_map(|(client, flags, len)| tcp_of(client, flags, len)),
        (0..50_u16, 0..1_480_usize).prop_map(|(client, len)| udp(client, len)),
        (0..50_u16, any::<u8>(), 0..1_460_usize).prop_map(|(client, flags, len)| tcp6(client, flags, len)),
    ];
    let changed = (good, vec((12..100_usize, any::<u8>()), 0..4), any::<Option<u16>>());
    let spoilt = changed.prop_map(|(mut frame, changes, cut)| {
        for (at, value) in changes {
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
        }
        frame.truncate(usize::from(cut.unwrap_or(u16::MAX)).max(1));
        frame
    });
    vec(prop_oneof![8 => spoilt, 1 => vec(any::<u8>(), 1..200)], 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_packet_has_one_fate(
        frames in frames(),
        forward in prop_oneof![Just("mac"), Just("ipip"), Just("geneve")],
        address in prop_oneof![Just("10.9.0.1"), Just("fd00::1")],
    ) {
        let mut host = Host::<Balancer>::start(&config_of(forward, address)).unwrap();
        let out = host.process(frames.iter().map(Vec::as_slice));
        let all: u64 = FATES.iter().map(|name| host.counter(name)).sum();
        prop_assert_eq!(all, frames.len() as u64);
        let sent = out.iter().filter(|out| out.verdict == Verdict::tx(0)).count() as u64;
        prop_assert_eq!(sent, host.counter("packets") + host.counter("too_big.told"));
        for (frame, out) in frames.iter().zip(&out) {
            // What had right checksums has right ones.
            prop_assert!(checksum::check(frame).is_err() || checksum::check(&out.bytes).is_ok());
        }
    }

    #[test]
    fn any_message_and_state_is_answered(request in "\\PC{0,40}", state in vec(any::<u8>(), 0..300)) {
        let mut host = host("");
        let _ = host.message(request.as_bytes());
        let _ = host.restore(&state);
        prop_assert!(send(&mut host, tcp(1, SYN)).is_some() || host.counter("no_backend") == 1);
    }

    #[test]
    fn a_plain_packet_fares_as_by_the_general_way(
        batches in vec(frames(), 1..6),
        forward in prop_oneof![Just("mac"), Just("ipip"), Just("geneve")],
        down in 0..6_usize,
    ) {
        let outcome = |none_is_plain| {
            crate::plain::NONE_IS_PLAIN.set(none_is_plain);
            let mut host = Host::<Balancer>::start(&config_of(forward, "10.9.0.1")).unwrap();
            let mut outputs = Vec::new();
            for (at, batch) in batches.iter().enumerate() {
                host.set_time(at as u64 * 1_000_000_000);
                if at == down {
                    host.message(b"backend s down").unwrap();
                }
                // Each twice, so that flows are established.
                let out = host.process(batch.iter().chain(batch).map(Vec::as_slice));
                outputs.extend(out.into_iter().map(|out| (out.verdict, out.bytes)));
            }
            crate::plain::NONE_IS_PLAIN.set(false);
            let others = ["bytes", "connections.made", "connections.moved", "connections.expired", "icmp.steered"];
            let counts: Vec<_> = FATES.iter().chain(&others).map(|name| host.counter(name)).collect();
            let backends = String::from_utf8(host.message(b"backends?").unwrap()).unwrap();
            (outputs, counts, backends)
        };
        prop_assert_eq!(outcome(false), outcome(true));
    }
}
