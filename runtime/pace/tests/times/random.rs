//! Patterns that are drawn: their distributions, and their means.

use super::{alone, gaps, mean, ms, shared, stream, times};
use perigee_config::stream::{Levels, Pattern};
use perigee_pace::{Fit, Verdict};

fn judged(times: &[u64], asked: f64) -> Verdict {
    let mut fit = Fit::new(asked);
    gaps(times).into_iter().for_each(|gap| fit.add(gap));
    fit.judge().expect("enough samples")
}

/// The greatest distance of the gaps' distribution from another one, times the root of their number.
#[allow(clippy::cast_precision_loss, reason = "some ten thousand")]
fn distance(mut gaps: Vec<u64>, distribution: impl Fn(f64) -> f64) -> f64 {
    gaps.sort_unstable();
    let all = gaps.len() as f64;
    let apart = |(index, gap): (usize, &u64)| {
        let expected = distribution(*gap as f64 + 0.5);
        (index as f64 / all - expected).abs().max(((index + 1) as f64 / all - expected).abs())
    };
    gaps.iter().enumerate().map(apart).fold(0.0, f64::max) * all.sqrt()
}

#[test]
fn poisson_fits() {
    for (rate, asked) in [("20 Mpps", 50.0), ("1 Mpps", 1_000.0), ("3 kpps", 1e9 / 3e3), ("0.5 pps", 2e9)] {
        let found = judged(&times(&mut alone(&stream(rate, Pattern::Poisson)), 200_000, 60), asked);
        assert!(found.fits(), "{rate}: {found}");
        assert!(
            (found.mean_ns / asked - 1.0).abs() < 0.01 && (found.deviation_ns / asked - 1.0).abs() < 0.015,
            "{found}"
        );
        assert!((found.lambda / found.asked_lambda - 1.0).abs() < 0.01, "{found}");
    }
}

#[test]
fn what_is_no_poisson_process_does_not_fit() {
    let constant = judged(&times(&mut alone(&stream("1 Mpps", Pattern::Constant)), 1_000, 60), 1_000.0);
    assert!(!constant.fits() && constant.deviation_ns < 1e-6, "{constant}");
    let faster = judged(&times(&mut alone(&stream("1.02 Mpps", Pattern::Poisson)), 200_000, 60), 1_000.0);
    assert!(!faster.fits(), "{faster}");
    let text = faster.to_string();
    assert!(text.contains("199999 gaps: mean 9") && text.ends_with(": does not fit"), "{text}");
    assert_eq!(Fit::new(1_000.0).judge(), None);
}

#[test]
fn fits_of_lcores_add_up() {
    let all = times(&mut alone(&stream("1 Mpps", Pattern::Poisson)), 30_001, 60);
    let mut parts = [Fit::new(1_000.0), Fit::new(1_000.0)];
    for (index, gap) in gaps(&all).into_iter().enumerate() {
        parts[usize::from(index > 12_345)].add(gap);
    }
    let [mut one, two] = parts;
    one.merge(&two);
    let (merged, whole) = (one.judge().expect("enough"), judged(&all, 1_000.0));
    assert_eq!((merged.samples, merged.statistic), (whole.samples, whole.statistic));
    assert!((merged.deviation_ns / whole.deviation_ns - 1.0).abs() < 1e-9);
}

#[test]
fn poisson_of_several_lcores_is_poisson() {
    let stream = stream("4 Mpps", Pattern::Poisson);
    let mut all: Vec<u64> = (0..4).flat_map(|number| times(&mut shared(&stream, number, 4), 60_000, 60)).collect();
    all.sort_unstable();
    let found = judged(&all[..200_000], 250.0);
    assert!(found.fits(), "{found}");
}

/// Lengths do not skew the gaps: of packets in turn long and short, those behind long ones and those behind short ones are each
/// exponential, with the mean that the length says.
#[test]
fn poisson_in_bits_follows_the_length() {
    let mut schedule = alone(&stream("1 Gbit/s l1", Pattern::Poisson));
    let at: Vec<u64> = (0..200_001).map(|packet| schedule.take(if packet % 2 == 0 { 60 } else { 1_514 })).collect();
    let gaps = gaps(&at);
    for (first, bytes) in [(0, 84.0), (1, 1_538.0)] {
        let of: Vec<u64> = gaps.iter().skip(first).step_by(2).copied().collect();
        let asked = bytes * 8.0;
        let off = distance(of, |gap| 1.0 - (-gap / asked).exp());
        assert!(off < 1.358, "{bytes}: {off}");
    }
    assert!((mean(&gaps) / (811.0 * 8.0) - 1.0).abs() < 0.01);
}

#[test]
fn pareto_fits() {
    for shape in [1.5, 2.5, 4.0] {
        let at = times(&mut alone(&stream("10 kpps", Pattern::Pareto { shape })), 100_001, 60);
        let least = 1e5 * (shape - 1.0) / shape;
        let off = distance(gaps(&at), |gap| if gap < least { 0.0 } else { 1.0 - (least / gap).powf(shape) });
        assert!(off < 1.358, "{shape}: {off}");
        if shape > 2.0 {
            assert!((mean(&gaps(&at)) / 1e5 - 1.0).abs() < 0.02, "{shape}");
        }
    }
}

/// Packets in each of so many times of that length, from the schedules' start on.
#[allow(clippy::cast_precision_loss, reason = "some thousand packets")]
fn counts(times: &[u64], span: u64, spans: u64) -> Vec<f64> {
    let count = |span_number: u64| {
        let from = 1_000 + span_number * span;
        times.partition_point(|at| *at < from + span) - times.partition_point(|at| *at < from)
    };
    (0..spans).map(|span| count(span) as f64).collect()
}

/// Their mean, and how far it is certain (99.9 %).
#[allow(clippy::cast_precision_loss, reason = "some hundred")]
fn estimate(counts: &[f64]) -> (f64, f64) {
    let all = counts.len() as f64;
    let mean = counts.iter().sum::<f64>() / all;
    let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / (all - 1.0);
    (mean, 3.29 * (variance / all).sqrt())
}

#[test]
fn on_off_keeps_the_mean_rate() {
    let drawn = Pattern::OnOff { on: ms(1), off: ms(3), fixed: false };
    for lcores in [1, 3] {
        let stream = stream("200 kpps", drawn.clone());
        let mut all: Vec<u64> = (0..lcores)
            .flat_map(|number| times(&mut shared(&stream, number, lcores), 1_100_000 / lcores as usize, 60))
            .collect();
        all.sort_unstable();
        // 5 s of 200,000.
        let (mean, sure) = estimate(&counts(&all, 20_000_000, 250));
        assert!((mean - 4_000.0).abs() < sure && sure < 800.0, "{mean} within {sure}");
    }
}

#[test]
fn fixed_on_off_is_exact() {
    let fixed = Pattern::OnOff { on: ms(1), off: ms(3), fixed: true };
    let stream = stream("1 Mpps", fixed);
    let at = times(&mut alone(&stream), 40_000, 60);
    assert_eq!(&at[..2], [1_000, 1_250]);
    // 4,000 in the first millisecond of four, each time.
    for (packet, at) in (0_u64..).zip(&at) {
        assert_eq!(*at, 1_000 + packet / 4_000 * 4_000_000 + packet % 4_000 * 250);
    }
    let mut all: Vec<u64> = (0..2).flat_map(|number| times(&mut shared(&stream, number, 2), 20_000, 60)).collect();
    all.sort_unstable();
    assert_eq!(all, at);
}

#[test]
fn mmpp_keeps_the_mean_rate_and_has_its_levels() {
    let hold = vec![ms(1), ms(4)];
    let relative = Levels::Multiples(vec![10.0, 1.0]);
    let rates = Levels::Rates(vec![super::rate("1 Mpps"), super::rate("100 kpps")]);
    // (10 + 4) / 5 of 100,000.
    for (rate, rates) in [("280 kpps", relative), ("", rates)] {
        let stream = stream(rate, Pattern::Mmpp { rates, hold: hold.clone() });
        for lcores in [1, 2] {
            let each = 1_500_000 / lcores as usize;
            let mut all: Vec<u64> =
                (0..lcores).flat_map(|number| times(&mut shared(&stream, number, lcores), each, 60)).collect();
            all.sort_unstable();
            let spans = counts(&all, 20_000_000, 200);
            let (mean, sure) = estimate(&spans);
            assert!((mean - 5_600.0).abs() < sure && sure < 1_200.0, "{mean} within {sure}");
        }
        // Windows of 20 us have 2 or 20 packets in the mean, and 5.6 together: far more spread than a Poisson process has.
        let short = counts(&times(&mut alone(&stream), 500_000, 60), 20_000, 50_000);
        let (mean, _) = estimate(&short);
        let variance = short.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 49_999.0;
        assert!(variance > 5.0 * mean, "{variance} of {mean}");
    }
}

#[test]
fn a_rate_far_below_the_changes_is_refused() {
    let pattern = Pattern::OnOff { on: ms(1), off: ms(1), fixed: false };
    let told = perigee_pace::Schedule::new(&stream("0.1 pps", pattern), None, (0, 1), 1, 0).expect_err("too slow");
    assert!(told.contains("its packets are 10.000 s apart, more than a thousand times"), "{told}");
}
