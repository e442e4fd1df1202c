//! Slices of time on a machine that is not ours alone.
//!
//! A core's other hyperthread belongs to somebody else, and plain medians come out in two clusters that are a factor of
//! 1.4 to 1.9 apart. So each slice stands between two probes, which take half a microsecond; both near the probe's floor
//! say that nobody else was there. Sides of a comparison take turns slice by slice: what slows one slows the other.

use crate::ffi;
use anyhow::{Result, ensure};
use perigee_core::clock::cycles as now;
use std::time::{Duration, Instant};

/// Packets in a slice: long enough that the probes do not disturb, short enough that most slices see one state.
pub(crate) const SLICE: u32 = 4_096;
/// How far above the floor a probe of a quiet slice may be.
const TOLERANCE: f64 = 1.04;
/// Rounds that only warm caches and branch predictors.
const WARM_UP: usize = 20;
/// Fewer quiet slices than this say nothing.
const LEAST: usize = 30;

/// One side of a comparison: works for about [`SLICE`] packets, and returns how many they were.
pub(crate) type Side<'a, C> = Box<dyn FnMut(&mut C) -> u64 + 'a>;

/// What a side needs before each of its slices, and what is not measured.
pub(crate) type Prepare<'a, C> = Box<dyn FnMut(&mut C) -> Result<()> + 'a>;

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// A loop is started anew so many times, and the slices of all starts count together: where memory happens to lie is
    /// another matter each time, and one bad place in the caches can cost cycles of every packet.
    pub(crate) starts: usize,
    /// At most so long for one start.
    pub(crate) budget: Duration,
    /// So many quiet slices of each side are enough for one start.
    pub(crate) enough: usize,
}

/// What was measured of one side, in cycles per packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figures {
    /// Median of the quiet slices; of all, where too few were quiet.
    pub(crate) cycles: f64,
    /// The 10th and the 90th percentile of the same slices.
    pub(crate) p10: f64,
    pub(crate) p90: f64,
    /// How many slices were quiet.
    pub(crate) quiet_slices: usize,
    /// Median of the others.
    pub(crate) busy_cycles: Option<f64>,
    /// By how many percent the slowest start's median is above the fastest one's; where there was one start, nothing.
    pub(crate) starts_apart: Option<f64>,
}

impl Figures {
    /// Of windows of time: few, and none is known to be quiet.
    pub(crate) fn of_windows(mut cycles: Vec<f64>) -> Self {
        let mut at = |part| quantile(&mut cycles, part);
        let (cycles, p10, p90) = (at(0.5), at(0.1), at(0.9));
        Self { cycles, p10, p90, quiet_slices: 0, busy_cycles: Some(cycles), starts_apart: None }
    }

    /// From the 10th to the 90th percentile.
    pub(crate) fn spread(&self) -> f64 {
        self.p90 - self.p10
    }

    /// Whether `quiet_slices` are enough for a median of them alone.
    pub(crate) fn are_quiet(quiet_slices: usize) -> bool {
        quiet_slices >= LEAST
    }
}

/// What the probe takes on a core that nobody else uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floor(f64);

impl Floor {
    /// Watches the probe for a while. The lowest hundredth counts, not the one lowest value, which may be a slip.
    pub(crate) fn find(time: Duration) -> Self {
        let start = Instant::now();
        let mut probes = Vec::new();
        while start.elapsed() < time {
            probes.extend((0..100).map(|_| ffi::probe() as f64));
        }
        Self(quantile(&mut probes, 0.01))
    }

    /// Cycles.
    pub(crate) fn cycles(self) -> f64 {
        self.0
    }

    fn is_quiet(self, probe: u64) -> bool {
        probe as f64 <= self.0 * TOLERANCE
    }
}

/// Slices of one side, in cycles per packet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    quiet: Vec<f64>,
    busy: Vec<f64>,
}

/// Lets the sides take turns until there are enough quiet slices of each, or the time is up.
pub(crate) fn interleave<C>(
    context: &mut C,
    sides: &mut [Side<'_, C>],
    floor: Floor,
    plan: Plan,
) -> Result<Vec<Samples>> {
    interleave_prepared(context, &mut [], sides, floor, plan)
}

/// The same, where something is done before the slices of each side.
pub(crate) fn interleave_prepared<C>(
    context: &mut C,
    prepare: &mut [Prepare<'_, C>],
    sides: &mut [Side<'_, C>],
    floor: Floor,
    plan: Plan,
) -> Result<Vec<Samples>> {
    let mut samples = vec![Samples::default(); sides.len()];
    let start = Instant::now();
    for round in 0.. {
        let mut before = ffi::probe();
        for (number, (side, samples)) in sides.iter_mut().zip(&mut samples).enumerate() {
            if let Some(prepare) = prepare.get_mut(number) {
                prepare(context)?;
                before = ffi::probe();
            }
            let from = now();
            let packets = side(context);
            let taken = now() - from;
            let after = ffi::probe();
            ensure!(packets != 0, "a slice of side {number} had no packets");
            let quiet = floor.is_quiet(before) && floor.is_quiet(after);
            before = after;
            if round >= WARM_UP {
                let into = if quiet { &mut samples.quiet } else { &mut samples.busy };
                into.push(taken as f64 / packets as f64);
            }
        }
        let enough = samples.iter().all(|s| s.quiet.len() >= plan.enough);
        if round > WARM_UP && (enough || start.elapsed() > plan.budget) {
            break;
        }
    }
    Ok(samples)
}

/// Adds up the starts of a measurement: side by side.
pub(crate) fn figures(starts: Vec<Vec<Samples>>) -> Vec<Figures> {
    let mut sides: Vec<(Samples, Vec<f64>)> = Vec::new();
    for samples in starts {
        sides.resize_with(samples.len(), Default::default);
        for ((all, medians), mut new) in sides.iter_mut().zip(samples) {
            medians.push(figures_of(new.clone()).cycles);
            all.quiet.append(&mut new.quiet);
            all.busy.append(&mut new.busy);
        }
    }
    sides.into_iter().map(|(all, medians)| Figures { starts_apart: apart(&medians), ..figures_of(all) }).collect()
}

/// By how many percent the largest is above the smallest.
fn apart(medians: &[f64]) -> Option<f64> {
    let least = medians.iter().copied().fold(f64::INFINITY, f64::min);
    let most = medians.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (medians.len() > 1).then(|| (most / least - 1.0) * 100.0)
}

fn figures_of(mut samples: Samples) -> Figures {
    let quiet_slices = samples.quiet.len();
    let busy_cycles = (!samples.busy.is_empty()).then(|| quantile(&mut samples.busy, 0.5));
    if !Figures::are_quiet(quiet_slices) {
        samples.quiet.append(&mut samples.busy);
    }
    let cycles = quantile(&mut samples.quiet, 0.5);
    let (p10, p90) = (quantile(&mut samples.quiet, 0.1), quantile(&mut samples.quiet, 0.9));
    Figures { cycles, p10, p90, quiet_slices, busy_cycles, starts_apart: None }
}

/// The value below which `part` of the values are; `values` must not be empty.
fn quantile(values: &mut [f64], part: f64) -> f64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, and between 0 and the length")]
    let at = ((values.len() - 1) as f64 * part).round() as usize;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

#[cfg(test)]
mod test {
    use super::*;

    fn samples(quiet: usize, busy: usize) -> Samples {
        Samples { quiet: (0..quiet).map(|i| 10.0 + i as f64).collect(), busy: vec![100.0; busy] }
    }

    #[test]
    fn quantiles_are_values_in_order() {
        let mut values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!([0.0, 0.5, 0.9, 1.0].map(|part| quantile(&mut values, part)), [1.0, 3.0, 5.0, 5.0]);
    }

    #[test]
    fn busy_slices_do_not_touch_the_quiet_median() {
        let figures = figures_of(samples(101, 1_000));
        assert_eq!((figures.cycles, figures.spread(), figures.quiet_slices), (60.0, 80.0, 101));
        assert_eq!(figures.busy_cycles, Some(100.0));
        assert!(Figures::are_quiet(figures.quiet_slices));
    }

    #[test]
    fn without_quiet_slices_all_count() {
        let figures = figures_of(samples(5, 100));
        assert_eq!((figures.cycles, figures.quiet_slices), (100.0, 5));
        assert!(!Figures::are_quiet(figures.quiet_slices));
    }

    #[test]
    fn slices_of_all_starts_count_together() {
        let figures = figures(vec![vec![samples(41, 1); 2], vec![samples(60, 2); 2]]);
        assert_eq!(figures.len(), 2);
        assert_eq!((figures[1].quiet_slices, figures[1].cycles), (101, 35.0));
        // Medians of 30 and of 40.
        assert_eq!(figures[1].starts_apart.map(f64::round), Some(33.0));
    }

    #[test]
    fn sides_take_turns_and_their_packets_are_counted() {
        let plan = Plan { starts: 1, budget: Duration::ZERO, enough: 0 };
        let mut turns = Vec::new();
        let mut sides: Vec<Side<'_, Vec<u8>>> = vec![
            Box::new(|turns| {
                turns.push(0);
                4_096
            }),
            Box::new(|turns| {
                turns.push(1);
                1
            }),
        ];
        let samples = interleave(&mut turns, &mut sides, Floor(1e9), plan).unwrap();
        let figures = figures(vec![samples]);
        assert!(turns.chunks(2).all(|pair| pair == [0, 1]) && turns.len() > 2 * WARM_UP);
        assert!(figures.iter().all(|f| f.quiet_slices == turns.len() / 2 - WARM_UP && f.busy_cycles.is_none()));
    }

    #[test]
    fn a_slice_without_packets_is_an_error() {
        let mut sides: Vec<Side<'_, ()>> = vec![Box::new(|()| 0)];
        let plan = Plan { starts: 1, budget: Duration::ZERO, enough: 0 };
        assert!(interleave(&mut (), &mut sides, Floor(1e9), plan).is_err());
    }
}
