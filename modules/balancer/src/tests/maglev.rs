//! The table against the paper's pseudo-code, its evenness, and what moves when a backend goes.

use crate::maglev::{Member, NOBODY, Permutation, Table, is_prime};
use perigee_guest::seed_mix;
use proptest::prelude::*;
use std::collections::HashMap;

/// Members with the names b0, b1, ... and these weights.
fn members(size: u32, weights: &[u16]) -> Vec<Member> {
    let member = |(number, weight): (u16, &u16)| Member {
        backend: number,
        permutation: Permutation::of(&format!("b{number}"), size),
        weight: *weight,
    };
    (0..).zip(weights).map(member).collect()
}

fn table(size: u32, members: &[Member]) -> Table {
    let mut table = Table::new(size, members.len()).unwrap();
    table.fill(members.iter().copied());
    table
}

/// "Pseudocode 1" of the paper, with the permutations written out as there; by rounds in which a backend has its turn or not.
fn model(size: u32, members: &[Member], has_turn: impl Fn(u64, &Member) -> bool) -> Vec<u16> {
    let size = u64::from(size);
    let permutation: Vec<Vec<usize>> = members
        .iter()
        .map(|Member { permutation: Permutation { offset, skip }, .. }| {
            (0..size).map(|j| usize::try_from((u64::from(*offset) + j * u64::from(*skip)) % size).unwrap()).collect()
        })
        .collect();
    let mut next = vec![0; members.len()];
    let mut entry = vec![NOBODY; permutation[0].len()];
    let mut n = 0;
    for round in 1.. {
        for (i, member) in members.iter().enumerate() {
            if !has_turn(round, member) {
                continue;
            }
            let mut c = permutation[i][next[i]];
            while entry[c] != NOBODY {
                next[i] += 1;
                c = permutation[i][next[i]];
            }
            entry[c] = member.backend;
            next[i] += 1;
            n += 1;
            if n == size {
                return entry;
            }
        }
    }
    unreachable!()
}

/// Places by backend.
fn count(places: &[u16]) -> HashMap<u16, u32> {
    let mut counts = HashMap::new();
    places.iter().for_each(|place| *counts.entry(*place).or_insert(0) += 1);
    counts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_is_that_of_the_paper(size in prop_oneof![Just(251), Just(257), Just(1_009), Just(4_093)], count in 1..60_usize) {
        let members = members(size, &vec![1; count]);
        let filled = table(size, &members);
        prop_assert_eq!(filled.places(), model(size, &members, |_, _| true));
    }

    /// The paper leaves it to the reader how weights alter "the relative frequency of the backends' turns". Here a backend has had
    /// floor(rounds × weight / largest) turns.
    #[test]
    fn with_weights_turns_are_less_frequent(weights in prop::collection::vec(1..50_u16, 1..20)) {
        let members = members(1_009, &weights);
        let most = u64::from(*weights.iter().max().unwrap());
        let turns = |rounds: u64, member: &Member| rounds * u64::from(member.weight) / most;
        let expected = model(1_009, &members, |round, member| turns(round, member) > turns(round - 1, member));
        let filled = table(1_009, &members);
        prop_assert_eq!(filled.places(), expected);
    }

    #[test]
    fn shares_are_those_of_the_weights(weights in prop::collection::vec(1..10_u16, 1..60)) {
        let members = members(65_537, &weights);
        let (counts, all) = (count(table(65_537, &members).places()), weights.iter().copied().map(f64::from).sum::<f64>());
        for (number, weight) in (0_u16..).zip(&weights) {
            let (got, asked) = (f64::from(counts[&number]), 65_537.0 * f64::from(*weight) / all);
            prop_assert!((got / asked - 1.0).abs() < 0.01, "{} of weight {}: {} for {}", number, weight, got, asked);
        }
    }

    #[test]
    fn who_comes_back_gets_the_places_that_it_had(count in 2..40_usize, gone in 0..40_usize) {
        let members = members(4_093, &vec![1; count]);
        let mut table = table(4_093, &members);
        let before = table.places().to_vec();
        let gone = gone % count;
        let moved = table.fill(members.iter().copied().filter(|member| usize::from(member.backend) != gone));
        let own = before.iter().filter(|place| usize::from(**place) == gone).count();
        prop_assert_eq!((moved.places - moved.needless) as usize, own);
        prop_assert!(!table.places().contains(&u16::try_from(gone).unwrap()));
        let back = table.fill(members.iter().copied());
        prop_assert_eq!(table.places(), before);
        prop_assert_eq!(back, moved, "the same places move back, and as many of them without need");
    }
}

#[test]
fn nobody_has_a_table_without_members() {
    let mut table = table(251, &members(251, &[1, 1]));
    assert_ne!(table.lookup(7 << 40), NOBODY);
    let moved = table.fill(core::iter::empty());
    assert_eq!((moved.places, moved.needless), (251, 0));
    assert!((0..1_000).all(|hash| table.lookup(seed_mix(hash)) == NOBODY));
}

#[test]
fn primes_are_told_from_others() {
    let primes: Vec<_> = (0..60).filter(|number| is_prime(*number)).collect();
    assert_eq!(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59]);
    assert!(is_prime(65_537) && !is_prime(65_536) && !is_prime(257 * 257) && is_prime(1_048_573));
}

/// Figure 12 of the paper, for one backend that goes; modules/balancer/README.md quotes what this prints:
/// `cargo test -p balancer --lib disruption -- --nocapture`
#[test]
fn disruption() {
    println!("   size  backends  places of the backend  moved without need  connections moved without need");
    for (size, backends, bound) in [
        (65_537, 10, 0.004),
        (65_537, 100, 0.01),
        (65_537, 1_000, 0.012),
        (655_373, 100, 0.004),
        (655_373, 1_000, 0.006),
    ] {
        let members = members(size, &vec![1; backends]);
        let mut table = table(size, &members);
        // 100,000 connections, of which one that was on another backend than the one that goes may not move.
        let connections: Vec<_> = (0..100_000_u64).map(|number| seed_mix(number ^ 0x5eed)).collect();
        let before: Vec<_> = connections.iter().map(|hash| table.lookup(*hash)).collect();
        let moved = table.fill(members.iter().copied().filter(|member| member.backend != 3));
        let after = connections.iter().map(|hash| table.lookup(*hash));
        let lost = before.iter().zip(after).filter(|(before, after)| **before != 3 && *before != after).count();
        let share = |part: u32| f64::from(part) / f64::from(size);
        let (own, needless) = (share(moved.places - moved.needless), share(moved.needless));
        let lost = lost as f64 / connections.len() as f64;
        println!("{size:>7} {backends:>9} {:>21.3}% {:>18.3}% {:>30.3}%", own * 100.0, needless * 100.0, lost * 100.0);
        assert!((own * f64::from(u32::try_from(backends).unwrap()) - 1.0).abs() < 0.02, "{own}");
        assert!(needless < bound && (lost - needless).abs() < 0.005, "{needless} {lost}");
    }
}
