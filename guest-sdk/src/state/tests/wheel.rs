//! The timer wheel against a sorted list.

use crate::state::*;
use proptest::prelude::*;
use std::vec::Vec;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// All that is due comes, in the order of ticks, and nothing else.
    #[test]
    fn it_runs_what_a_sorted_list_runs(
        steps in prop::collection::vec((0_u8..4, prop_oneof![0_u64..300, 0_u64..100_000, any::<u64>()]), 1..150),
        resolution in prop_oneof![Just(1_u64), Just(7), Just(1_000_000)],
        limit in 1_usize..5,
    ) {
        let mut wheel = Wheel::<u32>::new(60, resolution).unwrap();
        let mut list: Vec<(u64, u32, Timer)> = Vec::new();
        let (mut now, mut number) = (0_u64, 0);
        for (step, value) in steps {
            match step {
                0 | 1 => {
                    number += 1;
                    // Near now, in the far future, and in the past.
                    let at = if step == 0 { now.saturating_add(value) } else { value };
                    match wheel.schedule(at, number) {
                        Ok(timer) => list.push((at.div_ceil(resolution), number, timer)),
                        Err(TableFull(token)) => prop_assert!(token == number && list.len() == 60),
                    }
                }
                2 if !list.is_empty() => {
                    let (_, token, timer) = list.swap_remove(usize::try_from(value).unwrap() % list.len());
                    prop_assert_eq!(wheel.cancel(timer), Some(token));
                    prop_assert_eq!(wheel.cancel(timer), None);
                }
                _ => {
                    now = now.saturating_add(value);
                    let mut ran = Vec::new();
                    // In many small calls, with a cancellation in between.
                    loop {
                        let steps = wheel.advance(now, limit, |token| ran.push(token));
                        prop_assert!(steps <= limit);
                        if steps < limit {
                            break;
                        }
                        list.retain(|(_, token, _)| !ran.contains(token));
                        if let Some((_, token, timer)) = list.pop() {
                            prop_assert_eq!(wheel.cancel(timer), Some(token));
                        }
                    }
                    list.retain(|(_, token, _)| !ran.contains(token));
                    prop_assert!(list.iter().all(|(tick, _, _)| *tick > now / resolution), "left behind");
                }
            }
            prop_assert_eq!(wheel.len(), list.len());
        }
        for (_, token, timer) in list {
            prop_assert_eq!(wheel.cancel(timer), Some(token));
        }
        prop_assert!(wheel.is_empty());
    }

    #[test]
    fn order_and_punctuality(times in prop::collection::vec(1_u64..20_000_000, 1..200), jumps in prop::collection::vec(1_u64..3_000_000, 1..100)) {
        let mut wheel = Wheel::<u64>::new(200, 1_000).unwrap();
        for &at in &times {
            wheel.schedule(at, at).unwrap();
        }
        let (mut now, mut all) = (0, Vec::new());
        for jump in jumps {
            let before = now / 1_000;
            now += jump;
            let mut ran = Vec::new();
            wheel.advance(now, usize::MAX, |at| ran.push(at));
            // Never early, and in the first call in which its tick is over.
            prop_assert!(ran.iter().all(|at| (before + 1..=now / 1_000).contains(&at.div_ceil(1_000))), "{:?}", ran);
            all.extend(ran);
        }
        prop_assert!(all.iter().map(|at| at.div_ceil(1_000)).is_sorted());
        let mut due: Vec<u64> = times.into_iter().filter(|at| at.div_ceil(1_000) <= now / 1_000).collect();
        due.sort_unstable();
        all.sort_unstable();
        prop_assert_eq!(all, due);
    }
}

/// A timer goes down at most ten levels, so a run of all of them is bounded.
#[test]
fn steps_are_bounded() {
    let mut wheel = Wheel::<u32>::new(1_000, 1).unwrap();
    for n in 0..1_000 {
        wheel.schedule(u64::MAX - u64::from(n), n).unwrap();
    }
    let mut ran = 0;
    let steps = wheel.advance(u64::MAX, usize::MAX, |_| ran += 1);
    assert_eq!(ran, 1_000);
    assert!(steps <= 11 * 1_000, "{steps}");
}

#[test]
fn an_old_timer_names_nothing() {
    let mut wheel = Wheel::<char>::new(1, 1).unwrap();
    let old = wheel.schedule(5, 'a').unwrap();
    assert_eq!(wheel.schedule(5, 'b'), Err(TableFull('b')));
    let mut ran = Vec::new();
    wheel.advance(5, 8, |token| ran.push(token));
    let new = wheel.schedule(9, 'c').unwrap();
    assert_eq!((ran, wheel.cancel(old), wheel.cancel(new)), (Vec::from(['a']), None, Some('c')));
}
