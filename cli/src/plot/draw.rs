//! From curves to SVG. Text stays text: which font it has, the viewer decides.

use super::axis::Scale;
use super::curves::{Corner, Curve, Picture, Stroke};
use anyhow::Result;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use std::ops::Range;

/// Pixels.
const SIZE: (u32, u32) = (960, 600);

/// Told apart by those who see fewer colours as well (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

const GRID: RGBColor = RGBColor(205, 205, 205);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Line, Line>>;

/// An axis as plotters wants it.
struct Line {
    range: Range<f64>,
    ticks: Vec<(f64, String)>,
}

impl Line {
    fn new(scale: Scale, places: impl Iterator<Item = f64>) -> Self {
        let range = scale.range(places);
        let ticks = scale.ticks(&range);
        Self { range, ticks }
    }
}

impl Ranged for Line {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    #[allow(clippy::cast_possible_truncation, reason = "a pixel")]
    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let part = (value - self.range.start) / (self.range.end - self.range.start);
        limit.0 + (f64::from(limit.1 - limit.0) * part).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|tick| tick.0).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Line {
    fn format(value: &f64) -> String {
        value.to_string()
    }

    fn format_ext(&self, value: &f64) -> String {
        let own = self.ticks.iter().find(|(place, _)| (place - value).abs() < 1e-9);
        own.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// The picture as SVG.
pub(super) fn svg(picture: &Picture) -> Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let area = root.titled(picture.title, ("sans-serif", 24))?;
        let area = area.titled(&picture.machines, ("sans-serif", 14))?;
        chart(&area, picture)?;
        root.present()?;
    }
    Ok(svg)
}

fn chart(area: &Area, picture: &Picture) -> Result<()> {
    let (x, y) = (picture.x.scale, picture.y.scale);
    let points = || picture.curves.iter().flat_map(|curve| &curve.points);
    let x_line = Line::new(x, points().map(|point| x.place(point.0)));
    let y_line = Line::new(y, points().map(|point| y.place(point.1)));
    let mut builder = ChartBuilder::on(area);
    builder.margin(12).margin_right(28).x_label_area_size(48).y_label_area_size(84);
    let mut chart: Chart = builder.build_cartesian_2d(x_line, y_line)?;
    let mut mesh = chart.configure_mesh();
    mesh.x_desc(picture.x.label).y_desc(picture.y.label);
    mesh.axis_desc_style(("sans-serif", 15)).label_style(("sans-serif", 13)).bold_line_style(GRID).draw()?;
    for curve in &picture.curves {
        let placed = curve.points.iter().map(|point| (x.place(point.0), y.place(point.1))).collect();
        draw(&mut chart, curve, placed)?;
    }
    let position = match picture.legend {
        Corner::UpperLeft => SeriesLabelPosition::UpperLeft,
        Corner::LowerLeft => SeriesLabelPosition::LowerLeft,
        Corner::LowerRight => SeriesLabelPosition::LowerRight,
    };
    let mut legend = chart.configure_series_labels();
    legend.position(position).background_style(WHITE.mix(0.85)).border_style(GRID).label_font(("sans-serif", 13));
    legend.draw()?;
    Ok(())
}

fn draw(chart: &mut Chart, curve: &Curve, points: Vec<(f64, f64)>) -> Result<()> {
    let colour = COLOURS[curve.colour % COLOURS.len()];
    let dots = points.iter().map(|point| Circle::new(*point, 3, colour.filled())).collect::<Vec<_>>();
    let label = match curve.stroke {
        Stroke::Solid => {
            let label = chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
            label.legend(move |at| PathElement::new(sample(at), colour.stroke_width(2)))
        }
        Stroke::Dashed => {
            let label = chart.draw_series(DashedLineSeries::new(points, 8, 5, colour.stroke_width(2)))?;
            label.legend(move |at| DashedPathElement::new(sample(at), 6, 4, colour.stroke_width(2)))
        }
        Stroke::Plain => {
            let label = chart.draw_series(LineSeries::new(points, colour.stroke_width(1)))?;
            label.legend(move |at| PathElement::new(sample(at), colour.stroke_width(1)))
        }
    };
    label.label(&curve.label);
    if curve.stroke != Stroke::Plain {
        chart.draw_series(dots)?;
    }
    Ok(())
}

/// The piece of a curve that stands in the legend.
fn sample((x, y): (i32, i32)) -> Vec<(i32, i32)> {
    vec![(x, y), (x + 22, y)]
}
