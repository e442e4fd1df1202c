//! Packets that wait until the rate lets them go.

use super::*;
use crate::shaper::Schedule;
use proptest::prelude::*;

/// 1 Mbit/s: 1,000 bytes take 8 ms.
const CLASS: &str = r#"{"name": "a", "prefixes": ["10.0.0.0/24"], "shape": "1M", "queue": 10}"#;

/// Sends packets of these lengths at once, and lists when which goes on, with a call each `step`.
fn leave(host: &mut Host<Policer>, lengths: &[usize], step: u64) -> Vec<(u64, usize)> {
    let out = host.process(lengths.iter().map(|len| packet(1, 0, *len)));
    let mut left: Vec<_> = gone(host, &out).iter().map(|frame| (0, frame.len() - 14)).collect();
    let mut now = 0;
    while host.held() > 0 {
        now += step;
        host.set_time(now);
        let out = host.process(NOTHING);
        left.extend(gone(host, &out).iter().map(|frame| (now, frame.len() - 14)));
    }
    left
}

#[test]
fn packets_leave_at_the_rate_in_their_order() {
    let left = leave(&mut host(CLASS), &[1_000, 500, 1_000, 250], MS);
    assert_eq!(left, [(0, 1_000), (8 * MS, 500), (12 * MS, 1_000), (20 * MS, 250)]);
}

#[test]
fn what_finds_no_place_is_dropped_and_counted() {
    let mut host = host(CLASS);
    assert_eq!(leave(&mut host, &[1_000; 30], MS).len(), 11);
    assert_eq!((host.counter("queue_full"), host.counter("held"), host.counter("passed")), (19, 10, 11));
    assert_eq!(classes(&mut host)[0]["overflowed"]["packets"], 19);
}

#[test]
fn a_burst_leaves_at_once_after_a_pause() {
    let mut host = host(r#"{"name": "a", "prefixes": ["10.0.0.0/24"], "shape": "1M", "queue": 10, "burst": 2000}"#);
    let times: Vec<_> = leave(&mut host, &[1_000; 5], MS).into_iter().map(|(time, _)| time).collect();
    assert_eq!(times, [0, 0, 0, 8 * MS, 16 * MS]);
    host.set_time(S);
    assert_eq!(pass(&mut host, vec![packet(1, 0, 1_000); 5]), 3);
}

#[test]
fn a_call_that_comes_late_costs_time_but_no_rate() {
    let mut host = host(CLASS);
    let times: Vec<_> = leave(&mut host, &[1_000; 9], 20 * MS).into_iter().map(|(time, _)| time / MS).collect();
    assert_eq!(times, [0, 20, 20, 40, 40, 40, 60, 60, 80]);
    assert_eq!(host.counter("late_ns"), (12 + 4 + 16 + 8 + 12 + 4 + 16) * MS);
}

#[test]
fn packets_do_not_overtake_those_that_waited() {
    let mut host = host(CLASS);
    host.process([packet(1, 1, 1_000), packet(1, 2, 1_000)]);
    host.set_time(30 * MS);
    // The second one is due, and the line is free: both leave with this call, in the order in which they came.
    let out = host.process([packet(1, 3, 1_000), packet(1, 4, 1_000)]);
    let points: Vec<_> = gone(&host, &out).iter().map(|frame| frame[15] >> 2).collect();
    assert_eq!((points, host.held()), (vec![2, 3], 1));
}

#[test]
fn classes_do_not_wait_for_each_other() {
    let other = r#"{"name": "b", "prefixes": ["fd00::/16"], "shape": "8M", "queue": 10}"#;
    let mut host = host(&format!("{CLASS}, {other}"));
    assert_eq!(pass(&mut host, [packet(1, 0, 1_000), packet(1, 0, 1_000), packet6(0, 1_000), packet6(0, 1_000)]), 2);
    host.set_time(MS);
    assert_eq!((pass(&mut host, []), host.held()), (1, 1));
}

#[test]
fn no_more_is_held_than_the_grant_allows() {
    let class = r#"{"name": "a", "prefixes": ["0.0.0.0/0"], "shape": "1M", "queue": 1000}"#;
    let mut host = host(class);
    for _ in 0..4 {
        host.process(vec![packet(1, 0, 500); 200]);
    }
    assert_eq!((host.held(), host.counter("hold_full")), (500, 299));
    assert_eq!(host.log().len(), 1);
}

#[test]
fn red_is_dropped_before_the_queue() {
    let class = r#"{"name": "a", "prefixes": ["0.0.0.0/0"], "cir": "8k", "cbs": 2000, "shape": "1M", "queue": 10}"#;
    let mut host = host(class);
    assert_eq!(leave(&mut host, &[1_000; 9], MS).len(), 2);
    assert_eq!((host.counter("policed"), host.counter("queue_full")), (7, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// The departures of a backlog are those of exact arithmetic, rounded up to whole nanoseconds, however long it goes on.
    #[test]
    fn nothing_drifts(rate in 1_000_u64..400_000_000_000, bits in prop::collection::vec(1_u64..(1 << 20), 1..400)) {
        let mut schedule = Schedule::default();
        let mut sent = 0_u128;
        for bits in bits {
            let exact = (sent * u128::from(S)).div_ceil(u128::from(rate));
            prop_assert_eq!(u128::from(schedule.departure(0, bits, rate, 0)), exact);
            sent += u128::from(bits);
        }
    }

    /// At each instant no more has left since the beginning than the rate, one packet and the burst; and each packet is accounted for.
    #[test]
    fn the_rate_is_kept_at_each_instant(
        rate in 10_000_u64..50_000_000, burst in 0_u64..4_000,
        steps in prop::collection::vec((0_u64..3_000_000, 28_usize..1_000, 0_usize..6), 1..120),
    ) {
        let class = format!(
            r#"{{"name": "a", "prefixes": ["0.0.0.0/0"], "shape": "{rate}", "queue": 50{}}}"#,
            if burst > 0 { format!(r#", "burst": {burst}"#) } else { String::new() }
        );
        let mut host = host(&class);
        let (mut now, mut left, mut came) = (0_u64, 0_u128, 0_u64);
        for (later, len, count) in steps {
            now += later;
            host.set_time(now);
            let out = host.process(vec![packet(1, 0, len); count]);
            came += count as u64;
            left += gone(&host, &out).iter().map(|frame| frame.len() as u128 - 14).sum::<u128>();
            let allowed = u128::from(rate) * u128::from(now) + u128::from(burst) * 8 * u128::from(S);
            prop_assert!((left * 8).saturating_sub(8_000) * u128::from(S) <= allowed);
        }
        prop_assert_eq!(host.counter("passed") + host.counter("queue_full") + host.held() as u64, came);
        host.set_time(0);
    }
}
