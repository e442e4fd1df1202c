//! What happens to a schedule on the way: pauses, other rates, ends.

use super::{alone, gaps, ms, rate, shared, stream, times};
use perigee_config::stream::{Pattern, Stream, Trace};

fn patterns() -> Vec<Stream> {
    let on_off = Pattern::OnOff { on: ms(1), off: ms(2), fixed: false };
    let trace = Pattern::Trace(Trace { gaps: vec![ms(1), ms(3)], file: None, repeat: true });
    let ramp = Pattern::Ramp { from: rate("1 kpps"), to: rate("100 kpps"), over: ms(50), repeat: true };
    let bursts = Pattern::Bursts { size: 3, gap: None };
    let mut all: Vec<Stream> =
        [Pattern::Constant, Pattern::Poisson, Pattern::Module, Pattern::Pareto { shape: 3.0 }, on_off, trace, bursts]
            .into_iter()
            .map(|pattern| stream("100 kpps", pattern))
            .collect();
    all.push(stream("", ramp));
    all
}

#[test]
fn a_pause_moves_all_that_follows() {
    for stream in patterns() {
        let (mut paused, mut other) = (alone(&stream), alone(&stream));
        times(&mut paused, 100, 60);
        let now = times(&mut other, 100, 60)[99];
        paused.pause(now);
        paused.pause(now + 5);
        assert_eq!((paused.peek(), paused.due(u64::MAX, 0, 9), paused.take_due(u64::MAX, 1)), (None, 0, None));
        assert!(paused.is_paused() && !paused.is_over());
        paused.resume(now + 1_000_000);
        paused.resume(now + 2_000_000);
        let later: Vec<u64> = times(&mut other, 300, 60).into_iter().map(|at| at + 1_000_000).collect();
        assert_eq!(times(&mut paused, 300, 60), later, "{stream:?}");
    }
}

#[test]
fn what_begins_paused_waits() {
    let mut schedule = alone(&Stream { paused: true, ..stream("1 Mpps", Pattern::Constant) });
    assert_eq!(schedule.peek(), None);
    schedule.resume(77_000);
    assert_eq!(times(&mut schedule, 2, 60), [77_000, 78_000]);
}

#[test]
fn a_shift_moves_the_end_too() {
    for stream in patterns() {
        let stream = Stream { duration: Some(ms(20)), ..stream };
        let (mut shifted, mut other) = (alone(&stream), alone(&stream));
        shifted.shift(123_456);
        let later: Vec<u64> = times(&mut other, 10_000, 60).into_iter().map(|at| at + 123_456).collect();
        assert!(later.last().is_some_and(|last| *last < 20_000_000 + 1_000 + 123_456));
        assert_eq!(times(&mut shifted, 10_000, 60), later, "{stream:?}");
    }
}

#[test]
fn another_rate_holds_from_now_on() {
    let mut schedule = alone(&stream("1 kpps", Pattern::Constant));
    assert_eq!(schedule.take(60), 1_000);
    // A quarter of the gap has passed: three quarters of the new one are left.
    schedule.set_rate(rate("1 Mpps"), 251_000).expect("a rate");
    assert_eq!(times(&mut schedule, 3, 60), [251_750, 252_750, 253_750]);
    schedule.set_rate(rate("8 Gbit/s"), 254_250).expect("a rate");
    // Half of 60 ns.
    assert_eq!(times(&mut schedule, 2, 60), [254_280, 254_340]);
    assert!(schedule.set_rate(rate("0 pps"), 0).is_err());
}

#[test]
fn many_changes_neither_add_packets_nor_lose_some() {
    for stream in patterns().into_iter().filter(|stream| matches!(stream.pattern, Pattern::Constant | Pattern::Module))
    {
        let (mut schedule, mut sent) = (alone(&stream), 0_u32);
        let rates = ["1 kpps", "900 pps", "1.1 kpps"].map(rate);
        for step in 0..300_000_u64 {
            let now = 1_000 + step * 10_000;
            while schedule.peek().is_some_and(|at| at <= now) {
                schedule.take(60);
                sent += 1;
            }
            schedule.set_rate(rates[usize::try_from(step % 3).expect("small")], now).expect("a rate");
        }
        // Three seconds.
        assert!(sent.abs_diff(3_000) <= 2, "{sent}");
    }
}

#[test]
fn lcores_keep_their_places_when_the_rate_changes() {
    let stream = stream("300 kpps", Pattern::Constant);
    let mut lcores: Vec<_> = (0..3).map(|number| shared(&stream, number, 3)).collect();
    let now = 10_000_000;
    for lcore in &mut lcores {
        while lcore.peek().is_some_and(|at| at <= now) {
            lcore.take(60);
        }
        lcore.set_rate(rate("3 Mpps"), now).expect("a rate");
    }
    let mut all: Vec<u64> = lcores.iter_mut().flat_map(|lcore| times(lcore, 100, 60)).collect();
    all.sort_unstable();
    assert!(gaps(&all).iter().all(|gap| (332..=335).contains(gap)), "{:?}", gaps(&all));
}

#[test]
fn every_pattern_takes_another_rate() {
    for stream in patterns() {
        let mut schedule = alone(&stream);
        let now = times(&mut schedule, 500, 60)[499];
        schedule.set_rate(rate("1 Mpps"), now).unwrap_or_else(|what| panic!("{stream:?}: {what}"));
        let at = times(&mut schedule, 200_000, 60);
        assert!(at.is_sorted() && at[0] >= now, "{stream:?}");
        let lasts = at[199_999] - now;
        // Some seventy times on and off are not yet the mean.
        let apart = if matches!(stream.pattern, Pattern::OnOff { .. }) { 80_000_000 } else { 10_000_000 };
        assert!(lasts.abs_diff(200_000_000) < apart, "{lasts}: {stream:?}");
    }
    let mut trace = alone(&stream("", Pattern::Trace(Trace { gaps: vec![ms(1)], file: None, repeat: true })));
    assert!(trace.set_rate(rate("1 Gbit/s"), 0).expect_err("bits").contains("stretched to packets per second"));
}

#[test]
fn any_pattern_follows_any_other() {
    for (before, after) in
        patterns().into_iter().flat_map(|one| patterns().into_iter().map(move |other| (one.clone(), other)))
    {
        let mut schedule = alone(&before);
        times(&mut schedule, 500, 60);
        let next = schedule.peek().expect("no pattern of these ends");
        let rate = after.rate.or(before.rate);
        let result = schedule.set_pattern(&after.pattern, rate);
        result.unwrap_or_else(|what| panic!("{before:?}, {after:?}: {what}"));
        let at = times(&mut schedule, 20_000, 60);
        assert!(at.is_sorted() && at[0] >= next, "{before:?}, {after:?}");
        let mut same = alone(&Stream { rate, ..after.clone() });
        let alike = times(&mut same, 20_000, 60);
        if matches!(after.pattern, Pattern::Constant | Pattern::Bursts { .. } | Pattern::Ramp { .. }) {
            let shifted: Vec<u64> = alike.iter().map(|time| time - alike[0] + next).collect();
            assert_eq!(at, shifted, "{before:?}, {after:?}");
        }
    }
    let mut over = alone(&Stream { count: Some(1), ..stream("1 kpps", Pattern::Constant) });
    over.take(60);
    assert_eq!(over.set_pattern(&Pattern::Poisson, Some(rate("1 kpps"))), Err("it is over".to_owned()));
}

#[test]
fn a_stream_starts_and_ends() {
    let timed = Stream { start: ms(1), duration: Some(ms(2)), ..stream("1 kpps", Pattern::Constant) };
    let mut schedule = alone(&timed);
    assert_eq!(schedule.due(0, u64::MAX, 64), 2);
    assert_eq!(times(&mut schedule, 9, 60), [1_001_000, 2_001_000]);
    assert!(schedule.is_over() && schedule.due(u64::MAX, 0, 9) == 0 && schedule.take_due(u64::MAX, 1).is_none());
    let mut counted = alone(&Stream { count: Some(10), ..stream("1 Mpps", Pattern::Constant) });
    assert!(counted.take_due(u64::MAX, 11).is_none() && counted.take_due(u64::MAX, 7).is_some());
    assert_eq!((counted.due(u64::MAX, 0, 64), times(&mut counted, 64, 60).len()), (3, 3));
}

#[test]
fn a_count_is_that_of_all_lcores() {
    for (size, count) in [(1, 1_000), (1, 7), (1, 2), (5, 1_000), (5, 23), (5, 3)] {
        let pattern = if size == 1 { Pattern::Constant } else { Pattern::Bursts { size, gap: None } };
        let stream = Stream { count: Some(count), ..stream("1 Mpps", pattern) };
        let whole = times(&mut alone(&stream), 2_000, 60);
        let mut all: Vec<u64> = (0..3).flat_map(|number| times(&mut shared(&stream, number, 3), 2_000, 60)).collect();
        all.sort_unstable();
        assert_eq!(all, whole, "{count} in {size}");
        assert_eq!(all.len() as u64, count);
    }
}
