//! Bursts, ramps, traces and what a module says.

use super::{alone, gaps, mean, ms, rate, shared, stream, times};
use perigee_config::stream::{Pattern, Trace};
use perigee_pace::Schedule;
use std::time::Duration;

#[test]
fn bursts_are_close_and_keep_the_rate() {
    let gap = Some(Duration::from_nanos(100));
    let mut schedule = alone(&stream("1 Mpps", Pattern::Bursts { size: 4, gap }));
    let at = times(&mut schedule, 9, 60);
    assert_eq!(at, [1_000, 1_100, 1_200, 1_300, 5_000, 5_100, 5_200, 5_300, 9_000]);
    // As close as 10 Gbit/s let them be: 67.2 ns.
    let linked = Pattern::Bursts { size: 4, gap: None };
    assert_eq!(times(&mut alone(&stream("1 Mpps", linked.clone())), 5, 60), [1_000, 1_067, 1_134, 1_201, 5_000]);
    let mut unknown = Schedule::new(&stream("1 Mpps", linked), None, (0, 1), 1, 0).expect("a schedule");
    assert_eq!(times(&mut unknown, 5, 60), [0, 0, 0, 0, 4_000]);
}

#[test]
fn the_rate_of_bursts_is_exact() {
    let mut schedule = alone(&stream("3 Mpps", Pattern::Bursts { size: 7, gap: None }));
    let at = times(&mut schedule, 700_000, 60);
    for (burst, first) in (0_u64..).zip(at.iter().step_by(7)) {
        assert_eq!(*first, 1_000 + burst * 7_000 / 3);
    }
    // In bits bursts of long packets are followed by longer pauses.
    let mut schedule = alone(&stream("1 Gbit/s", Pattern::Bursts { size: 2, gap: None }));
    let at: Vec<u64> = [1_000, 500, 60, 60, 60].into_iter().map(|len| schedule.take(len)).collect();
    assert_eq!(at, [1_000, 1_819, 13_000, 13_067, 13_960]);
}

#[test]
fn bursts_that_do_not_fit_follow_each_other() {
    let mut schedule = alone(&stream("20 Gbit/s l1", Pattern::Bursts { size: 2, gap: None }));
    assert_eq!(times(&mut schedule, 5, 1_226), [1_000, 2_000, 3_000, 4_000, 5_000], "the link has 10 Gbit/s");
}

#[test]
fn bursts_of_lcores_stand_between_each_other() {
    let stream = stream("2 Mpps", Pattern::Bursts { size: 8, gap: None });
    let whole = times(&mut alone(&stream), 2_400, 60);
    let mut all: Vec<u64> = (0..3).flat_map(|number| times(&mut shared(&stream, number, 3), 800, 60)).collect();
    all.sort_unstable();
    assert_eq!(all, whole);
}

fn ramp(from: &str, to: &str, repeat: bool) -> Pattern {
    Pattern::Ramp { from: rate(from), to: rate(to), over: ms(100), repeat }
}

/// Packets before that many nanoseconds have passed.
fn before(times: &[u64], ns: u64) -> usize {
    times.partition_point(|at| *at < 1_000 + ns)
}

#[test]
fn a_ramp_rises_and_stays() {
    let at = times(&mut alone(&stream("", ramp("0 pps", "1 Mpps", false))), 200_000, 60);
    // n = 5 t^2 per ms.
    for (ms, packets) in [(10, 500), (50, 12_500), (100, 50_000), (110, 60_000), (150, 100_000)] {
        assert!(before(&at, ms * 1_000_000).abs_diff(packets) <= 1, "{ms}: {}", before(&at, ms * 1_000_000));
    }
    assert!(at.is_sorted());
    assert!(gaps(&at[60_000..]).iter().all(|gap| *gap == 1_000));
}

#[test]
fn a_ramp_falls_to_its_end() {
    let mut schedule = alone(&stream("", ramp("1 Mpps", "0 pps", false)));
    let at = times(&mut schedule, 200_000, 60);
    assert_eq!((at.len(), schedule.peek(), schedule.is_over()), (50_000, None, true));
    assert!(at.is_sorted() && before(&at, 50_000_000).abs_diff(37_500) <= 1);
}

#[test]
fn a_ramp_repeats() {
    let at = times(&mut alone(&stream("", ramp("100 kpps", "500 kpps", true))), 300_000, 60);
    for round in 0..10 {
        let from = round * 100_000_000;
        let packets = before(&at, from + 100_000_000) - before(&at, from);
        assert!(packets.abs_diff(30_000) <= 1, "{packets}");
        assert!((before(&at, from + 50_000_000) - before(&at, from)).abs_diff(10_000) <= 1);
    }
}

#[test]
fn a_ramp_in_bits_counts_bits() {
    let at = times(&mut alone(&stream("", ramp("0 %", "100 %", false))), 20_000, 1_226);
    // Half of 10 Gbit/s for 100 ms, in frames of 1,250 bytes.
    assert!(before(&at, 100_000_000).abs_diff(50_000_000 / 1_000) <= 1 || at.len() == 20_000);
    assert!(before(&at, 50_000_000).abs_diff(12_500) <= 1, "{}", before(&at, 50_000_000));
}

#[test]
fn a_ramp_of_lcores_is_one() {
    for pattern in [ramp("0 pps", "1 Mpps", false), ramp("0 pps", "1 Mpps", true)] {
        let stream = stream("", pattern);
        let whole = times(&mut alone(&stream), 90_000, 60);
        let mut all: Vec<u64> = (0..3).flat_map(|number| times(&mut shared(&stream, number, 3), 30_000, 60)).collect();
        all.sort_unstable();
        let apart = whole.iter().zip(&all).map(|(one, other)| one.abs_diff(*other)).max();
        assert!(apart <= Some(1), "{apart:?}");
    }
}

fn trace(gaps: &[u64], repeat: bool) -> Pattern {
    let gaps = gaps.iter().map(|gap| Duration::from_nanos(*gap)).collect();
    Pattern::Trace(Trace { gaps, file: None, repeat })
}

#[test]
fn a_trace_is_followed() {
    let mut schedule = alone(&stream("", trace(&[10, 0, 500], false)));
    assert_eq!(times(&mut schedule, 9, 60), [1_000, 1_010, 1_010, 1_510]);
    assert!(schedule.is_over());
    let repeating = stream("", trace(&[10, 0, 500], true));
    assert_eq!(times(&mut alone(&repeating), 6, 60), [1_000, 1_010, 1_010, 1_510, 1_520, 1_520]);
    let mut all: Vec<u64> = (0..2).flat_map(|number| times(&mut shared(&repeating, number, 2), 300, 60)).collect();
    all.sort_unstable();
    assert_eq!(all, times(&mut alone(&repeating), 600, 60));
    // Stretched from 170 ns to 1 us.
    let at = times(&mut alone(&stream("1 Mpps", trace(&[10, 0, 500], true))), 300_001, 60);
    assert_eq!((at[1], at[3], at[300_000]), (1_058, 4_000, 300_001_000));
    let unread = Pattern::Trace(Trace { gaps: vec![], file: Some("gaps.txt".into()), repeat: false });
    assert!(Schedule::new(&stream("", unread), None, (0, 1), 1, 0).expect_err("unread").contains("were not read"));
}

#[test]
fn a_module_says_when() {
    let mut schedule = alone(&stream("", Pattern::Module));
    assert_eq!((schedule.peek(), schedule.due(1_000, 0, 64), schedule.due(999, 0, 64)), (Some(1_000), 64, 0));
    assert_eq!(
        [schedule.take_at(5_000, 60), schedule.take_after(300, 60), schedule.take_at(4_000, 60)],
        [5_000, 5_300, 5_300]
    );
    assert_eq!(schedule.take(60), 5_300, "nothing is said of it");
    let mut with_rate = alone(&stream("1 Mpps", Pattern::Module));
    assert_eq!([with_rate.take(60), with_rate.take_after(10, 60), with_rate.take(60)], [1_000, 1_010, 2_010]);
    assert_eq!(with_rate.due(2_010, 3_000, 64), 3);
    assert!(mean(&gaps(&times(&mut with_rate, 100, 60))) > 999.0);
}
