//! Which method paces a port best, by what calibration has measured of each: never by what its driver says that it can.

use perigee_config::stream::Method;

/// A mean rate that is off by more was missed.
pub const MOST_OFF: f64 = 0.001;

/// What calibration has found out about a method on a port.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The method.
    pub method: Method,
    /// What was tried.
    pub points: Vec<Tried>,
}

/// One rate at one length.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// Bytes of a frame, without frame check sequence.
    pub size: u16,
    /// The rate that was asked for.
    pub asked: String,
    /// By which part the mean rate was off.
    pub off: f64,
    /// Packets that were lost, and others that came though they should not: fillers.
    pub wrong: u64,
    /// How far gaps between arrivals are from the one that was asked for, nanoseconds: the farther of the first and the 99th percentile.
    pub deviation_ns: f64,
    /// Nothing was in the way.
    pub is_sound: bool,
}

impl Tried {
    fn is_kept(&self) -> bool {
        self.off.abs() <= MOST_OFF && self.wrong == 0
    }
}

impl Trial {
    fn sound(&self) -> impl Iterator<Item = &Tried> {
        self.points.iter().filter(|point| point.is_sound)
    }

    /// It did what was asked wherever nothing was in the way, and there was such a place.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.sound().next().is_some() && self.sound().all(Tried::is_kept)
    }

    /// The mean deviation over those points that all of the others have too.
    #[allow(clippy::cast_precision_loss, reason = "a mean of some points")]
    fn deviation(&self, others: &[&Self]) -> Option<f64> {
        let has = |other: &Self, point: &Tried| other.sound().any(|o| (o.size, &o.asked) == (point.size, &point.asked));
        let shared = self.sound().filter(|point| others.iter().all(|other| has(other, point)));
        let (sum, count) = shared.fold((0.0, 0_u32), |(sum, count), point| (sum + point.deviation_ns, count + 1));
        (count != 0).then(|| sum / f64::from(count))
    }
}

/// The best of the methods that `may` be used: of those that kept each mean rate within 0.1 % and lost nothing, the one whose gaps
/// deviate least, at the rates and lengths that were tried with all of them. Of two that are the same, the plainer one. `None` where none
/// kept its rates, or no rate was tried with all.
#[must_use]
pub fn best(trials: &[Trial], may: impl Fn(Method) -> bool) -> Option<Method> {
    let mut held: Vec<&Trial> = trials.iter().filter(|trial| may(trial.method) && trial.holds()).collect();
    held.sort_by_key(|trial| trial.method);
    let scored = held.iter().filter_map(|trial| Some((trial.deviation(&held)?, trial.method)));
    scored.min_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, method)| method)
}

#[cfg(test)]
mod test {
    use super::*;

    fn trial(method: Method, deviations: &[f64]) -> Trial {
        let sizes = [60, 590, 1_514];
        let point = |(size, deviation_ns): (u16, f64)| Tried {
            size,
            asked: "100 kpps".to_owned(),
            off: 0.000_9,
            wrong: 0,
            deviation_ns,
            is_sound: true,
        };
        Trial { method, points: sizes.into_iter().zip(deviations.iter().copied()).map(point).collect() }
    }

    #[test]
    fn the_evenest_of_those_that_kept_their_rates_is_best() {
        let software = trial(Method::Software, &[800.0, 700.0, 900.0]);
        let launch = trial(Method::LaunchTime, &[1.0, 1.0, 1.0]);
        let filler = trial(Method::Filler, &[2.0, 2.0, 2.0]);
        let all = |trials: &[&Trial]| best(&trials.iter().map(|t| (*t).clone()).collect::<Vec<_>>(), |_| true);
        assert_eq!(all(&[&software, &filler, &launch]), Some(Method::LaunchTime));
        assert_eq!(best(&[software.clone(), launch.clone()], |m| m != Method::LaunchTime), Some(Method::Software));
        assert_eq!((all(&[&software]), all(&[])), (Some(Method::Software), None));
        // What missed its rate once, or lost a packet, is out, however even its gaps are.
        let mut bad = launch.clone();
        bad.points[2].off = -0.001_1;
        assert_eq!(all(&[&software, &filler, &bad]), Some(Method::Filler));
        let mut bad = filler.clone();
        bad.points[0].wrong = 1;
        assert_eq!(all(&[&software, &bad]), Some(Method::Software));
        // But not where something was in the way.
        let mut disturbed = launch.clone();
        (disturbed.points[0].off, disturbed.points[0].is_sound) = (-0.5, false);
        assert_eq!(all(&[&software, &disturbed]), Some(Method::LaunchTime));
        disturbed.points.iter_mut().for_each(|point| point.is_sound = false);
        assert_eq!(all(&[&software, &disturbed]), Some(Method::Software));
        // Of the same, the plainer one.
        assert_eq!(all(&[&trial(Method::Filler, &[7.0]), &trial(Method::Software, &[7.0])]), Some(Method::Software));
    }

    #[test]
    fn methods_are_compared_where_all_were_tried() {
        // Alone at 60 bytes it looks better than over all of them.
        let software = trial(Method::Software, &[10.0, 700.0, 900.0]);
        let launch = trial(Method::LaunchTime, &[20.0]);
        assert_eq!(best(&[software, launch], |_| true), Some(Method::Software));
        let mut elsewhere = trial(Method::LaunchTime, &[1.0]);
        elsewhere.points[0].asked = "1 kpps".to_owned();
        assert_eq!(best(&[trial(Method::Software, &[5.0]), elsewhere], |_| true), None);
    }
}
