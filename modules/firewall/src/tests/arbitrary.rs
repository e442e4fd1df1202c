//! Any bytes at all.

use super::build::{FIN, SYN, error, icmp, tcp, udp};
use super::start;
use perigee_guest::testing::Input;
use proptest::collection::vec;
use proptest::prelude::*;

/// Packets that are nearly right: one of each kind, with some bytes changed and the end cut off.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let kinds = [
        tcp("10.0.0.1:5", "10.0.0.2:80", SYN),
        tcp("[2001:db8::1]:5", "[2001:db8::2]:80", FIN),
        udp("10.0.0.1:5", "10.0.0.2:53").tagged(5),
        udp("[2001:db8::1]:5", "[2001:db8::2]:53"),
        error("10.0.0.2", "10.0.0.1", 3, 3, &udp("10.0.0.1:5", "10.0.0.2:53")),
        error("2001:db8::2", "2001:db8::1", 1, 4, &udp("[2001:db8::1]:5", "[2001:db8::2]:53")),
        icmp("2001:db8::1", "2001:db8::2", 135, 0, &[0; 20]),
    ]
    .map(|frame| frame.bytes);
    (0..kinds.len(), vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), 0..20_usize).prop_map(
        move |(kind, changes, cut)| {
            let mut bytes = kinds[kind].clone();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate((bytes.len() - cut.saturating_sub(14)).max(1));
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 96, ..ProptestConfig::default() })]

    /// Each packet is counted once, whatever it is.
    #[test]
    fn every_packet_is_accounted_for(
        packets in vec(prop_oneof![4 => nearly(), 1 => vec(any::<u8>(), 1..200)], 1..60),
        stateful: bool,
    ) {
        let keys = format!(r#""stateful":{stateful},"connections":64,"reject_rate":{{"per_second":9,"burst":9}}"#);
        let rules = [
            r#"{"proto":"udp","dport":"1-100","action":"accept"}"#,
            r#"{"proto":["icmp","icmpv6"],"log":"x ","action":"accept"}"#,
            r#"{"src":["10.0.0.0/30","2001:db8::/64"],"action":"reject"}"#,
        ];
        let mut host = start(&keys, &rules);
        let count = packets.len() as u64;
        host.process(packets.iter().zip([0, 1].into_iter().cycle()).map(|(bytes, port)| Input::new(bytes).port(port)));
        let total: u64 = crate::counters::Cause::ALL.iter().map(|(_, name)| host.counter(name)).sum();
        prop_assert_eq!((total, host.counter("packets")), (count, count));
    }

    #[test]
    fn a_plain_packet_fares_as_by_the_general_way(
        batches in vec(vec(prop_oneof![4 => nearly(), 1 => vec(any::<u8>(), 1..200)], 1..40), 1..4),
        accepts: bool,
    ) {
        let outcome = |none_is_plain| {
            crate::plain::NONE_IS_PLAIN.set(none_is_plain);
            let policy = if accepts { "accept" } else { "drop" };
            let keys = format!(r#""stateful":false,"policy":"{policy}","reject_rate":{{"per_second":9,"burst":9}}"#);
            let rules = [
                r#"{"proto":"udp","dport":"1-100","action":"accept"}"#,
                r#"{"proto":"tcp","flags":"fin","mark":7,"action":"next"}"#,
                r#"{"proto":"tcp","sport":"5-9","count":"some","action":"accept"}"#,
                r#"{"dst":"10.0.0.2","in":"a","action":"drop"}"#,
                r#"{"src":["10.0.0.0/30","2001:db8::/64"],"action":"reject"}"#,
            ];
            let mut host = start(&keys, &rules);
            let mut outputs = Vec::new();
            for batch in &batches {
                // Each twice, so that it is known.
                let frames = batch.iter().chain(batch).zip([0, 1, 1].into_iter().cycle());
                let out = host.process(frames.map(|(bytes, port)| Input::new(bytes).port(port)));
                outputs.extend(out.into_iter().map(|out| (out.verdict, out.bytes, out.desc.mark)));
            }
            crate::plain::NONE_IS_PLAIN.set(false);
            let names = crate::counters::Cause::ALL.iter().map(|(_, name)| *name).chain(["packets", "some"]);
            (outputs, names.map(|name| host.counter(name)).collect::<Vec<_>>())
        };
        prop_assert_eq!(outcome(false), outcome(true));
    }
}
