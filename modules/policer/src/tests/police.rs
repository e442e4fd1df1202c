//! Colours, and what becomes of them.

use super::*;
use perigee_guest::wire::{Header as _, checksum};
use proptest::prelude::*;

fn counters(host: &mut Host<Policer>) -> [u64; 4] {
    ["green", "yellow", "red", "policed"].map(|name| host.counter(name))
}

#[test]
fn a_prefix_has_its_rate_and_its_burst() {
    // 1,000 bytes a second.
    let mut host = host(r#"{"name": "a", "prefixes": ["10.0.0.0/24", "fd00::/16"], "cir": "8k", "cbs": 2000}"#);
    assert_eq!(pass(&mut host, vec![packet(1, 0, 500); 6]), 4);
    assert_eq!(counters(&mut host), [4, 0, 2, 2]);
    host.set_time(S);
    assert_eq!(pass(&mut host, vec![packet(2, 0, 500); 6]), 2, "all hosts of a prefix together");
    // The other prefix of the class has a meter of its own.
    assert_eq!(pass(&mut host, vec![packet6(0, 500); 6]), 4);
}

#[test]
fn the_longest_prefix_counts_and_others_pass() {
    let narrow = r#"{"name": "narrow", "prefixes": ["10.0.0.7/32"], "cir": "0", "cbs": 1000}"#;
    let wide = r#"{"name": "wide", "prefixes": ["10.0.0.0/29"], "cir": "0", "cbs": 3000}"#;
    let mut host = host(&format!("{wide}, {narrow}"));
    assert_eq!(pass(&mut host, vec![packet(7, 0, 500); 9]), 2);
    assert_eq!(pass(&mut host, vec![packet(6, 0, 500); 9]), 6);
    assert_eq!(pass(&mut host, vec![packet(9, 0, 500); 9]), 9);
    let arp = [vec![0xff; 12], vec![8, 6], vec![0; 46]].concat();
    assert_eq!(pass(&mut host, vec![arp; 2]), 2);
    assert_eq!((host.counter("unmatched"), host.counter("other")), (9, 2));
}

#[test]
fn the_destination_may_decide() {
    let class = r#"{"name": "a", "prefixes": ["10.1.0.0/16"], "cir": "0", "cbs": 1000}"#;
    assert_eq!(pass(&mut host(class), vec![packet(1, 0, 500); 9]), 9);
    assert_eq!(pass(&mut start(class, r#", "side": "destination""#).unwrap(), vec![packet(1, 0, 500); 9]), 2);
}

#[test]
fn addresses_and_flows_have_meters_of_their_own() {
    let class =
        |per: &str| format!(r#"{{"name": "a", "prefixes": ["0.0.0.0/0"], "per": "{per}", "cir": "0", "cbs": 1000}}"#);
    let frames = || {
        let flows = (1..=3).flat_map(|host| [1, 2].map(|port| flow(host, port, 0, 500)));
        flows.flat_map(|frame| vec![frame; 4]).collect::<Vec<_>>()
    };
    for (per, expected, flows) in [("prefix", 2, 0), ("address", 6, 3), ("flow", 12, 6)] {
        let mut host = host(&class(per));
        assert_eq!(pass(&mut host, frames()), expected, "{per}");
        assert_eq!(host.counter("flows"), flows);
    }
    // A table that is full gives the place of the one that was not used for longest.
    let mut host = start(&class("flow"), r#", "flows": 3"#).unwrap();
    assert_eq!((pass(&mut host, frames()), host.counter("flows.evicted")), (12, 3));
}

#[test]
fn what_counts_may_be_the_packet_the_frame_or_the_wire() {
    for (counts, burst, expected) in
        [("ip", 1_000, 10), ("frame", 1_140, 10), ("frame", 1_139, 9), ("wire", 1_380, 10), ("wire", 1_379, 9)]
    {
        let class =
            format!(r#"{{"name": "a", "prefixes": ["0.0.0.0/0"], "counts": "{counts}", "cir": "0", "cbs": {burst}}}"#);
        assert_eq!(pass(&mut host(&class), vec![packet(1, 0, 100); 30]), expected, "{counts} {burst}");
    }
}

#[test]
fn one_rate_has_three_colours() {
    let class =
        r#"{"name": "a", "prefixes": ["0.0.0.0/0"], "cir": "8k", "cbs": 1000, "ebs": 2000, "yellow": "dscp af12"}"#;
    let mut host = host(class);
    let out = host.process(vec![packet(1, 10, 500); 8]);
    assert_eq!(counters(&mut host), [2, 4, 2, 2]);
    assert_eq!(host.counter("remarked"), 4);
    let points: Vec<_> = gone(&host, &out)
        .iter()
        .map(|frame| {
            assert_eq!(checksum::check(frame), Ok(()));
            let ip = Ipv4::parse(&frame[14..]).unwrap();
            assert_eq!(ip.ecn(), 1);
            ip.dscp()
        })
        .collect();
    assert_eq!(points, [10, 10, 12, 12, 12, 12]);
}

#[test]
fn two_rates_have_three_colours() {
    let class = r#"{"name": "a", "prefixes": ["::/0"], "cir": "8k", "cbs": 1000, "pir": "16k", "pbs": 2000, "yellow": "dscp 1"}"#;
    let mut host = host(class);
    let out = host.process(vec![packet6(10, 500); 8]);
    assert_eq!(counters(&mut host), [2, 2, 4, 4]);
    let points = gone(&host, &out).iter().map(|frame| Ipv6::parse(&frame[14..]).unwrap().dscp()).collect::<Vec<_>>();
    assert_eq!(points, [10, 10, 1, 1]);
    // In half a second 500 bytes are committed, and 1,000 are within the peak.
    host.set_time(S / 2);
    host.process(vec![packet6(10, 500); 8]);
    assert_eq!(counters(&mut host), [3, 3, 10, 10]);
}

#[test]
fn a_meter_that_is_aware_makes_no_packet_better() {
    let rates = r#""cir": "8k", "cbs": 1000, "pir": "16k", "pbs": 2000"#;
    let class = |more: &str| format!(r#"{{"name": "a", "prefixes": ["0.0.0.0/0"], {rates}{more}}}"#);
    let colours = |class: &str, dscp: u8| {
        let mut host = host(class);
        host.process(vec![packet(1, dscp, 500); 5]);
        counters(&mut host)
    };
    let aware = class(r#", "aware": true"#);
    // AF31, AF32, AF33; what is no assured forwarding is green.
    assert_eq!(
        (colours(&aware, 26), colours(&aware, 28), colours(&aware, 30)),
        ([2, 2, 1, 1], [0, 4, 1, 1], [0, 0, 5, 5])
    );
    assert_eq!((colours(&aware, 46), colours(&class(""), 30)), ([2, 2, 1, 1], [2, 2, 1, 1]));
    let own = class(r#", "aware": true, "yellow_from": ["ef", "1"], "red_from": ["cs1"]"#);
    assert_eq!((colours(&own, 46), colours(&own, 8), colours(&own, 30)), ([0, 4, 1, 1], [0, 0, 5, 5], [2, 2, 1, 1]));
}

#[test]
fn what_contradicts_itself_is_dropped() {
    let mut host = host(r#"{"name": "a", "prefixes": ["0.0.0.0/0"]}"#);
    let mut frame = packet(1, 0, 100);
    frame[17] = 200;
    let out = host.process([frame, packet(1, 0, 100)[..20].to_vec()]);
    assert!(out.iter().all(|out| out.verdict.is_drop()) && host.counter("malformed") == 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// What has passed at any instant is at most burst + rate × time; and what is dropped would have been more than that.
    #[test]
    fn no_more_passes_than_rate_and_burst(
        cir in 1_u64..10_000_000, burst in 1_000_u64..5_000,
        steps in prop::collection::vec((0_u64..5_000_000, 28_usize..1_000, 1_usize..20), 1..80),
    ) {
        let class = format!(r#"{{"name": "a", "prefixes": ["0.0.0.0/0"], "cir": "{cir}", "cbs": {burst}}}"#);
        let mut host = host(&class);
        let (mut now, mut level) = (0, u128::from(burst) * 8 * u128::from(S));
        let full = level;
        for (later, len, count) in steps {
            now += later;
            host.set_time(now);
            level = full.min(level + u128::from(later) * u128::from(cir));
            let price = len as u128 * 8 * u128::from(S);
            let fits = usize::try_from((level / price).min(count as u128)).unwrap();
            prop_assert_eq!(pass(&mut host, vec![packet(1, 0, len); count]), fits);
            level -= fits as u128 * price;
        }
        // The next case begins where this one did.
        host.set_time(0);
    }
}
