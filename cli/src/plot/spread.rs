//! Several runs of the same: their median, and the band in which all of them lie.

use super::axis::Scale;
use super::curves::{Axis, Band, Points};

/// Places along the first axis at which runs are compared.
const MOST: usize = 400;

/// The median of some curves, and from the least to the most of them, where all have something. `axes` say what lies between points:
/// straight lines on the picture.
pub(super) fn spread(curves: &[&Points], (x, y): (Axis, Axis)) -> (Points, Band) {
    let placed: Vec<Points> = curves
        .iter()
        .map(|points| points.iter().map(|at| (x.scale.place(at.0), y.scale.place(at.1))).collect())
        .collect();
    let ends = |end: fn(&Points) -> Option<&(f64, f64)>| placed.iter().filter_map(end).map(|at| at.0);
    let from = ends(|points| points.first()).fold(f64::MIN, f64::max);
    let to = ends(|points| points.last()).fold(f64::MAX, f64::min);
    let mut places: Vec<f64> = placed.iter().flatten().map(|at| at.0).filter(|at| (from..=to).contains(at)).collect();
    places.sort_by(f64::total_cmp);
    places.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
    let step = places.len().div_ceil(MOST).max(1);
    let (mut median, mut band) = (Points::new(), Band::new());
    for place in places.into_iter().step_by(step) {
        let mut values: Vec<f64> = placed.iter().filter_map(|points| at(points, place)).collect();
        values.sort_by(f64::total_cmp);
        let [Some(low), Some(high)] = [values.first(), values.last()] else { continue };
        let middle = (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0;
        let back = |scale: Scale, place: f64| scale.back(place);
        let here = back(x.scale, place);
        median.push((here, back(y.scale, middle)));
        band.push((here, back(y.scale, *low), back(y.scale, *high)));
    }
    (median, band)
}

/// The value of a curve at a place, on a straight line between the points around it.
fn at(points: &Points, place: f64) -> Option<f64> {
    let next = points.iter().position(|point| point.0 >= place)?;
    let (right, left) = (points[next], points[next.saturating_sub(1)]);
    let width = right.0 - left.0;
    if width <= 0.0 { Some(right.1) } else { Some(left.1 + (right.1 - left.1) * (place - left.0) / width) }
}

#[cfg(test)]
mod test {
    use super::*;

    const AXES: (Axis, Axis) = (Axis { label: "x", scale: Scale::Linear }, Axis { label: "y", scale: Scale::Linear });

    #[test]
    fn the_median_lies_in_the_band_where_all_runs_are() {
        let (a, b, c) = (vec![(0.0, 0.0), (10.0, 10.0)], vec![(0.0, 4.0), (8.0, 4.0)], vec![(2.0, 9.0), (10.0, 1.0)]);
        let (median, band) = spread(&[&a, &b, &c], AXES);
        assert_eq!((median.first(), median.last()), (Some(&(2.0, 4.0)), Some(&(8.0, 4.0))));
        assert_eq!(band, [(2.0, 2.0, 9.0), (8.0, 3.0, 8.0)]);
        let (median, band) = spread(&[&a, &b], AXES);
        assert_eq!((median[0], band[0]), ((0.0, 2.0), (0.0, 0.0, 4.0)), "of two, the middle");
        assert_eq!(spread(&[&a, &vec![(20.0, 1.0)]], AXES), (vec![], vec![]), "nowhere both");
    }

    #[test]
    fn lines_are_straight_on_the_picture() {
        let axes = (AXES.0, Axis { label: "y", scale: Scale::Log });
        let (a, b) = (vec![(0.0, 1.0), (2.0, 100.0)], vec![(0.0, 1.0), (1.0, 10.0), (2.0, 100.0)]);
        let (median, band) = spread(&[&a, &b], axes);
        assert!((median[1].1 - 10.0).abs() < 1e-9 && (band[1].1 - band[1].2).abs() < 1e-9, "{median:?} {band:?}");
    }
}
