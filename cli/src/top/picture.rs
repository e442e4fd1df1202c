//! The picture in docs/watching.md: the page of streams as the view draws it, of figures that a run gave (`picture.json`: what
//! `perigee ctl stats --json` said each second, without what the page does not show).
//!
//! `PERIGEE_BLESS=1 cargo test --release --workspace --bin perigee -- picture` draws it anew.

use super::draw::draw;
use super::look::Look;
use super::model::Model;
use super::pages::STREAMS;
use super::ui::Ui;
use perigee_runtime::Snapshot;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write;
use std::time::{Duration, Instant};

const SIZE: (u16, u16) = (96, 12);
/// A cell's width and height.
const CELL: (u32, u32) = (9, 18);
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/watching.svg");

/// The view of a run that was.
fn drawn() -> Buffer {
    let recorded: serde_json::Value = serde_json::from_str(include_str!("picture.json")).unwrap();
    let mut model = Model::new(Duration::from_secs(1));
    let at = Instant::now();
    model.status(&recorded["status"]);
    for snapshot in recorded["snapshots"].as_array().unwrap() {
        model.figures(serde_json::from_value::<Snapshot>(snapshot.clone()).unwrap(), at);
    }
    let mut ui = Ui::new(Look::of(true));
    ui.page = STREAMS;
    ui.told("stream bulk: running, 24 kpps", "stream bulk: running, 24 kpps", false);
    let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).unwrap();
    terminal.draw(|frame| draw(frame, &model, &mut ui, at)).unwrap();
    terminal.backend().buffer().clone()
}

/// What a cell's text and ground are coloured with.
fn colors(cell: &Cell) -> (&'static str, &'static str) {
    let text = match cell.fg {
        Color::Cyan => "#4ec9b0",
        Color::Yellow => "#e5c07b",
        Color::Red => "#f44747",
        Color::DarkGray => "#808080",
        _ => "#d4d4d4",
    };
    if cell.modifier.contains(Modifier::REVERSED) { ("#1e1e1e", text) } else { (text, "#1e1e1e") }
}

/// A buffer as SVG: runs of cells that look alike.
fn svg(buffer: &Buffer) -> String {
    let (width, height) = (u32::from(SIZE.0) * CELL.0, u32::from(SIZE.1) * CELL.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" font-size=\"15\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#1e1e1e\"/>\n"
    );
    for (y, line) in (0..).zip(buffer.content().chunks(SIZE.0.into())) {
        let mut x = 0;
        for alike in line.chunk_by(|a, b| (colors(a), a.modifier) == (colors(b), b.modifier)) {
            let text: String = alike.iter().map(Cell::symbol).collect();
            let wide = u32::try_from(alike.len()).unwrap() * CELL.0;
            let (color, ground) = colors(&alike[0]);
            let (left, top) = (x * CELL.0, y * CELL.1);
            if ground != "#1e1e1e" {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{}\" fill=\"{ground}\"/>",
                    CELL.1
                );
            }
            if !text.trim().is_empty() {
                let weight = if alike[0].modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
                let text = text.replace('&', "&amp;").replace('<', "&lt;");
                let _ = writeln!(
                    svg,
                    "<text x=\"{left}\" y=\"{}\" textLength=\"{wide}\" fill=\"{color}\"{weight} xml:space=\"preserve\">{text}</text>",
                    top + 14
                );
            }
            x += u32::try_from(alike.len()).unwrap();
        }
    }
    svg + "</svg>\n"
}

#[test]
fn the_picture_in_the_docs_is_what_the_view_draws() {
    let now = svg(&drawn());
    if std::env::var_os("PERIGEE_BLESS").is_some() {
        std::fs::write(FILE, &now).unwrap();
    }
    let there = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        there == now,
        "docs/watching.svg is not what the view draws: the head of picture.rs says how it is drawn anew"
    );
}
