//! Axes: where a value lies, and which values are written beside the axis.

/// How values are laid out along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithm.
    Log,
    /// Percentiles, by the logarithm of what lies beyond them: 90, 99 and 99.9 % are equally far from each other, as in the plots of
    /// HdrHistogram.
    Nines,
}

/// The least that a logarithmic axis shows: where it stands for microseconds, a nanosecond. Smaller values lie at its edge.
const LEAST: f64 = 0.001;

impl Scale {
    /// Where a value lies.
    pub(super) fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.max(LEAST).log10(),
            Self::Nines => -(1.0 - value / 100.0).max(1e-12).log10(),
        }
    }

    /// The value that lies at a place.
    pub(super) fn back(self, place: f64) -> f64 {
        match self {
            Self::Linear => place,
            Self::Log => 10f64.powf(place),
            Self::Nines => 100.0 - 100.0 * 10f64.powf(-place),
        }
    }

    /// From where to where an axis goes that has all of these places on it.
    pub(super) fn range(self, places: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
        let (low, high) = places.fold((f64::MAX, f64::MIN), |(low, high), at| (low.min(at), high.max(at)));
        match self {
            Self::Linear => low.min(0.0)..(high.max(low.min(0.0)) * 1.05).max(1e-9),
            // A little room, so that no curve lies on an edge.
            Self::Log => low - 0.1..high.max(low + 0.5) + 0.1,
            Self::Nines => 0.0..(high + 0.1).max(1.0),
        }
    }

    /// The places with a line across the picture, and what is written there.
    pub(super) fn ticks(self, range: &std::ops::Range<f64>) -> Vec<(f64, String)> {
        let values: Vec<f64> = match self {
            Self::Linear => {
                let step = round_step((range.end - range.start) / 8.0);
                (0..=20).map(|n| range.start + f64::from(n) * step).collect()
            }
            Self::Log => {
                let parts: &[f64] = if range.end - range.start > 2.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
                (-3..=12).flat_map(|decade| parts.iter().map(move |part| part * 10f64.powi(decade))).collect()
            }
            Self::Nines => vec![0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999, 99.99999],
        };
        let ticks = values.into_iter().map(|value| (self.place(value), number(value)));
        ticks.filter(|(place, _)| (range.start..=range.end).contains(place)).collect()
    }
}

/// The next 1, 2 or 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|part| part * power).find(|step| *step >= least * 0.999).unwrap_or(power * 10.0)
}

/// With commas between thousands, and no more digits behind the point than it has.
fn number(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let (whole, part) = text.split_once('.').map_or((text, None), |(whole, part)| (whole, Some(part)));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    part.map_or_else(|| grouped.clone(), |part| format!("{grouped}.{part}"))
}

#[cfg(test)]
mod test {
    use super::*;

    fn labels(scale: Scale, range: std::ops::Range<f64>) -> String {
        scale.ticks(&range).into_iter().map(|(_, label)| label).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn nines_are_equally_far_from_each_other() {
        let places = [0.0, 90.0, 99.0, 99.9].map(|value| Scale::Nines.place(value));
        for (place, expected) in places.into_iter().zip([0.0, 1.0, 2.0, 3.0]) {
            assert!((place - expected).abs() < 1e-9, "{places:?}");
        }
        assert!(Scale::Nines.place(100.0).is_finite());
        assert_eq!(labels(Scale::Nines, 0.0..3.1), "0 50 90 99 99.9");
    }

    #[test]
    fn a_value_comes_back_from_its_place() {
        for scale in [Scale::Linear, Scale::Log, Scale::Nines] {
            for value in [0.5, 50.0, 99.9] {
                assert!((scale.back(scale.place(value)) - value).abs() < 1e-9, "{scale:?} {value}");
            }
        }
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(Scale::Linear, 0.0..10.5), "0 2 4 6 8 10");
        assert_eq!(labels(Scale::Linear, 0.0..0.8), "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8");
        assert_eq!(labels(Scale::Log, 0.0..2.0), "1 2 5 10 20 50 100");
        assert_eq!(labels(Scale::Log, 0.0..4.0), "1 10 100 1,000 10,000");
    }

    #[test]
    fn what_has_no_logarithm_lies_at_the_edge() {
        assert_eq!(Scale::Log.place(0.0), Scale::Log.place(LEAST));
        let one = Scale::Log.range([1.0].into_iter());
        assert!(one.end - one.start > 0.5, "{one:?}");
        assert!(Scale::Linear.range(std::iter::once(0.0)).end > 0.0);
    }
}
