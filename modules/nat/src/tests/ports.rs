//! The ports outside, under whatever comes: no two endpoints inside share one.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

/// What hosts do.
#[derive(Clone, Debug)]
struct Step {
    host: u8,
    port: u16,
    protocol: u8,
    remote: u8,
    /// Seconds that pass before.
    pause: u8,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..12_u8, 0..40_u16, 0..3_u8, 0..3_u8, prop_oneof![9 => Just(0_u8), 1 => 0..=255_u8])
        .prop_map(|(host, port, protocol, remote, pause)| Step { host, port: 5_000 + port, protocol, remote, pause });
    prop::collection::vec(step, 1..300)
}

fn frame(step: &Step) -> Vec<u8> {
    let from = format!("10.0.0.{}", step.host + 1);
    let remote = format!("192.0.2.{}", step.remote + 1);
    match step.protocol {
        0 => udp(&format!("{from}:{}", step.port), &format!("{remote}:53")),
        1 => tcp(&format!("{from}:{}", step.port), &format!("{remote}:80"), "S"),
        _ => echo(&from, &remote, 8, step.port),
    }
}

/// Longest time that a session without packets can be there, with the time that a list keeps it longer.
const LONGEST: u64 = 60 + 1;

type Endpoint = (u8, Ipv4Addr, u16);

/// Runs the steps, and holds all that comes out to what is promised.
fn keeps_ports_apart(more: &str, range: std::ops::RangeInclusive<u16>, block: Option<u16>, steps: &[Step]) {
    let timers = r#""timers": {"udp": 60, "icmp": 60, "tcp_transitory": 60, "tcp_established": 60}"#;
    let mut host = start(&format!(
        r#""sessions": 1024, "hosts": 1024, "ports": [{}, {}], {timers}{more}"#,
        range.start(),
        range.end()
    ));
    let mut now = 0;
    // Who has an endpoint outside, and when a packet last used it.
    let mut owners: HashMap<Endpoint, (Endpoint, u64)> = HashMap::new();
    let mut blocks: HashMap<(Ipv4Addr, u16), (Ipv4Addr, u64)> = HashMap::new();
    for step in steps {
        now += u64::from(step.pause);
        host.set_time(now * SECOND);
        let own = (step.protocol, Ipv4Addr::new(10, 0, 0, step.host + 1), step.port);
        let out = host.process([frame(step)]).remove(0);
        if told(&out) == "drop" {
            continue;
        }
        let address = Ipv4Addr::from(<[u8; 4]>::try_from(&out.bytes[26..30]).unwrap());
        let at = if step.protocol == 2 { 38 } else { 34 };
        let port = u16::from_be_bytes([out.bytes[at], out.bytes[at + 1]]);
        assert!(range.contains(&port), "{port}");
        let outside = (step.protocol, address, port);
        if let Some((owner, used)) = owners.insert(outside, (own, now)) {
            assert!(owner == own || now - used >= 60, "{outside:?} is shared by {owner:?} and {own:?}");
        }
        // One endpoint inside has one outside at a time.
        let others =
            owners.iter().filter(|(known, (owner, used))| *owner == own && **known != outside && now - used < 60);
        assert_eq!(others.count(), 0, "{own:?} has two endpoints outside");
        if let Some(size) = block {
            let number = (port - range.start()) / size;
            if let Some((owner, used)) = blocks.insert((address, number), (own.1, now)) {
                assert!(owner == own.1 || now - used >= 60, "block {number} is shared by {owner} and {}", own.1);
            }
        }
    }
    // All comes back in the end.
    host.set_time((now + LONGEST + 1) * SECOND);
    (0..8).for_each(|_| drop(host.process(Vec::<Vec<u8>>::new())));
    let told = super::filtering::summary(&mut host);
    assert!(told.starts_with(r#"{"sessions":0,"#) && told.contains(r#""mappings":0,"hosts":0,"#), "{told}");
    assert_eq!(host.counter("blocks"), host.counter("blocks.ended"));
    // And can be given away again, each once.
    let mut again = std::collections::HashSet::new();
    let count = range.len();
    for n in 0..count {
        let from = format!("10.1.{}.1:{}", n, 4_000 + n);
        if let (told, None) = (send(&mut host, &udp(&from, "192.0.2.1:53")), block) {
            assert!(told == "drop" || again.insert(told.split(" > ").next().unwrap().to_owned()), "{told}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_two_share_a_port(steps in steps()) {
        keeps_ports_apart("", 2_000..=2_031, None, &steps);
    }

    #[test]
    fn no_two_share_one_of_a_larger_range_without_preservation(steps in steps()) {
        keeps_ports_apart(r#", "preserve": false, "filtering": "endpoint-independent""#, 5_000..=5_127, None, &steps);
    }

    #[test]
    fn no_two_share_a_block(steps in steps()) {
        keeps_ports_apart(r#", "blocks": {"size": 8, "most": 2}"#, 2_000..=2_063, Some(8), &steps);
    }

    #[test]
    fn few_sessions_keep_their_count(steps in steps()) {
        keeps_ports_apart_with_few(&steps);
    }
}

/// With a table that overflows: what is evicted gives its port back.
fn keeps_ports_apart_with_few(steps: &[Step]) {
    let mut host = start(r#""sessions": 8, "hosts": 4, "filtering": "address-dependent", "ports": [2000, 2007]"#);
    for step in steps {
        host.process([frame(step)]);
        let told = super::filtering::summary(&mut host);
        let number = |key: &str| -> u32 {
            let rest = told.split(&format!("\"{key}\":")).nth(1).unwrap();
            rest.split([',', '}']).next().unwrap().parse().unwrap()
        };
        assert!(number("sessions") <= 8 && number("hosts") <= 4 && number("mappings") <= number("sessions"), "{told}");
    }
    host.set_time(10_000 * SECOND);
    host.process(Vec::<Vec<u8>>::new());
    let told = super::filtering::summary(&mut host);
    assert!(told.starts_with(r#"{"sessions":0,"#) && told.contains(r#""mappings":0,"hosts":0,"#), "{told}");
}

#[test]
fn parity_is_kept_while_there_is_one_and_pairs_stay_pairs() {
    let mut host = start(r#""ports": [2000, 2063], "preserve": false"#);
    for n in 1..=20 {
        let even = endpoint(&outside(&mut host, &udp(&format!("10.0.0.{n}:4000"), "192.0.2.1:53")));
        let odd = endpoint(&outside(&mut host, &udp(&format!("10.0.0.{n}:4001"), "192.0.2.1:53")));
        assert_eq!(even.1 % 2, 0);
        assert_eq!((odd.0, odd.1), (even.0, even.1 + 1), "RFC 4787, section 4.2.3");
    }
    let mut host = start(r#""ports": [2000, 2063], "preserve": false, "parity": false, "contiguity": false"#);
    let ports: Vec<u16> =
        (1..=20).map(|n| endpoint(&outside(&mut host, &udp(&format!("10.0.0.{n}:4000"), "192.0.2.1:53"))).1).collect();
    assert!(ports.iter().any(|port| port % 2 == 1), "{ports:?}");
}
