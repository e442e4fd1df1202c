//! Whether draws are distributed as they say: chi-square and Kolmogorov-Smirnov tests with fixed seeds.
//!
//! A right draw fails such a test by chance; with a fixed seed it does so always or never. There are some fifty tests
//! here, so the bounds are those that a right draw exceeds once in a hundred thousand tests.

#![allow(clippy::cast_possible_truncation, reason = "numbers of classes are small")]

use perigee_guest::Lcg64;
use perigee_guest::vary::{
    Draw, Exponential, Gaps, Items, Normal, Repeatable, Shape, Shuffle, Uniform, Weighted, Zipf,
};

/// The quantile 0.99999 of the standard normal distribution.
const QUANTILE: f64 = 4.265;
/// The same quantile of Kolmogorov's distribution.
const DISTANCE: f64 = 2.47;

/// Fails where the counts are too far from what was expected, or suspiciously near. Classes must expect 5 or more.
fn chi_square(what: &str, counts: &[u64], expected: &[f64]) {
    assert!(counts.len() == expected.len() && expected.iter().all(|&e| e >= 5.0), "{what}: classes too small");
    let sum: f64 = counts.iter().zip(expected).map(|(&count, e)| (count as f64 - e).powi(2) / e).sum();
    // Wilson and Hilferty: the cube root of a chi-square divided by its degrees of freedom is nearly normal.
    let spread = 2.0 / (9.0 * (counts.len() as f64 - 1.0));
    let score = ((sum / (counts.len() as f64 - 1.0)).cbrt() - (1.0 - spread)) / spread.sqrt();
    assert!(score.abs() < QUANTILE, "{what}: chi-square {sum:.1}, score {score:.2}");
}

/// Fails where the distribution function of the samples is too far from `cdf`.
fn kolmogorov_smirnov(what: &str, mut samples: Vec<f64>, cdf: impl Fn(f64) -> f64) {
    samples.sort_by(f64::total_cmp);
    let count = samples.len() as f64;
    let distance = samples.iter().enumerate().fold(0.0_f64, |far, (i, &x)| {
        let p = cdf(x);
        far.max((p - i as f64 / count).abs()).max(((i + 1) as f64 / count - p).abs())
    });
    let scaled = distance * count.sqrt();
    assert!(scaled < DISTANCE, "{what}: Kolmogorov-Smirnov {scaled:.3}");
}

fn count<D: Draw>(mut draw: D, classes: usize, draws: usize, class: impl Fn(D::Value) -> usize) -> Vec<u64> {
    let (mut random, mut counts) = (Lcg64::new(2026), vec![0; classes]);
    for _ in 0..draws {
        counts[class(draw.next(&mut random))] += 1;
    }
    counts
}

fn samples<D: Draw<Value = f64>>(mut draw: D) -> Vec<f64> {
    let mut random = Lcg64::new(77);
    (0..50_000).map(|_| draw.next(&mut random)).collect()
}

#[test]
fn ranges_are_uniform() {
    for classes in [2_usize, 3, 6, 10, 16, 100, 1000, 1024, 6_007] {
        let last = classes as u64 - 1;
        let draws = 60 * classes.max(500);
        let expected = vec![draws as f64 / classes as f64; classes];
        chi_square("range", &count(Uniform::new(0, last).unwrap(), classes, draws, |x| x as usize), &expected);
    }
    // Three quarters of 2^32: taking remainders would make the lower third twice as likely.
    let range = Uniform::new(0, 3 << 30).unwrap();
    chi_square("biased by remainders", &count(range, 12, 120_000, |x| (x * 12 / ((3 << 30) + 1)) as usize), &[1e4; 12]);
    // And three quarters of 2^64.
    let wide = Uniform::new(0, 3 << 62).unwrap();
    let class = |x: u64| (u128::from(x) * 12 / ((3 << 62) + 1)) as usize;
    chi_square("wide", &count(wide, 12, 120_000, class), &[1e4; 12]);
    // The lower bits of a wide range, which come from a draw of their own.
    chi_square("lower bits", &count(wide, 16, 160_000, |x| (x & 15) as usize), &[1e4; 16]);
}

#[test]
fn neighbours_do_not_depend_on_each_other() {
    let pairs = Uniform::new(0, 19).unwrap().zip(Uniform::new(0, 19).unwrap());
    chi_square("pairs", &count(pairs, 400, 80_000, |(a, b)| (a * 20 + b) as usize), &[200.0; 400]);
}

#[test]
fn what_comes_again_is_uniform_in_its_round() {
    let round = Repeatable::new(Uniform::new(0, 99).unwrap(), 100_000, 5).unwrap();
    chi_square("repeatable", &count(round, 100, 100_000, |x| x as usize), &[1000.0; 100]);
    // A shuffle's first tenth comes from all parts of the range.
    let shuffle = Shuffle::new(0, 99_999, 3).unwrap();
    let counts = count(shuffle, 20, 10_000, |x| (x / 5_000) as usize);
    assert!(counts.iter().all(|&n| (400..600).contains(&n)), "{counts:?}");
}

#[test]
fn choices_follow_their_weights() {
    for weights in [vec![1, 1], vec![7, 4, 1], vec![1, 2, 3, 4, 5, 6, 7, 8], vec![1000, 1, 1000, 10]] {
        let total: u32 = weights.iter().sum();
        let draws = 20 * total as usize * weights.len();
        let expected: Vec<_> = weights.iter().map(|&w| f64::from(w) / f64::from(total) * draws as f64).collect();
        let mut padded = [0; 8];
        padded[..weights.len()].copy_from_slice(&weights);
        let counts = count(Weighted::new(padded).unwrap(), 8, draws, |x| x as usize);
        assert!(counts[weights.len()..].iter().all(|&never| never == 0));
        chi_square("weights", &counts[..weights.len()], &expected);
    }
    let items = Items::weighted([2_usize, 0, 1], [1, 7, 4]).unwrap();
    chi_square("items", &count(items, 3, 120_000, |x| x), &[7e4, 4e4, 1e4]);
}

#[test]
fn ranks_follow_zipfs_law() {
    for exponent in [0.0, 0.3, 0.8, 1.0, 1.000_001, 1.2, 2.0, 3.5] {
        for ranks in [2_u64, 10, 100] {
            let weights: Vec<_> = (1..=ranks).map(|k| (k as f64).powf(-exponent)).collect();
            let total: f64 = weights.iter().sum();
            let draws = 200_000;
            let counts = count(Zipf::new(ranks, exponent).unwrap(), ranks as usize, draws, |x| x as usize);
            // Rare ranks are counted together, so that every class expects enough.
            let (mut classes, mut expected, mut open) = (Vec::new(), Vec::new(), (0, 0.0));
            for (&found, weight) in counts.iter().zip(&weights) {
                open = (open.0 + found, open.1 + weight / total * draws as f64);
                if open.1 >= 50.0 {
                    classes.push(open.0);
                    expected.push(open.1);
                    open = (0, 0.0);
                }
            }
            if let (Some(class), Some(e)) = (classes.last_mut(), expected.last_mut()) {
                *class += open.0;
                *e += open.1;
            }
            chi_square(&format!("Zipf {exponent} of {ranks}"), &classes, &expected);
        }
    }
}

#[test]
fn waiting_times_are_exponential() {
    let cdf = |mean: f64| move |x: f64| 1.0 - (-x / mean).exp();
    kolmogorov_smirnov("exponential", samples(Exponential::new(3.0).unwrap()), cdf(3.0));
    // At 1,000 packets per second whole nanoseconds are fine enough to see no steps.
    let (mut gaps, mut random) = (Gaps::by_packets(1e3, Shape::Poisson).unwrap(), Lcg64::new(4));
    let seen: Vec<_> = (0..50_000).map(|_| gaps.after(60, &mut random) as f64).collect();
    let mean = seen.iter().sum::<f64>() / seen.len() as f64;
    assert!((mean / 1e6 - 1.0).abs() < 0.02, "{mean}");
    kolmogorov_smirnov("gaps", seen, cdf(1e6));
}

#[test]
fn packets_of_a_poisson_process_are_poisson_in_every_millisecond() {
    let (mut gaps, mut random) = (Gaps::by_packets(4e3, Shape::Poisson).unwrap(), Lcg64::new(6));
    let (mut now, mut bins) = (0_u64, vec![0_usize; 20_000]);
    while let Some(bin) = bins.get_mut((now / 1_000_000) as usize) {
        *bin += 1;
        now += gaps.after(60, &mut random);
    }
    let mut counts = [0; 11];
    for packets in &bins {
        counts[(*packets).min(10)] += 1;
    }
    let mut p = (-4.0_f64).exp();
    let mut expected = Vec::new();
    for k in 0..10 {
        expected.push(p * bins.len() as f64);
        p *= 4.0 / f64::from(k + 1);
    }
    expected.push(bins.len() as f64 - expected.iter().sum::<f64>());
    chi_square("Poisson", &counts, &expected);
}

#[test]
fn heavy_tails_and_bells() {
    let (mut gaps, mut random) = (Gaps::by_packets(1e3, Shape::Pareto(2.5)).unwrap(), Lcg64::new(9));
    let least = 1e6 * 1.5 / 2.5;
    let seen: Vec<_> = (0..50_000).map(|_| gaps.after(60, &mut random) as f64).collect();
    kolmogorov_smirnov("Pareto", seen, |x| if x < least { 0.0 } else { 1.0 - (least / x).powf(2.5) });

    // Abramowitz and Stegun 7.1.26: the error function to 1.5e-7.
    let erf = |x: f64| {
        let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
        let sum =
            t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
        (1.0 - sum * (-x * x).exp()).copysign(x)
    };
    let normal = samples(Normal::new(100.0, 15.0).unwrap());
    kolmogorov_smirnov("normal", normal, |x| 0.5 + 0.5 * erf((x - 100.0) / (15.0 * 2.0_f64.sqrt())));
}

#[test]
fn the_tests_themselves_notice_what_is_wrong() {
    let fails = |test: fn()| std::panic::catch_unwind(test).is_err();
    assert!(fails(|| chi_square("skewed", &[1_200, 800], &[1000.0; 2])));
    assert!(fails(|| chi_square("too even", &[1000; 100], &[1000.0; 100])));
    assert!(fails(|| kolmogorov_smirnov("scaled", samples(Exponential::new(1.04).unwrap()), |x| 1.0 - (-x).exp())));
}

/// The first values of each draw. Modules in WebAssembly draw the same ones: stream-gen's tests hold what a run sent.
#[test]
fn the_same_seed_gives_the_same_values_everywhere() {
    fn first<D: Draw>(mut draw: D) -> [D::Value; 4] {
        let mut random = Lcg64::new(42);
        [(); 4].map(|()| draw.next(&mut random))
    }
    assert_eq!(first(Uniform::new(0, 999).unwrap()), [758, 153, 42, 16]);
    let wide =
        [13_986_908_338_382_537_583, 776_025_858_026_517_257, 16_584_759_217_128_603_966, 9_571_727_259_139_153_447];
    assert_eq!(first(Uniform::new(0, u64::MAX - 1).unwrap()), wide);
    assert_eq!(first(Shuffle::new(0, 999, 1).unwrap()), [314, 76, 993, 329]);
    assert_eq!(first(Repeatable::new(Uniform::new(0, 999).unwrap(), 10, 1).unwrap()), [441, 786, 731, 21]);
    assert_eq!(first(Weighted::new([7, 4, 1]).unwrap()), [0, 0, 0, 0]);
    assert_eq!(first(Zipf::new(1000, 1.1).unwrap()), [1, 205, 631, 834]);
    // To the last bit.
    let exponential = [0x4071_4c41_facb_c7e4, 0x409d_4de4_dd04_2fd5, 0x40a8_c0ea_2542_9eea, 0x40b0_10e3_381b_75d0];
    let normal = [0x3fdd_28d0_0b85_37fd, 0x3fe9_5a09_ac04_f60d, 0x3fd6_80bf_4223_e12b, 0x3fde_7372_362d_4179];
    assert_eq!(first(Exponential::new(1000.0).unwrap()).map(f64::to_bits), exponential);
    assert_eq!(first(Normal::new(0.0, 1.0).unwrap()).map(f64::to_bits), normal);
}
