//! The matcher by itself, and against a list of all that was seen.

use super::*;
use crate::sights::{Eye, ring};
use perigee_report::PercentileValue;
use proptest::prelude::*;

const TIMEOUT: u64 = 100_000_000;

struct Lab {
    eyes: [Eye; 2],
    matcher: Matcher,
}

impl Lab {
    fn new(places: u32) -> Self {
        let (first, then) = (ring(1 << 16), ring(1 << 16));
        let options = PathOptions { timeout_ns: TIMEOUT, places };
        let matcher = Matcher::new(options, vec![(Place::Then, then.1), (Place::First, first.1)]).unwrap();
        Self { eyes: [first.0, then.0], matcher }
    }

    fn see(&mut self, place: Place, id: u64, ns: u64) -> &mut Self {
        let eye = &mut self.eyes[usize::from(place == Place::Then)];
        eye.see(Sight { id, ns });
        eye.show();
        self
    }

    fn first(&mut self, id: u64, ns: u64) -> &mut Self {
        self.see(Place::First, id, ns)
    }

    fn then(&mut self, id: u64, ns: u64) -> &mut Self {
        self.see(Place::Then, id, ns)
    }

    fn tick(&mut self, ns: u64) -> PathCounts {
        self.matcher.tick(ns);
        self.counts()
    }

    fn counts(&self) -> PathCounts {
        let counts = self.matcher.passed().counts();
        assert!(counts.is_balanced(), "{counts:?}");
        counts
    }

    fn finish(&mut self) -> PathCounts {
        self.matcher.finish();
        let counts = self.counts();
        assert_eq!((counts.outstanding, counts.waiting), (0, 0), "{counts:?}");
        counts
    }
}

#[test]
fn each_fate_has_its_count() {
    let mut lab = Lab::new(64);
    lab.first(1, 1_000).then(1, 3_500).then(1, 4_000).first(2, 5_000).then(3, 6_000);
    let counts = lab.tick(10_000_000);
    assert_eq!((counts.first, counts.in_time, counts.outstanding), (2, 1, 1), "{counts:?}");
    assert_eq!((counts.then, counts.twice, counts.waiting), (3, 1, 1), "{counts:?}");
    let counts = lab.tick(TIMEOUT + 7_000 + REST_NS);
    assert_eq!((counts.lost, counts.only_then, counts.outstanding), (1, 1, 0), "{counts:?}");
    // Later than its time-out, and not than twice that.
    let counts = lab.then(2, 5_000 + 2 * TIMEOUT - 1).tick(2 * TIMEOUT + 5_000 + REST_NS);
    assert_eq!((counts.lost, counts.late, counts.in_time), (0, 1, 1), "{counts:?}");
    // Later than that it is a stranger.
    lab.first(4, 3 * TIMEOUT);
    lab.tick(4 * TIMEOUT + REST_NS + 1);
    lab.tick(5 * TIMEOUT + REST_NS + 1);
    let counts = lab.then(4, 5 * TIMEOUT + 2).finish();
    assert_eq!((counts.lost, counts.late, counts.only_then), (1, 1, 2), "{counts:?}");
    let told = lab.matcher.passed().told("p");
    assert_eq!((told.latency.min_ns, told.latency.max_ns), (Some(2_500), Some(2 * TIMEOUT - 1)));
}

#[test]
fn what_was_called_lost_too_early_was_in_time() {
    let mut lab = Lab::new(64);
    lab.first(1, 1_000);
    assert_eq!(lab.tick(TIMEOUT * 3 / 2).lost, 1);
    // The lcore that has seen it was behind.
    let counts = lab.then(1, 2_000).finish();
    assert_eq!((counts.in_time, counts.late, counts.lost), (1, 0, 0), "{counts:?}");
}

#[test]
fn the_second_place_may_tell_before_the_first() {
    let mut lab = Lab::new(64);
    let counts = lab.then(1, 3_000).then(1, 3_500).tick(5_000_000);
    assert_eq!((counts.then, counts.waiting), (2, 2));
    let counts = lab.first(1, 1_000).tick(6_000_000);
    assert_eq!((counts.in_time, counts.twice, counts.waiting), (1, 1, 0), "{counts:?}");
    assert_eq!(lab.matcher.passed().told("p").latency.min_ns, Some(2_000));
    // And by its clock, too: that shows.
    lab.then(2, 8_000_000).first(2, 8_000_001).finish();
    let told = lab.matcher.passed().told("p");
    assert_eq!((told.packets.in_time, told.latency.count, told.latency.before_departure), (2, 1, 1));
}

#[test]
fn what_is_the_same_is_ambiguous_and_never_matched() {
    let mut lab = Lab::new(64);
    // The first of them was the only one when it came.
    lab.first(7, 1_000).then(7, 2_000).first(7, 3_000).then(7, 4_000);
    lab.first(8, 5_000).first(8, 6_000).then(8, 7_000).then(8, 8_000).then(8, 9_000);
    let counts = lab.tick(2_000_000);
    assert_eq!((counts.first, counts.in_time, counts.ambiguous), (4, 1, 3), "{counts:?}");
    assert_eq!((counts.then, counts.ambiguous_then, counts.twice), (5, 4, 0), "{counts:?}");
    // As long as it comes again and again.
    for round in 1..20 {
        let at = round * TIMEOUT;
        let counts = lab.first(7, at).then(7, at + 1_000).tick(at + 2 * REST_NS);
        assert_eq!((counts.in_time, counts.ambiguous), (1, 3 + round), "{counts:?}");
    }
    // When it was not seen for twice the time-out, it is one like any other.
    lab.tick(22 * TIMEOUT);
    let counts = lab.first(7, 23 * TIMEOUT).then(7, 23 * TIMEOUT + 1_000).finish();
    assert_eq!((counts.in_time, counts.ambiguous), (2, 22), "{counts:?}");
    // One that is lost is no longer, whatever comes behind it.
    let mut lab = Lab::new(64);
    lab.first(1, 0).tick(TIMEOUT + 1 + REST_NS);
    let counts = lab.first(1, TIMEOUT + 2).then(1, TIMEOUT + 3).finish();
    assert_eq!((counts.lost, counts.ambiguous, counts.ambiguous_then), (1, 1, 1), "{counts:?}");
}

#[test]
fn where_places_are_too_few_the_oldest_is_given_up_and_told() {
    let mut lab = Lab::new(8);
    for id in 0..20 {
        lab.first(id, id);
    }
    let counts = lab.tick(2_000_000);
    assert_eq!((counts.outstanding, counts.lost, counts.overrun), (8, 12, 12), "{counts:?}");
    let counts = lab.then(19, 2_000_000).then(0, 2_000_001).finish();
    assert_eq!((counts.in_time, counts.only_then, counts.lost), (1, 1, 19), "{counts:?}");
    // An identity that comes again and again is not forgotten among them.
    let mut lab = Lab::new(8);
    lab.first(0, 0).first(0, 1);
    for id in 1..100 {
        lab.first(id, 2 * id).first(0, 2 * id + 1);
    }
    let counts = lab.finish();
    assert_eq!((counts.first, counts.ambiguous, counts.in_time), (200, 101, 0), "{counts:?}");
}

#[test]
fn order_and_variation_are_those_of_the_first_place() {
    let mut lab = Lab::new(64);
    let latencies = [100, 150, 900, 160, 170];
    for id in 0..5 {
        lab.first(id, id);
    }
    for id in [0, 1, 3, 4, 2] {
        lab.then(id, id + latencies[usize::try_from(id).unwrap()]);
    }
    lab.finish();
    let told = lab.matcher.passed().told("p");
    assert_eq!((told.packets.reordered, told.variation.ipdv.count), (1, 2), "{told:?}");
    assert_eq!((told.variation.ipdv_rise_max_ns, told.variation.ipdv_mean_ns), (50, Some(30.0)));
    assert!(matches!(told.latency.percentiles[3].value, PercentileValue::Refused { needs: 20, samples: 5 }));
}

#[test]
fn what_is_seen_first_after_the_stop_does_not_count() {
    let mut lab = Lab::new(64);
    lab.first(1, 1_000).first(2, 2_000).matcher.stop(2_500);
    lab.first(3, 3_000).then(1, 4_000).then(3, 5_000).then(9, 6_000);
    let counts = lab.finish();
    assert_eq!((counts.first, counts.in_time, counts.lost), (2, 1, 1), "{counts:?}");
    assert_eq!((counts.then, counts.only_then), (1, 0), "{counts:?}");
}

/// What a packet is that the other place sees.
#[derive(Clone, Copy, Debug)]
enum Way {
    Comes(u64),
    Twice(u64),
    Lost,
    OnlyThen,
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        6 => (0..TIMEOUT).prop_map(Way::Comes),
        1 => (TIMEOUT + 1..2 * TIMEOUT).prop_map(Way::Comes),
        1 => (0..TIMEOUT / 2).prop_map(Way::Twice),
        1 => Just(Way::Lost),
        1 => Just(Way::OnlyThen),
    ]
}

proptest! {
    #[test]
    fn counts_are_those_of_what_was_done_to_them(ways in proptest::collection::vec((way(), 1..10_000_000_u64), 1..300), tick in 1..40_u64) {
        let mut lab = Lab::new(1 << 10);
        let (mut seen, mut now) = (Vec::new(), 0);
        let mut asked = PathCounts::default();
        let (mut least, mut most) = (u64::MAX, 0);
        for (id, (way, gap)) in (0..).zip(&ways) {
            now += gap;
            if !matches!(way, Way::OnlyThen) {
                seen.push((now, Place::First, id));
                asked.first += 1;
            }
            let mut comes = |after: u64| {
                seen.push((now + after, Place::Then, id));
                asked.then += 1;
                *(if after <= TIMEOUT { &mut asked.in_time } else { &mut asked.late }) += 1;
                (least, most) = (least.min(after), most.max(after));
            };
            match way {
                Way::Comes(after) => comes(*after),
                Way::Twice(after) => {
                    comes(*after);
                    seen.push((now + after + 1, Place::Then, id));
                    (asked.then, asked.twice) = (asked.then + 1, asked.twice + 1);
                }
                Way::Lost => asked.lost += 1,
                Way::OnlyThen => {
                    seen.push((now, Place::Then, id));
                    (asked.then, asked.only_then) = (asked.then + 1, asked.only_then + 1);
                }
            }
        }
        seen.sort_by_key(|(at, place, _)| (*at, *place == Place::Then));
        let mut next = 0;
        for (at, place, id) in seen {
            while next < at {
                lab.tick(next);
                next += tick * 1_000_000;
            }
            lab.see(place, id, at);
        }
        let counts = lab.finish();
        asked.reordered = counts.reordered;
        prop_assert_eq!(counts, asked);
        let told = lab.matcher.passed().told("p");
        if told.latency.count > 0 {
            prop_assert_eq!((told.latency.min_ns, told.latency.max_ns), (Some(least), Some(most)));
        }
    }
}
