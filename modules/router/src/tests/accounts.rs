//! Any packets: no panic, and each of them in one count.

use super::*;
use proptest::prelude::*;

/// Each packet ends in one of these, or waits.
const ENDS: [&str; 27] = [
    "forwarded4",
    "forwarded6",
    "fragmented",
    "arp_answered",
    "nd_answered",
    "echo",
    "echo6",
    "arp_heard",
    "nd_heard",
    "conflict",
    "malformed",
    "bad_checksum",
    "other_station",
    "tagged",
    "other_protocol",
    "martian",
    "group",
    "local_other",
    "expired",
    "no_route",
    "blackhole",
    "unreachable",
    "beyond_scope",
    "too_big",
    "unresolved",
    "queue_full",
    "no_spare",
];

/// A packet that is right, but for some bytes; or nothing but bytes.
fn packet() -> impl Strategy<Value = (Vec<u8>, u16)> {
    let good = prop_oneof![
        (any::<[u8; 4]>(), 40..1500_usize).prop_map(|(to, len)| udp4(to.into(), len)),
        (0..255_u8, 40..200_usize).prop_map(|(to, len)| udp4([10, 0, 1, to].into(), len)),
        (any::<u16>(), 60..1500_usize)
            .prop_map(|(to, len)| udp6(Ipv6Addr::from_bits(B6.to_bits() + u128::from(to)), len)),
        any::<[u8; 4]>().prop_map(|from| arp(Arp::REQUEST, (B_MAC, from.into()), (Mac([0; 6]), ROUTER4))),
        any::<u8>().prop_map(|from| arp(Arp::REPLY, (B_MAC, [10, 0, 1, from].into()), (R1, [10, 0, 1, 1].into()))),
        prop::collection::vec(any::<u8>(), 4..40).prop_map(|mut options| {
            options.truncate(options.len() / 4 * 4);
            with_options(udp4(B4, 100), &options)
        }),
    ];
    let changes = prop::collection::vec((0..80_usize, any::<u8>()), 0..4);
    let spoilt = (good, changes).prop_map(|(mut frame, changes)| {
        for (at, value) in changes {
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
        }
        frame
    });
    let any_bytes = prop::collection::vec(any::<u8>(), 1..200).prop_map(|mut bytes| {
        let head = [&R0.0[..], &A_MAC.0, &[8, 0]].concat();
        let len = bytes.len().min(head.len());
        bytes[..len].copy_from_slice(&head[..len]);
        bytes
    });
    (prop_oneof![4 => spoilt, 1 => any_bytes], 0..4_u16)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn each_packet_is_in_one_count(batches in prop::collection::vec(prop::collection::vec(packet(), 0..20), 1..8)) {
        let mut host = start();
        let (mut sent, mut now) = (0, 0);
        for batch in batches {
            now += SECOND / 3;
            host.set_time(now);
            sent += batch.len() as u64;
            host.process(batch.iter().map(|(frame, port)| Input::new(frame).port(*port)));
        }
        let ended: u64 = ENDS.iter().map(|name| host.counter(name)).sum::<u64>() + host.counter("neighbours_full");
        prop_assert_eq!(ended + host.held() as u64, sent);
    }

    #[test]
    fn a_plain_packet_fares_as_by_the_general_way(
        batches in prop::collection::vec(prop::collection::vec(packet(), 0..20), 1..8),
    ) {
        let outcome = |none_is_plain| {
            crate::fast::NONE_IS_PLAIN.set(none_is_plain);
            let (mut host, mut outputs) = (start(), Vec::new());
            for (at, batch) in (1..).zip(&batches) {
                host.set_time(at * SECOND / 3);
                let out = host.process(batch.iter().map(|(frame, port)| Input::new(frame).port(*port)));
                outputs.extend(out.into_iter().map(|out| (out.verdict, out.bytes)));
            }
            crate::fast::NONE_IS_PLAIN.set(false);
            (outputs, ENDS.map(|name| host.counter(name)))
        };
        prop_assert_eq!(outcome(false), outcome(true));
    }
}
