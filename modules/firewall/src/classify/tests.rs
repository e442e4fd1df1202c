//! Against a walk over all patterns.

use super::*;
use crate::pattern::{ANY_LINK, ANY_PORT, ANY_PROTOCOL, ANY_VLAN, Range, Tail, state};
use crate::seen::{NO_PORT, UNTAGGED};
use proptest::collection::vec;
use proptest::prelude::*;

/// Few addresses in nested prefixes, so that rules overlap.
fn v4() -> impl Strategy<Value = Ipv4Addr> {
    (0..3_u8, 0..3_u8, 0..4_u8).prop_map(|(b, c, d)| Ipv4Addr::new(10, b, c << 6, d << 6 | d))
}

fn v6() -> impl Strategy<Value = Ipv6Addr> {
    (0..2_u16, 0..3_u16, 0..3_u16).prop_map(|(a, b, c)| Ipv6Addr::new(0x2001, 0xdb8, a << 15, b, 0, 0, c << 15, c))
}

fn nets() -> impl Strategy<Value = Nets> {
    let len4 = || prop_oneof![Just(0), Just(8), Just(16), Just(18), Just(24), Just(31), Just(32)];
    let len6 = || prop_oneof![Just(0), Just(32), Just(33), Just(64), Just(97), Just(127), Just(128)];
    let four = (v4(), len4(), v4(), len4())
        .prop_map(|(a, m, b, n)| Nets::V4(Prefix::new(a, m).unwrap(), Prefix::new(b, n).unwrap()));
    let six = (v6(), len6(), v6(), len6())
        .prop_map(|(a, m, b, n)| Nets::V6(Prefix::new(a, m).unwrap(), Prefix::new(b, n).unwrap()));
    prop_oneof![2 => four, 1 => six]
}

/// Ports near the ends of ranges.
fn port() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), Just(53), 78..83_u32, Just(1023), Just(1024), Just(1025), Just(65_534), Just(65_535)]
}

fn ports() -> impl Strategy<Value = Range<u32>> {
    prop_oneof![
        Just(ANY_PORT),
        port().prop_map(|port| Range { from: port, to: port }),
        (port(), port()).prop_map(|(a, b)| Range { from: a.min(b), to: a.max(b) }),
    ]
}

fn tail() -> impl Strategy<Value = Tail> {
    let protocol = prop_oneof![Just(ANY_PROTOCOL), Just(6), Just(17)];
    let flags = prop_oneof![3 => Just((0, 0)), 1 => Just((2, 0x17)), 1 => Just((0, 2))];
    let vlan = prop_oneof![3 => Just(ANY_VLAN), 1 => Just(Range { from: 5, to: 9 })];
    let links = prop_oneof![3 => Just((ANY_LINK, ANY_LINK)), 1 => Just((0, ANY_LINK)), 1 => Just((ANY_LINK, 1))];
    let states = prop_oneof![3 => Just(state::ALL), 1 => Just(state::NEW)];
    (ports(), ports(), protocol, flags, vlan, links, states).prop_map(
        |(source_port, destination_port, protocol, (flags, flags_mask), vlan, (in_port, out_port), states)| Tail {
            source_port,
            destination_port,
            vlan,
            protocol,
            flags,
            flags_mask,
            in_port,
            out_port,
            states,
        },
    )
}

fn patterns() -> impl Strategy<Value = Vec<Pattern>> {
    vec((nets(), tail()), 0..80)
        .prop_map(|all| all.into_iter().zip(0..).map(|((nets, tail), rule)| Pattern { rule, nets, tail }).collect())
}

fn seen() -> impl Strategy<Value = Seen> {
    let addresses = prop_oneof![
        2 => (v4(), v4()).prop_map(|(a, b)| Addresses::V4(a, b)),
        1 => (v6(), v6()).prop_map(|(a, b)| Addresses::V6(a, b)),
    ];
    let ports = prop_oneof![5 => (port(), port()), 1 => Just((NO_PORT, NO_PORT))];
    let protocol = prop_oneof![Just(6), Just(17), Just(50)];
    let flags = prop_oneof![Just(2), Just(0x12), Just(0x10)];
    let vlan = prop_oneof![Just(UNTAGGED), Just(5), Just(10)];
    let states = prop_oneof![Just(state::NEW), Just(state::ESTABLISHED)];
    (addresses, ports, protocol, flags, vlan, 0..2_u16, states).prop_map(
        |(addresses, (source_port, destination_port), protocol, flags, vlan, in_port, state)| Seen {
            addresses,
            protocol,
            source_port,
            destination_port,
            flags,
            vlan,
            in_port,
            out_port: 1 - in_port,
            state,
            part: None,
            network: 0,
            transport: 0,
            end: 0,
        },
    )
}

fn walk(patterns: &[Pattern], seen: &Seen, from: u32) -> Option<u32> {
    patterns.iter().zip(0..).find(|(pattern, order)| *order >= from && pattern.is_met_by(seen)).map(|(_, order)| order)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_first_pattern_is_found_as_by_a_walk(patterns in patterns(), packets in vec((seen(), 0..90_u32), 40)) {
        let classifier = Classifier::new(&patterns).unwrap();
        for (seen, from) in packets {
            prop_assert_eq!(classifier.find(&seen, 0), walk(&patterns, &seen, 0));
            prop_assert_eq!(classifier.find(&seen, from), walk(&patterns, &seen, from));
        }
    }

    /// What is said to be covered is never met; and what one earlier pattern covers is said to be.
    #[test]
    fn covered_patterns_are_found(patterns in patterns(), packets in vec(seen(), 60)) {
        let classifier = Classifier::new(&patterns).unwrap();
        for (pattern, order) in patterns.iter().zip(0_u32..) {
            let cover = classifier.cover(&patterns, order);
            let first = patterns.iter().take(order as usize).position(|earlier| earlier.covers(pattern));
            prop_assert_eq!(cover.map(|at| at as usize), first);
            if cover.is_some() {
                prop_assert!(packets.iter().all(|seen| walk(&patterns, seen, 0) != Some(order)));
            }
        }
    }
}

#[test]
fn patterns_of_one_group_are_told_apart_by_their_ports() {
    let all = Prefix::new(Ipv4Addr::UNSPECIFIED, 0).unwrap();
    let one = |port: u32, rule: u32| {
        let tail = Tail { destination_port: Range { from: port, to: port }, protocol: 6, ..Tail::ANY };
        Pattern { rule, nets: Nets::V4(all, all), tail }
    };
    let patterns: Vec<_> = (0..10_000).map(|port| one(port, port)).collect();
    let classifier = Classifier::new(&patterns).unwrap();
    let size = classifier.size();
    assert_eq!((size.groups, size.entries, size.probes), (1, 10_000, 1));
}
