//! Programs from configurations: what is written where, and what is refused.

use super::*;
use crate::config::{List, from_json};
use crate::{Lcg64, Refusal};
use std::collections::BTreeSet;
use std::string::{String, ToString};
use std::vec::Vec;

/// The fields of the tests' packet: Ethernet, IPv4, UDP; and an IPv6 address behind.
fn find(field: &str) -> Option<Place> {
    match field {
        "ethernet.source" => Place::bytes(6, 6),
        "ipv4.total_length" => Place::bytes(16, 2),
        "ipv4.ttl" => Place::bytes(22, 1),
        "ipv4.source" => Place::bytes(26, 4),
        "udp.source_port" => Place::bytes(34, 2),
        "ipv6.source" => Place::bytes(42, 16),
        _ => None,
    }
}

type Small = Program<8, 64>;

fn program_of(vary: &str, instance: (u32, u32)) -> Result<Small, String> {
    let vary: List<Spec<'_>, 8> = from_json(vary.as_bytes()).map_err(|error| error.to_string())?;
    Program::new(&vary, &|field| find(field).ok_or_else(|| Refusal::new("field: unknown")), instance)
        .map_err(|error| error.to_string())
}

/// What stands in `field` in `count` packets.
fn written(vary: &str, field: &str, count: usize) -> Vec<u64> {
    let (mut program, mut random) = (program_of(vary, (0, 1)).unwrap(), Lcg64::new(1));
    let mut bytes = [0; 60];
    let place = find(field).unwrap();
    (0..count)
        .map(|_| {
            program.apply(&mut bytes, &mut random);
            place.read(&bytes).unwrap()
        })
        .collect()
}

#[test]
fn counters_and_lists() {
    let port = |keys: &str, count| {
        written(&std::format!(r#"[{{"field": "udp.source_port", {keys}}}]"#), "udp.source_port", count)
    };
    assert_eq!(port(r#""from": 5, "to": 7"#, 4), [5, 6, 7, 5]);
    assert_eq!(port(r#""from": 5, "to": 9, "step": -2"#, 4), [9, 7, 5, 9]);
    assert_eq!(port(r#""from": 5, "to": 9, "start": 8"#, 4), [8, 9, 5, 6]);
    assert_eq!(port(r#""from": 5, "to": 9, "limit": 2"#, 3), [5, 6, 5]);
    assert_eq!(port(r#""from": 5, "to": 6, "once": true"#, 4), [5, 6, 6, 6]);
    assert_eq!(port(r#""from": 5, "to": 6, "times": 2"#, 5), [5, 5, 6, 6, 5]);
    assert_eq!(port(r#""draw": "list", "values": [80, 443, "0x1f90"]"#, 4), [80, 443, 8080, 80]);
    assert_eq!(port(r#""from": 1, "to": 3, "add": -1, "shift": 4"#, 4), [0, 16, 32, 0]);
    assert_eq!(port(r#""from": 256, "to": 258, "little_endian": true"#, 3), [1, 257, 513]);
    assert_eq!(port(r#""from": 16, "to": 18, "shift": -1, "mask": 255"#, 3), [8, 8, 9]);
    assert_eq!(port(r#""start": 65535"#, 2), [65_535, 0]);
}

#[test]
fn every_random_draw_stays_in_its_range() {
    for draw in ["random", "shuffle", "zipf", "normal", "repeatable"] {
        let vary = std::format!(
            r#"[{{"field": "udp.source_port", "draw": "{draw}", "from": 1000, "to": 1099, "period": 5000}}]"#
        );
        let values: BTreeSet<_> = written(&vary, "udp.source_port", 5_000).into_iter().collect();
        assert!(values.iter().all(|value| (1000..1100).contains(value)), "{draw}");
        assert!(values.len() > 90 && values.contains(&1000), "{draw}: {}", values.len());
    }
    let vary = r#"[{"field": "udp.source_port", "draw": "weighted", "values": [1, 2, 3], "weights": [0, 3, 1]}]"#;
    let twos = written(vary, "udp.source_port", 4_000).iter().filter(|&&port| port == 2).count();
    assert!((2_900..3_100).contains(&twos), "{twos}");
}

#[test]
fn addresses_of_all_kinds_are_values() {
    let macs = r#"[{"field": "ethernet.source", "from": "02:00:00:00:00:ff", "to": "02:00:00:00:01:00"}]"#;
    assert_eq!(written(macs, "ethernet.source", 2), [0x0200_0000_00ff, 0x0200_0000_0100]);
    let (mut program, mut random) = (
        program_of(r#"[{"field": "ipv6.source", "from": "2001:db8::ffff", "to": "2001:db8::1:0"}]"#, (0, 1)).unwrap(),
        Lcg64::new(1),
    );
    let mut bytes = [0; 60];
    program.apply(&mut bytes, &mut random);
    program.apply(&mut bytes, &mut random);
    assert_eq!(bytes[42..58], "2001:db8::1:0".parse::<core::net::Ipv6Addr>().unwrap().octets());
    assert_eq!(program.end(), 58);
}

#[test]
fn clients_write_address_port_and_mac() {
    let vary = r#"[
        {"name": "c", "field": "ipv4.source", "clients":
            {"from": "10.0.0.1", "to": "10.0.0.2", "ports": [7, 9], "flows": 5, "macs": "02:00:00:00:00:01"}},
        {"field": "udp.source_port", "of": "c.port"},
        {"field": "ethernet.source", "of": "c.mac"},
        {"field": "ipv4.total_length", "of": "length", "add": -14}]"#;
    assert_eq!(written(vary, "ipv4.source", 6).iter().map(|a| a & 0xff).collect::<Vec<_>>(), [1, 2, 1, 2, 1, 1]);
    assert_eq!(written(vary, "udp.source_port", 6), [7, 7, 8, 8, 9, 7]);
    assert_eq!(written(vary, "ethernet.source", 2), [0x0200_0000_0001, 0x0200_0000_0002]);
    assert_eq!(written(vary, "ipv4.total_length", 1), [46]);
}

#[test]
fn a_carry_visits_every_combination_once_on_any_number_of_instances() {
    let vary = r#"[
        {"field": "udp.source_port", "name": "port", "from": 0, "to": 11},
        {"field": "ipv4.ttl", "name": "ttl", "from": 1, "to": 3, "carry": "port"},
        {"field": "ethernet.source", "draw": "shuffle", "from": 0, "to": 1, "carry": "ttl"}]"#;
    for instances in [1, 2, 3, 4] {
        let mut seen = BTreeSet::new();
        for instance in 0..instances {
            let (mut program, mut random) = (program_of(vary, (instance, instances)).unwrap(), Lcg64::new(1));
            let mut bytes = [0; 60];
            for _ in 0..72 / instances {
                program.apply(&mut bytes, &mut random);
                let key =
                    ["udp.source_port", "ipv4.ttl", "ethernet.source"].map(|field| find(field).unwrap().read(&bytes));
                assert!(seen.insert(key), "{instances}: {key:?} twice");
            }
        }
        assert_eq!(seen.len(), 72);
    }
}

/// What comes in rounds, in every way that items can be put together. Each writes its values somewhere behind byte 14.
const ROUNDS: &[&str] = &[
    r#"[{"offset": 20, "from": 0, "to": 9}]"#,
    r#"[{"offset": 20, "from": 3, "to": 9, "step": -2, "start": 5}]"#,
    r#"[{"offset": 20, "from": 7, "to": 7}, {"offset": 21, "values": [5, 6, 7]}, {"offset": 22, "imix": "aab"}]"#,
    r#"[{"offset": 20, "to": 99, "limit": 13, "start": 11}, {"offset": 21, "to": 4, "once": true, "start": 2}]"#,
    r#"[{"offset": 20, "bits": 64, "start": "0xfffffffffffffffd"}, {"offset": 30, "bits": 64, "draw": "shuffle", "seed": 4}]"#,
    r#"[{"offset": 20, "draw": "shuffle", "to": 6}, {"offset": 21, "draw": "repeatable", "to": 200, "period": 5}]"#,
    r#"[{"offset": 20, "to": 6, "times": 3}, {"offset": 21, "to": 3, "times": 2}, {"offset": 22, "draw": "shuffle", "to": 4, "times": 7}]"#,
    r#"[{"offset": 20, "values": [9, 8], "times": 5, "once": true}, {"offset": 21, "draw": "repeatable", "period": 3, "times": 2}]"#,
    r#"[{"name": "c", "offset": 20, "bits": 32, "clients": {"from": 1, "to": 3, "ports": [7, 9], "flows": 7}}, {"offset": 30, "bits": 16, "of": "c.port"}]"#,
    r#"[{"name": "c", "offset": 20, "bits": 64, "clients": {"from": 0, "to": "0xffffffffffffffff"}, "start": 0}]"#,
    r#"[{"name": "a", "offset": 20, "to": 2}, {"name": "b", "offset": 21, "to": 1, "carry": "a"}, {"offset": 22, "to": 4, "carry": "b"}]"#,
    r#"[{"name": "a", "offset": 20, "to": 0}, {"name": "b", "offset": 21, "to": 1, "carry": "a", "times": 3}, {"offset": 22, "to": 4, "carry": "b"}]"#,
    r#"[{"name": "a", "offset": 20, "values": [1, 2, 3], "times": 2, "start": 1}, {"offset": 22, "draw": "shuffle", "to": 4, "carry": "a", "times": 2}]"#,
    r#"[{"name": "a", "draw": "shuffle", "to": 4}, {"offset": 22, "draw": "repeatable", "to": 200, "period": 3, "carry": "a"}, {"offset": 23, "of": "a"}]"#,
    r#"[{"name": "a", "offset": 20, "to": 1, "split": false}, {"offset": 21, "to": 0}]"#,
];

#[test]
fn instances_together_send_what_one_would() {
    for vary in ROUNDS {
        let packets = |instance, instances, count| {
            let (mut program, mut random) = (program_of(vary, (instance, instances)).unwrap(), Lcg64::new(1));
            let mut bytes = [0; 60];
            (0..count)
                .map(|_| {
                    program.apply(&mut bytes, &mut random);
                    bytes
                })
                .collect::<Vec<_>>()
        };
        let one = packets(0, 1, 8 * 60);
        for instances in 1..=8 {
            for instance in 0..instances {
                let share = packets(instance, instances, 60);
                let mut expected = one.iter().skip(instance as usize).step_by(instances as usize);
                if vary.contains("\"split\": false") {
                    assert_eq!(share, one[..60]);
                } else {
                    assert!(
                        share.iter().all(|packet| expected.next() == Some(packet)),
                        "{vary}: {instance} of {instances}"
                    );
                }
            }
        }
    }
}

#[test]
fn random_draws_of_all_instances_are_spread_as_those_of_one() {
    // Each has a seed of its own, whose values must neither repeat those of another nor miss any.
    for (draw, few) in [
        (r#""draw": "random", "to": 9"#, 900),
        (r#""draw": "zipf", "exponent": 0, "to": 9"#, 900),
        (
            r#""draw": "weighted", "values": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "weights": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"#,
            900,
        ),
        (r#""draw": "random", "to": 9, "times": 4"#, 700),
    ] {
        let vary = std::format!(r#"[{{"offset": 20, {draw}}}]"#);
        for instances in [1, 2, 3, 7, 8] {
            let (mut counts, mut sequences) = ([0; 10], BTreeSet::new());
            for instance in 0..instances {
                let (mut program, mut random) =
                    (program_of(&vary, (instance, instances)).unwrap(), Lcg64::new(7 + u64::from(instance)));
                let (mut bytes, mut sequence) = ([0; 60], Vec::new());
                for _ in 0..10_000 / instances {
                    program.apply(&mut bytes, &mut random);
                    counts[usize::from(bytes[20])] += 1;
                    sequence.push(bytes[20]);
                }
                sequences.insert(sequence);
            }
            assert!(counts.iter().all(|&count| count > few), "{draw} {instances}: {counts:?}");
            assert_eq!(sequences.len(), instances as usize);
        }
    }
}

#[test]
fn instances_share_unless_told_not_to() {
    let vary = |split| std::format!(r#"[{{"field": "ipv4.ttl", "from": 0, "to": 9, "split": {split}}}]"#);
    let first = |vary: &str| {
        let mut bytes = [0; 60];
        program_of(vary, (1, 2)).unwrap().apply(&mut bytes, &mut Lcg64::new(1));
        bytes[22]
    };
    assert_eq!((first(&vary(true)), first(&vary(false))), (1, 0));
}

#[test]
fn packets_that_are_too_short_are_left_alone_where_they_are() {
    let vary = r#"[{"field": "ipv4.ttl", "from": 7, "to": 9}, {"field": "udp.source_port", "from": 1, "to": 2}]"#;
    let (mut program, mut random) = (program_of(vary, (0, 1)).unwrap(), Lcg64::new(1));
    let mut bytes = [0; 35];
    program.apply(&mut bytes, &mut random);
    assert_eq!((bytes[22], bytes[34]), (7, 0));
    program.apply(&mut [], &mut random);
}

#[test]
fn sizes_are_draws_too() {
    let sizes = |json: &str| {
        let mut values = Values::<32>::new(&from_json(json.as_bytes()).unwrap(), (0, 1)).unwrap();
        let mut random = Lcg64::new(2);
        (0..1_200).map(|_| values.next(&mut random)).collect::<Vec<_>>()
    };
    assert_eq!(sizes(r#"{"imix": "aad"}"#)[..4], [60, 60, 508, 60]);
    let simple = sizes(r#"{"imix": "simple"}"#);
    let count = |size| simple.iter().filter(|&&found| found == size).count();
    assert!((650..750).contains(&count(60)) && (350..450).contains(&count(566)) && (70..130).contains(&count(1514)));
    assert_eq!(sizes(r#"{"draw": "counter", "from": 60, "to": 1514, "step": 1000}"#)[..3], [60, 1060, 60]);
    assert!(sizes(r#"{"draw": "random", "imix": "ad"}"#).contains(&508));
}

/// What an operator may write, and what is said about it.
const MISTAKES: &[(&str, &str)] = &[
    (r#"[{}]"#, "vary[0]: field: is missing (or offset, or a name for others to use)"),
    (r#"[{"field": "ipv4.sauce"}]"#, "vary[0]: field: unknown"),
    (r#"[{"field": "ipv4.ttl", "offset": 1}]"#, "vary[0]: offset: not together with field"),
    (r#"[{"offset": 1, "bits": 65}]"#, "vary[0]: bits: must be 1 to 64, and end within 65536 bytes"),
    (r#"[{"offset": 65535, "bit": 4294967295}]"#, "vary[0]: bits: must be 1 to 64, and end within 65536 bytes"),
    (r#"[{"field": "ipv4.ttl", "to": 256}]"#, "vary[0]: the value 256 does not fit 8 bits"),
    (
        r#"[{"field": "ipv4.ttl", "to": 255, "add": 1}]"#,
        "vary[0]: the value 255 with what is added does not fit 8 bits",
    ),
    (r#"[{"field": "ipv4.ttl", "to": 9, "add": -1}]"#, "vary[0]: the value 0 with what is added does not fit 8 bits"),
    (r#"[{"field": "ipv4.ttl", "from": 9, "to": 3}]"#, "vary[0]: from: must not be larger than to"),
    (r#"[{"field": "ipv4.ttl", "step": 0}]"#, "vary[0]: step: must not be 0"),
    (
        r#"[{"field": "ipv4.ttl", "from": 2, "step": 2, "start": 3}]"#,
        "vary[0]: start: is none of the values that the counter takes",
    ),
    (r#"[{"field": "ipv4.ttl", "limit": 0}]"#, "vary[0]: limit: must not be 0"),
    (r#"[{"name": "a"}]"#, "vary[0]: to: is missing (or values, or clients)"),
    (
        r#"[{"field": "ipv4.ttl"}, {"field": "ipv4.ttl", "of": "b"}]"#,
        "vary[1]: of: no item before this one has the name \"b\"",
    ),
    (
        r#"[{"field": "ipv4.ttl", "name": "b"}, {"field": "ipv4.ttl", "of": "b.port"}]"#,
        "vary[1]: of: \"b\" has no \"port\"",
    ),
    (
        r#"[{"name": "b", "draw": "random", "to": 1}, {"field": "ipv4.ttl", "carry": "b"}]"#,
        "vary[1]: carry: \"b\" never begins anew: it is no counter, list or shuffle",
    ),
    (r#"[{"field": "ipv4.ttl", "draw": "repeatable"}]"#, "vary[0]: period: is missing"),
    (r#"[{"field": "ipv4.ttl", "draw": "repeatable", "period": 0}]"#, "vary[0]: period: must not be 0"),
    (
        r#"[{"field": "ipv4.ttl", "draw": "weighted", "values": [1, 2], "weights": [1]}]"#,
        "vary[0]: weights: expected one for each value",
    ),
    (
        r#"[{"field": "ipv4.ttl", "draw": "weighted", "values": [1], "weights": [0]}]"#,
        "vary[0]: weights: at least one must be larger than 0",
    ),
    (r#"[{"field": "ipv4.ttl", "draw": "zipf", "exponent": -1}]"#, "vary[0]: exponent: must be 0 to 100"),
    (r#"[{"field": "ipv4.ttl", "draw": "normal", "step": -1}]"#, "vary[0]: draw: \"normal\" is for ranges that go up"),
    (
        r#"[{"offset": 1, "bits": 7, "little_endian": true}]"#,
        "vary[0]: little_endian: the place must be whole bytes, at most 8",
    ),
    (
        r#"[{"field": "ipv6.source", "from": "::1", "to": "1::1"}]"#,
        "vary[0]: IPv6 addresses of one item must have the same first 64 bits",
    ),
    (
        r#"[{"field": "ipv4.source", "clients": {"from": 1, "to": 2, "ports": [1]}}]"#,
        "vary[0]: clients.ports: expected the first and the last port",
    ),
    (
        r#"[{"field": "ipv4.ttl", "imix": "q"}]"#,
        "vary[0]: imix: \"q\" is neither simple, trex or moongen nor a genome of 1 to 16 of the letters a to j and z (RFC 6985)",
    ),
    (r#"[{"from": "10.0.0"}]"#, "from: expected a number from 0, an address or \"0x...\", found \"10.0.0\""),
    (r#"[{"from": -1}]"#, "from: expected a number from 0, an address or \"0x...\", found -1"),
    (
        r#"[{"draw": "dice"}]"#,
        "draw: unknown word \"dice\"; known: counter, list, random, shuffle, repeatable, weighted, zipf, normal",
    ),
];

#[test]
fn mistakes_are_named() {
    for (vary, text) in MISTAKES {
        assert_eq!(program_of(vary, (0, 1)).map(|_| ()).unwrap_err(), *text, "{vary}");
    }
}

#[test]
fn what_is_too_much_is_refused() {
    let nine = std::format!("[{}]", [r#"{"field": "ipv6.source", "from": "::1", "to": "::2"}"#; 5].join(","));
    assert_eq!(program_of(&nine, (0, 1)).map(|_| ()).unwrap_err(), "vary[4]: more than this module has room for");
    let lists = std::format!("[{}]", [r#"{"offset": 1, "values": [1,2,3,4,5,6,7,8,9,1,2,3,4,5,6]}"#; 5].join(","));
    let text = "vary[4]: values: more in all lists than this module has room for";
    assert_eq!(program_of(&lists, (0, 1)).map(|_| ()).unwrap_err(), text);
}

#[test]
fn gaps_from_words() {
    let gaps = |json: &str| from_json::<GapsSpec>(json.as_bytes()).unwrap().gaps();
    assert_eq!(gaps(r#"{"packets_per_second": 1e6}"#).unwrap().after(60, &mut Lcg64::new(1)), 1000);
    assert_eq!(
        gaps(r#"{"megabits": 1000, "pattern": "bursts", "burst": 1}"#).unwrap().after(101, &mut Lcg64::new(1)),
        1000
    );
    for pattern in ["poisson", "pareto"] {
        let json = std::format!(r#"{{"packets_per_second": 1000000, "pattern": "{pattern}"}}"#);
        let (mut gaps, mut random) = (gaps(&json).unwrap(), Lcg64::new(1));
        let seen: BTreeSet<_> = (0..100).map(|_| gaps.after(60, &mut random)).collect();
        assert!(seen.len() > 80, "{pattern}");
    }
    let both = "gaps: needs packets_per_second or megabits, and not both";
    assert_eq!(gaps("{}").unwrap_err().to_string(), both);
    assert_eq!(gaps(r#"{"packets_per_second": 1, "megabits": 1}"#).unwrap_err().to_string(), both);
}

#[test]
fn no_configuration_and_no_packet_makes_it_panic() {
    const NUMBERS: [&str; 9] =
        ["0", "1", "2", "7", "255", "65536", "9223372036854775807", "18446744073709551615", "\"ffff::ffff:ffff:ffff\""];
    const KEYS: [&str; 12] =
        ["from", "to", "start", "limit", "times", "period", "seed", "exponent", "mean", "deviation", "mask", "offset"];
    const REST: [&str; 12] = [
        r#""step": -9223372036854775808"#,
        r#""step": 9223372036854775807"#,
        r#""step": -1"#,
        r#""add": -9223372036854775808"#,
        r#""shift": -128"#,
        r#""shift": 127"#,
        r#""once": true"#,
        r#""values": [1, 18446744073709551615]"#,
        r#""weights": [4294967295, 0]"#,
        r#""clients": {"from": 0, "to": 18446744073709551615, "ports": [0, 65535]}"#,
        r#""bit": 4294967295"#,
        r#""bits": 61"#,
    ];
    const DRAWS: [&str; 8] = ["counter", "list", "random", "shuffle", "repeatable", "weighted", "zipf", "normal"];
    let mut random = Lcg64::new(8);
    let mut pick = |count: usize| random.below(count as u64) as usize;
    let (mut made, mut draws) = (0, Lcg64::new(1));
    for _ in 0..30_000 {
        let mut parts: Vec<String> =
            (0..pick(4)).map(|_| std::format!(r#""{}": {}"#, KEYS[pick(12)], NUMBERS[pick(9)])).collect();
        parts.extend((0..pick(3)).map(|_| REST[pick(12)].into()));
        parts.push(std::format!(r#""draw": "{}", "name": "a""#, DRAWS[pick(8)]));
        let vary = std::format!(r#"[{{{}}}, {{"field": "ipv4.source", "of": "a"}}]"#, parts.join(", "));
        // More instances than a counter may have values.
        let instances = [1, 2, 1_000, u32::MAX][pick(4)];
        if let Ok(mut program) = program_of(&vary, (instances - 1, instances)) {
            made += 1;
            for len in [0, 1, 14, 33, 60, 60, 60] {
                program.apply(&mut [0; 60][..len], &mut draws);
            }
        }
    }
    assert!(made > 1_000, "{made}");
}
