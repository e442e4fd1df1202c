//! Rates, in exact arithmetic.

use crate::state::*;
use proptest::prelude::*;

const SECONDS: u128 = 1_000_000_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Over any part of a run no more passes than burst and rate allow, and nothing is withheld that they allow.
    #[test]
    fn a_bucket_gives_exactly_its_rate(
        rate in prop_oneof![0_u64..5, 1_u64..10_000_000_000, Just(1_000_000_007), Just(400_000_000_000), any::<u64>()],
        burst in prop_oneof![1_u64..50, 1_u64..18_446_744_073],
        steps in prop::collection::vec((0_u64..2_000_000_000, 1_u64..40), 1..200),
        fine in any::<bool>(),
    ) {
        let mut bucket = TokenBucket::new(rate, burst, 0).unwrap();
        // The level as a fraction of 10^9, in numbers that are large enough for anything.
        let (mut level, full) = (u128::from(burst) * SECONDS, u128::from(burst) * SECONDS);
        let mut now = 0;
        for (later, tokens) in steps {
            let later = if fine { later % 100 } else { later };
            now += later;
            level = full.min(level + u128::from(later) * u128::from(rate));
            let may = u128::from(tokens) * SECONDS <= level;
            prop_assert_eq!(u128::from(bucket.tokens(now)), level / SECONDS);
            prop_assert_eq!(bucket.take(tokens, now), may);
            level -= if may { u128::from(tokens) * SECONDS } else { 0 };
        }
    }

    /// Under load, what has passed at any time is within one packet of `burst + rate * t`, and never above it.
    #[test]
    fn nothing_drifts_under_load(
        rate in 1_000_u64..2_000_000_000,
        size in 1_u64..12_000,
        extra in 0_u64..100_000,
        gap in 1_u64..5_000,
    ) {
        let burst = size + extra;
        let mut bucket = TokenBucket::new(rate, burst, 7).unwrap();
        let mut passed = 0_u128;
        for turn in 0..3_000_u64 {
            let time = u128::from(turn * gap);
            while bucket.take(size, 7 + turn * gap) {
                passed += u128::from(size);
            }
            let allowed = u128::from(burst) * SECONDS + u128::from(rate) * time;
            prop_assert!(passed * SECONDS <= allowed);
            // The bucket never overflows between two turns, so nothing is lost.
            if u128::from(rate) * u128::from(gap) <= u128::from(extra) * SECONDS {
                prop_assert!((passed + u128::from(size)) * SECONDS > allowed);
            }
        }
    }

    /// A single rate marker's green and yellow together are a bucket of both bursts, and its green one of the first.
    #[test]
    fn a_single_rate_marker_keeps_to_its_rate(
        rate in 1_u64..1_000_000,
        bursts in (1_u64..5_000, 0_u64..5_000),
        steps in prop::collection::vec((0_u64..50_000_000, 1_u64..1_500, 0_u8..3), 1..200),
    ) {
        let mut marker = SingleRate::new(rate, bursts.0, bursts.1, 0).unwrap();
        let (mut green, mut yellow, mut now) = (0_u128, 0_u128, 0_u64);
        for (later, bytes, before) in steps {
            now += later;
            let before = [Colour::Green, Colour::Yellow, Colour::Red][usize::from(before)];
            let colour = marker.mark(bytes, before, now);
            prop_assert!(colour >= before);
            match colour {
                Colour::Green => green += u128::from(bytes),
                Colour::Yellow => yellow += u128::from(bytes),
                Colour::Red => {}
            }
            let came = u128::from(rate) * u128::from(now);
            prop_assert!(green * SECONDS <= u128::from(bursts.0) * SECONDS + came);
            prop_assert!((green + yellow) * SECONDS <= u128::from(bursts.0 + bursts.1) * SECONDS + came);
        }
    }

    /// A two rate marker's green is within the committed rate, green and yellow within the peak.
    #[test]
    fn a_two_rate_marker_keeps_to_both(
        committed in (1_u64..1_000_000, 1_u64..5_000),
        peak in (0_u64..1_000_000, 1_u64..5_000),
        steps in prop::collection::vec((0_u64..50_000_000, 1_u64..1_500), 1..200),
    ) {
        let peak = (committed.0 + peak.0, peak.1);
        let mut marker = TwoRate::new(committed, peak, 0).unwrap();
        let mut one = TokenBucket::new(peak.0, peak.1, 0).unwrap();
        let (mut green, mut now) = (0_u128, 0_u64);
        for (later, bytes) in steps {
            now += later;
            let colour = marker.mark(bytes, Colour::Green, now);
            prop_assert_eq!(colour != Colour::Red, one.take(bytes, now));
            green += if colour == Colour::Green { u128::from(bytes) } else { 0 };
            let came = u128::from(committed.0) * u128::from(now);
            prop_assert!(green * SECONDS <= u128::from(committed.1) * SECONDS + came);
        }
    }
}

proptest! {
    /// A marker that takes the place of another says of each packet what that would have said; but for a part of a byte, which goes.
    #[test]
    fn a_marker_goes_on_where_another_was(
        steps in prop::collection::vec((0_u64..2_000_000_000, 1_u64..1_500), 1..60),
        swap in 0_usize..60,
    ) {
        // Whole bytes come at whole times, so no part is lost.
        let mut singles = [SingleRate::new(1_000, 2_000, 3_000, 0).unwrap(); 2];
        let mut twos = [TwoRate::new((1_000, 2_000), (2_000, 3_000), 0).unwrap(); 2];
        let mut now = 0;
        for (step, (later, bytes)) in steps.into_iter().enumerate() {
            now += later / MILLISECOND * MILLISECOND;
            if step == swap {
                let tokens = singles[0].tokens(now);
                singles[1] = SingleRate::new(1_000, 2_000, 3_000, now).unwrap();
                singles[1].set_tokens(tokens, now);
                let tokens = twos[0].tokens(now);
                twos[1] = TwoRate::new((1_000, 2_000), (2_000, 3_000), now).unwrap();
                twos[1].set_tokens(tokens, now);
            }
            let [one, other] = singles.each_mut().map(|marker| marker.mark(bytes, Colour::Green, now));
            prop_assert_eq!(one, other);
            let [one, other] = twos.each_mut().map(|marker| marker.mark(bytes, Colour::Green, now));
            prop_assert_eq!(one, other);
        }
    }
}

/// The order of RFC 2697: the committed bucket is filled first, the excess one with what is left.
#[test]
fn a_pause_fills_the_committed_burst_first() {
    let mut marker = SingleRate::new(1_000, 100, 50, 0).unwrap();
    let mark = |marker: &mut SingleRate, now| marker.mark(50, Colour::Green, now);
    assert_eq!([0; 4].map(|now| mark(&mut marker, now)), [Colour::Green, Colour::Green, Colour::Yellow, Colour::Red]);
    // 100 bytes come in 100 ms: all of them are committed.
    let later = [100 * MILLISECOND; 3].map(|now| mark(&mut marker, now));
    assert_eq!(later, [Colour::Green, Colour::Green, Colour::Red]);
    let last = [250 * MILLISECOND; 4].map(|now| mark(&mut marker, now));
    assert_eq!(last, [Colour::Green, Colour::Green, Colour::Yellow, Colour::Red]);
}

#[test]
fn a_packet_does_not_get_better() {
    let mut single = SingleRate::new(1, 100, 100, 0).unwrap();
    assert_eq!(single.mark(10, Colour::Red, 0), Colour::Red);
    assert_eq!(single.mark(10, Colour::Yellow, 0), Colour::Yellow);
    let mut two = TwoRate::new((1, 100), (1, 100), 0).unwrap();
    assert_eq!(two.mark(10, Colour::Red, 0), Colour::Red);
    assert_eq!(two.mark(10, Colour::Yellow, 0), Colour::Yellow);
    assert_eq!(two.mark(10, Colour::Green, 0), Colour::Green);
}

#[test]
fn what_cannot_be_is_refused() {
    assert_eq!(TokenBucket::new(1, 0, 0).map(|_| ()), Err(BadRate));
    assert_eq!(TokenBucket::new(1, 18_446_744_074, 0).map(|_| ()), Err(BadRate));
    assert!(TokenBucket::new(u64::MAX, 18_446_744_073, 0).is_ok());
    assert_eq!(SingleRate::new(1, 0, 0, 0).map(|_| ()), Err(BadRate));
    assert_eq!(TwoRate::new((2, 1), (1, 1), 0).map(|_| ()), Err(BadRate));
    assert_eq!(TwoRate::new((1, 0), (1, 1), 0).map(|_| ()), Err(BadRate));
    // A clock that goes back, and the end of time.
    let mut bucket = TokenBucket::new(0, 1, 100).unwrap();
    assert!(bucket.take(1, 50) && !bucket.take(1, u64::MAX) && !bucket.take(u64::MAX, 0));
}
