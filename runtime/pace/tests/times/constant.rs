//! The constant pattern: exact, whatever the rate, on one lcore and on several.

use super::{alone, shared, stream, times};
use perigee_config::stream::Pattern::Constant;
use perigee_pace::{Due, Schedule};
use proptest::prelude::*;

#[test]
fn packets_leave_when_the_rate_says() {
    assert_eq!(times(&mut alone(&stream("1 Mpps", Constant)), 3, 60), [1_000, 2_000, 3_000]);
    assert_eq!(times(&mut alone(&stream("3 Mpps", Constant)), 5, 60), [1_000, 1_333, 1_666, 2_000, 2_333]);
    assert_eq!(times(&mut alone(&stream("0.5 pps", Constant)), 2, 60), [1_000, 2_000_001_000]);
    // 60 bytes, and 24 beside.
    assert_eq!(times(&mut alone(&stream("10 Gbit/s", Constant)), 3, 60), [1_000, 1_048, 1_096]);
    assert_eq!(times(&mut alone(&stream("10 Gbit/s l1", Constant)), 4, 60), [1_000, 1_067, 1_134, 1_201]);
    assert_eq!(times(&mut alone(&stream("50 %", Constant)), 3, 20), [1_000, 1_134, 1_268]);
}

#[test]
fn gaps_in_bits_follow_the_length() {
    let mut schedule = alone(&stream("8 Gbit/s", Constant));
    let at: Vec<u64> = [100, 1_500, 60, 60].into_iter().map(|len| schedule.take(len)).collect();
    assert_eq!(at, [1_000, 1_100, 2_600, 2_660]);
}

#[test]
fn a_share_of_a_link_needs_its_speed() {
    let told = Schedule::new(&stream("25 %", Constant), None, (0, 1), 1, 0).expect_err("no speed");
    assert!(told.contains("stream \"s\": 25 % of a link whose speed the port does not know"), "{told}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn packet_n_leaves_at_n_over_the_rate(rate in 1_u64..40_000_000_000, decimals in 0_u32..4, of in 1_u32..5) {
        let text = format!("{}.{:09} pps", rate / 10_u64.pow(decimals), (rate % 10_u64.pow(decimals)) * 10_u64.pow(9 - decimals));
        let number = of - 1;
        let mut schedule = shared(&stream(&text, Constant), number, of);
        for packet in 0..2_000_u64 {
            let nth = u128::from(packet * u64::from(of) + u64::from(number));
            let expected = 1_000 + nth * 1_000_000_000 * u128::from(10_u64.pow(decimals)) / u128::from(rate);
            prop_assert_eq!(u128::from(schedule.take(60)), expected);
        }
    }

    #[test]
    fn a_burst_at_once_is_the_same(rate in 1_000_u64..2_000_000_000, bursts in prop::collection::vec(1_u16..300, 1..40)) {
        let stream = stream(&format!("{rate} pps"), Constant);
        let (mut one, mut all) = (alone(&stream), alone(&stream));
        for burst in bursts {
            let at: Vec<u64> = (0..burst).map(|_| one.take(60)).collect();
            let (first, last) = (at[0], at[at.len() - 1]);
            prop_assert_eq!(all.take_due(last - 1, burst), None);
            // It may say no for lack of some nanoseconds, but no longer.
            prop_assert_eq!(all.take_due(last + u64::from(burst), burst), Some(Due { first, last }));
            prop_assert_eq!(all.peek(), one.peek());
        }
    }
}

#[test]
fn lcores_stand_between_each_other() {
    for text in ["14.88 Mpps", "7 Gbit/s", "90 %"] {
        let stream = stream(text, Constant);
        let whole = times(&mut alone(&stream), 4_000, 60);
        let mut all: Vec<u64> = (0..4).flat_map(|number| times(&mut shared(&stream, number, 4), 1_000, 60)).collect();
        all.sort_unstable();
        assert_eq!(all, whole, "{text}");
    }
}

#[test]
fn a_generator_is_asked_for_what_is_due() {
    let schedule = alone(&stream("1 Mpps", Constant));
    let due = |now, horizon, most| schedule.due(now, horizon, most);
    assert_eq!((due(0, 999, 64), due(0, 1_000, 64), due(1_000, 999, 64)), (0, 1, 1));
    assert_eq!((due(1_000, 10_000, 64), due(1_000, 10_000, 5), due(1 << 60, 0, 64)), (11, 5, 64));
    let mut in_bits = alone(&stream("8 Gbit/s", Constant));
    in_bits.take(1_000);
    in_bits.take(500);
    // From 2,500 on, each 750 bytes long.
    assert_eq!(in_bits.due(2_500, 2_250, 64), 4);
    assert_eq!(in_bits.take_due(1 << 60, 8), None, "lengths are not known");
}

#[test]
fn what_is_due_is_found_in_all_patterns() {
    use super::ms;
    use perigee_config::stream::{Levels, Pattern, Trace};
    let on_off = Pattern::OnOff { on: ms(1), off: ms(2), fixed: false };
    let mmpp = Pattern::Mmpp { rates: Levels::Multiples(vec![1.0, 0.0]), hold: vec![ms(1), ms(1)] };
    let trace = Pattern::Trace(Trace { gaps: vec![ms(0), ms(1)], file: None, repeat: true });
    let bursts = Pattern::Bursts { size: 5, gap: None };
    for pattern in [Pattern::Poisson, Pattern::Pareto { shape: 2.5 }, on_off, mmpp, trace, bursts] {
        let mut schedule = alone(&stream("10 kpps", pattern.clone()));
        for burst in 1..100 {
            let ahead = times(&mut schedule.clone(), 64, 60);
            let until = ahead[burst % 64];
            let due = ahead.iter().filter(|at| **at <= until).count();
            assert_eq!(schedule.due(until, 0, 64), due, "{pattern:?}");
            times(&mut schedule, due, 60);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_times() {
    use perigee_config::stream::Pattern::Poisson;
    let of = |seed| times(&mut Schedule::new(&stream("1 Mpps", Poisson), None, (0, 1), seed, 0).expect("one"), 9, 60);
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
    assert_eq!(of(1), [154, 2_138, 2_892, 3_212, 4_206, 4_791, 5_728, 6_030, 7_884]);
}
