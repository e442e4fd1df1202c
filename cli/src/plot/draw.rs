//! From curves to SVG, in which text stays text, or to PNG.

use super::axis::Scale;
use super::curves::{Corner, Curve, Picture, Stroke};
use super::font;
use anyhow::{Context, Result};
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

type Chart<'a, B> = ChartContext<'a, B, Cartesian2d<Line, Line>>;

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
pub(super) fn svg(picture: &Picture) -> Result<Vec<u8>> {
    let mut svg = String::new();
    whole(SVGBackend::with_string(&mut svg, SIZE), picture)?;
    Ok(svg.into_bytes())
}

/// The picture as PNG.
pub(super) fn png(picture: &Picture) -> Result<Vec<u8>> {
    let mut pixels = vec![0; (SIZE.0 * SIZE.1 * 3) as usize];
    whole(BitMapBackend::with_buffer(&mut pixels, SIZE), picture)?;
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, SIZE.0, SIZE.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels)).context("PNG")?;
    Ok(file)
}

/// Draws it on something.
fn whole<B: DrawingBackend>(on: B, picture: &Picture) -> Result<()>
where
    B::ErrorType: 'static,
{
    font::register()?;
    let root = on.into_drawing_area();
    root.fill(&WHITE)?;
    let area = root.titled(picture.title, (font::NAME, 24))?;
    let area = area.titled(&picture.machines, (font::NAME, 14))?;
    chart(&area, picture)?;
    root.present()?;
    Ok(())
}

fn chart<B: DrawingBackend>(area: &DrawingArea<B, Shift>, picture: &Picture) -> Result<()>
where
    B::ErrorType: 'static,
{
    let (x, y) = (picture.x.scale, picture.y.scale);
    let points = || picture.curves.iter().flat_map(Curve::all);
    let x_line = Line::new(x, points().map(|point| x.place(point.0)));
    let y_line = Line::new(y, points().map(|point| y.place(point.1)));
    let mut builder = ChartBuilder::on(area);
    builder.margin(12).margin_right(28).x_label_area_size(48).y_label_area_size(84);
    let mut chart: Chart<B> = builder.build_cartesian_2d(x_line, y_line)?;
    let mut mesh = chart.configure_mesh();
    mesh.x_desc(picture.x.label).y_desc(picture.y.label);
    mesh.axis_desc_style((font::NAME, 15)).label_style((font::NAME, 14)).bold_line_style(GRID).draw()?;
    // Bands lie behind all curves.
    for curve in picture.curves.iter().filter(|curve| !curve.band.is_empty()) {
        let low = curve.band.iter().map(|(at, low, _)| (x.place(*at), y.place(*low)));
        let high = curve.band.iter().rev().map(|(at, _, high)| (x.place(*at), y.place(*high)));
        let around: Vec<_> = low.chain(high).collect();
        chart.draw_series([Polygon::new(around, colour(curve).mix(0.2))])?;
    }
    for curve in &picture.curves {
        let placed = curve.points.iter().map(|point| (x.place(point.0), y.place(point.1))).collect();
        draw(&mut chart, curve, placed)?;
    }
    let position = match picture.legend {
        Corner::UpperLeft => SeriesLabelPosition::UpperLeft,
        Corner::UpperRight => SeriesLabelPosition::UpperRight,
        Corner::LowerLeft => SeriesLabelPosition::LowerLeft,
        Corner::LowerRight => SeriesLabelPosition::LowerRight,
    };
    let mut legend = chart.configure_series_labels();
    legend.position(position).background_style(WHITE.mix(0.85)).border_style(GRID).label_font((font::NAME, 13));
    legend.draw()?;
    Ok(())
}

fn colour(curve: &Curve) -> RGBColor {
    COLOURS[curve.colour % COLOURS.len()]
}

fn draw<B: DrawingBackend>(chart: &mut Chart<B>, curve: &Curve, points: Vec<(f64, f64)>) -> Result<()>
where
    B::ErrorType: 'static,
{
    let colour = colour(curve);
    let dots = points.iter().map(|point| Circle::new(*point, 3, colour.filled())).collect::<Vec<_>>();
    let label = match curve.stroke {
        Stroke::Solid | Stroke::Fine => {
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
    if matches!(curve.stroke, Stroke::Solid | Stroke::Dashed) {
        chart.draw_series(dots)?;
    }
    Ok(())
}

/// The piece of a curve that stands in the legend.
fn sample((x, y): (i32, i32)) -> Vec<(i32, i32)> {
    vec![(x, y), (x + 22, y)]
}
