//! Rows in columns, as many as fit. Only rows that are seen are made.

use super::look::{Look, Tone, columns};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// A column after the name, or with no width a graph, which takes what the others leave.
pub(super) struct Column {
    /// What stands above it.
    pub(super) head: &'static str,
    /// How wide it is.
    pub(super) width: usize,
    /// Text stands left, numbers right.
    pub(super) is_text: bool,
}

/// A column of numbers.
pub(super) const fn number(head: &'static str, width: usize) -> Column {
    Column { head, width, is_text: false }
}

/// A column of text.
pub(super) const fn words(head: &'static str, width: usize) -> Column {
    Column { head, width, is_text: true }
}

/// A column with a graph.
pub(super) const fn graph(head: &'static str) -> Column {
    Column { head, width: 0, is_text: true }
}

/// What is drawn in a row's graph.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Graph<'a> {
    /// Nothing.
    #[default]
    None,
    /// Points over time.
    Points(&'a [u64]),
    /// A part of a whole.
    Part(u64, u64),
}

/// A row.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    /// Its name, which may be anybody's text.
    pub(super) name: String,
    /// A cell for each column that is no graph.
    pub(super) cells: Vec<String>,
    /// What its graph shows.
    pub(super) graph: Graph<'a>,
    /// How it fares.
    pub(super) tone: Tone,
}

/// Least width of a graph and of a name, and the part of the line that a name takes at most.
const GRAPH: usize = 10;
const NAME: usize = 10;
const NAME_PART: usize = 3;

/// How wide the name's column and the others are; those that do not fit are left away, from the first such on.
fn fit(heads: &[Column], names: usize, width: usize) -> (usize, Vec<usize>) {
    let name = names.clamp(NAME, NAME.max(width / NAME_PART)).min(width);
    let (mut left, mut widths) = (width - name, Vec::new());
    for column in heads {
        let wide = if column.width == 0 { GRAPH } else { column.width };
        if left <= wide {
            break;
        }
        left -= wide + 1;
        widths.push(wide);
    }
    // What is left makes the graph longer, and where there is none the name.
    match heads.iter().zip(&mut widths).find(|(column, _)| column.width == 0) {
        Some((_, graph)) => *graph += left,
        None => return (name + left.min(names.saturating_sub(name)), widths),
    }
    (name, widths)
}

/// Draws a head and rows below it. `chosen` is counted from the first of `rows`.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    look: Look,
    (first, heads): (&str, &[Column]),
    rows: &[Row<'_>],
    chosen: usize,
) {
    let longest = rows.iter().map(|row| columns(&row.name)).max().unwrap_or(0);
    let (name, widths) = fit(heads, longest, area.width.into());
    let shown = || heads.iter().zip(&widths);
    let mut head = pad(look, first, name, true);
    for (column, width) in shown() {
        head.push(' ');
        head += &pad(look, column.head, *width, column.is_text);
    }
    frame.buffer_mut().set_stringn(area.x, area.y, &head, area.width.into(), look.head());
    for (at, (row, y)) in rows.iter().zip(area.y + 1..area.bottom()).enumerate() {
        if at == chosen {
            frame.buffer_mut().set_style(Rect { y, height: 1, ..area }, look.chosen());
        }
        let style = look.tone(row.tone);
        let mut x = put(frame, (area.x, y), &pad(look, &row.name, name, true), style, area);
        let mut cells = row.cells.iter();
        for (column, &width) in shown() {
            let (text, style) = match (column.width, row.graph) {
                (0, Graph::None) => (" ".repeat(width), style),
                (0, Graph::Points(points)) => (look.spark(points, width), look.graph()),
                (0, Graph::Part(part, whole)) => (look.part(part, whole, width), look.graph()),
                _ => (pad(look, cells.next().map_or("", String::as_str), width, column.is_text), style),
            };
            x = put(frame, (x + 1, y), &text, style, area);
        }
    }
}

/// Puts a text on a line, as much of it as the area has place for; where the next one begins.
fn put(frame: &mut Frame<'_>, (x, y): (u16, u16), text: &str, style: Style, area: Rect) -> u16 {
    let place = area.right().saturating_sub(x);
    if place == 0 {
        return x;
    }
    frame.buffer_mut().set_stringn(x, y, text, place.into(), style).0
}

/// A text in so many columns, cut or filled up.
fn pad(look: Look, text: &str, width: usize, is_text: bool) -> String {
    let text = look.cut(text, width);
    let blank = " ".repeat(width - columns(&text));
    if is_text { text + &blank } else { blank + &text }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn columns_that_do_not_fit_are_left_away() {
        let heads = [words("a", 4), number("b", 11), graph("g"), number("c", 13)];
        assert_eq!(fit(&heads, 3, 80), (10, vec![4, 11, 38, 13]));
        assert_eq!(fit(&heads, 3, 40), (10, vec![4, 11, 12]));
        assert_eq!(fit(&heads, 3, 20), (10, vec![4]));
        assert_eq!(fit(&heads, 200, 90), (30, vec![4, 11, 28, 13]));
        assert_eq!(fit(&heads, 200, 5), (5, vec![]));
        assert_eq!(fit(&heads[..1], 40, 50), (40, vec![4]));
    }
}
