//! One picture of what is known.

use super::grid::{self, Row};
use super::look::{Look, Tone, columns};
use super::model::Model;
use super::pages::{Details, PAGES};
use super::ui::{Over, Place, Ui};
use perigee_runtime::text;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use std::time::Instant;

/// Least size that says anything.
const LEAST: (u16, u16) = (30, 6);
/// Lines of the log below the page, and from which height on.
const LOG: (u16, u16) = (4, 16);
/// Columns for names of figures in details.
const NAMES: usize = 28;

/// The keys, and what they do.
const KEYS: [(&str, &str); 14] = [
    ("1 to 6", "ports, chains, modules, rings and pools, streams, drops"),
    ("Tab, arrows", "next page, page before; rows up and down (also j, k)"),
    ("PgUp, PgDn", "as many rows as are seen; Home, End: the first, the last"),
    ("Enter", "all figures of the chosen row; Esc: back"),
    ("r", "streams: another rate, as 1.5 Mpps, 1 Gbit/s, 25 %"),
    ("p", "streams: pause, or go on"),
    ("s", "modules: another file takes the module's place"),
    ("m", "modules: send a message"),
    ("c", "ports, chains: capture into a file; again: end it"),
    ("x", "stop the run, after a question"),
    ("l", "lines of the log, and whole answers"),
    ("Ctrl-L", "draw the screen anew"),
    ("q", "leave; the run goes on"),
    ("Ctrl-C", "leave; of a run with --view: stop it"),
];

/// Draws it all.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, ui: &mut Ui, now: Instant) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let (width, height) = LEAST;
        line(frame, area, &format!("too small: {width}x{height}"), Style::new());
        return;
    }
    let lines = if area.height >= LOG.1 && ui.over != Over::Log { ui.lines.len().min(LOG.0.into()) } else { 0 };
    let one = Constraint::Length(1);
    let parts = Layout::vertical([
        one,
        one,
        Constraint::Fill(1),
        Constraint::Length(u16::try_from(lines).unwrap_or(LOG.0)),
        one,
    ]);
    let [head, tabs, body, log, foot] = parts.areas(area);
    title(frame, head, model, ui.look, now);
    pages(frame, tabs, ui);
    ui.height = usize::from(body.height.saturating_sub(1)).max(1);
    match ui.over {
        Over::Nothing => page(frame, body, model, ui),
        Over::Details => details(frame, body, model, ui),
        Over::Help => {
            let keys = KEYS.map(|(key, what)| (key.to_owned(), what.to_owned()));
            pairs(frame, body, "keys", &keys, 12, ui);
        }
        Over::Log => whole_log(frame, body, ui),
    }
    let newest = ui.lines.iter().rev().take(log.height.into()).rev();
    for (text, y) in newest.zip(log.y..) {
        line(frame, Rect { y, height: 1, ..log }, &shown(text), ui.look.tone(Tone::Faint));
    }
    bottom(frame, foot, ui);
}

/// Which run, and whether its figures can be believed.
fn title(frame: &mut Frame<'_>, area: Rect, model: &Model, look: Look, now: Instant) {
    let warning = model.warning(now);
    let text = match &warning {
        Some(warning) => format!("{}  !! {warning}", model.title()),
        None => model.title(),
    };
    let style = if warning.is_some() { look.tone(Tone::Bad) } else { Style::new() };
    line(frame, area, &look.cut(&format!("perigee  {text}"), area.width.into()), style.patch(look.chosen()));
    frame.buffer_mut().set_style(area, look.chosen());
}

/// The pages with their keys; where there is no place for all names, that of the page that is seen.
fn pages(frame: &mut Frame<'_>, area: Rect, ui: &Ui) {
    let name = |at: usize, is_whole: bool| match is_whole || at == ui.page {
        true => format!(" {} {} ", at + 1, PAGES[at].title()),
        false => format!(" {} ", at + 1),
    };
    let whole: usize = (0..PAGES.len()).map(|at| name(at, true).len()).sum();
    let mut x = area.x;
    for at in 0..PAGES.len() {
        let style = if at == ui.page { ui.look.chosen() } else { Style::new() };
        let left = area.right().saturating_sub(x);
        if left > 0 {
            let text = name(at, whole <= area.width.into());
            x = frame.buffer_mut().set_stringn(x, area.y, text, left.into(), style).0;
        }
    }
}

/// The rows of the page that are seen.
fn page(frame: &mut Frame<'_>, area: Rect, model: &Model, ui: &mut Ui) {
    let page = PAGES[ui.page];
    let (len, height) = (page.len(model), ui.height);
    let place = keep(ui.places[ui.page], len, height);
    ui.places[ui.page] = place;
    if len == 0 {
        line(frame, area, page.empty(), ui.look.tone(Tone::Faint));
        return;
    }
    let rows: Vec<Row<'_>> = (place.top..len.min(place.top + height)).map(|at| page.row(model, at)).collect();
    grid::draw(frame, area, ui.look, (page.first(), page.columns()), &rows, place.row - place.top);
}

/// A place within what is there, that shows the chosen row.
fn keep(place: Place, len: usize, height: usize) -> Place {
    let row = place.row.min(len.saturating_sub(1));
    let top = place.top.min(row).max((row + 1).saturating_sub(height)).min(len.saturating_sub(height));
    Place { row, top }
}

/// All figures of the chosen row.
fn details(frame: &mut Frame<'_>, area: Rect, model: &Model, ui: &mut Ui) {
    let page = PAGES[ui.page];
    let len = page.len(model);
    let Some(at) = len.checked_sub(1).map(|last| ui.places[ui.page].row.min(last)) else {
        ui.over = Over::Nothing;
        return;
    };
    let head = format!("{} {}", page.first(), page.row(model, at).name);
    let Details(told) = page.details(model, at);
    let width = told.iter().map(|(name, _)| columns(name)).max().unwrap_or(0).min(NAMES);
    pairs(frame, area, &head, &told, width.min(usize::from(area.width) / 2), ui);
}

/// Names and texts beside each other, long texts on several lines.
fn pairs(frame: &mut Frame<'_>, area: Rect, head: &str, pairs: &[(String, String)], names: usize, ui: &mut Ui) {
    line(frame, area, &ui.look.cut(head, area.width.into()), ui.look.head());
    let width = usize::from(area.width).saturating_sub(names + 2).max(1);
    let mut lines = Vec::new();
    for (name, text) in pairs {
        for (number, part) in wrap(text, width).into_iter().enumerate() {
            lines.push((if number == 0 { name.as_str() } else { "" }, part));
        }
    }
    ui.scroll = ui.scroll.min(lines.len().saturating_sub(ui.height));
    for ((name, text), y) in lines.iter().skip(ui.scroll).zip(area.y + 1..area.bottom()) {
        let row = Rect { y, height: 1, ..area };
        line(frame, row, &ui.look.cut(name, names), ui.look.tone(Tone::Faint));
        let x = area.x + u16::try_from(names).unwrap_or(u16::MAX) + 2;
        line(frame, Rect { x, width: area.right().saturating_sub(x), ..row }, text, Style::new());
    }
}

/// A text in parts that take at most so many columns.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let (mut parts, mut part, mut wide) = (Vec::new(), String::new(), 0);
    for c in text.chars() {
        let columns = columns(c.encode_utf8(&mut [0; 4]));
        if wide + columns > width && !part.is_empty() {
            parts.push(std::mem::take(&mut part));
            wide = 0;
        }
        part.push(c);
        wide += columns;
    }
    parts.push(part);
    parts
}

/// The log in place of the page, its newest lines below.
fn whole_log(frame: &mut Frame<'_>, area: Rect, ui: &mut Ui) {
    line(frame, area, "log and answers", ui.look.head());
    ui.scroll = ui.scroll.min(ui.lines.len().saturating_sub(ui.height));
    let last = ui.lines.len() - ui.scroll;
    let first = last.saturating_sub(ui.height);
    for (text, y) in ui.lines.range(first..last).zip(area.y + 1..area.bottom()) {
        line(frame, Rect { y, height: 1, ..area }, &shown(text), Style::new());
    }
}

/// The question, what became of the last wish, or which keys there are.
fn bottom(frame: &mut Frame<'_>, area: Rect, ui: &Ui) {
    let Some(prompt) = &ui.prompt else {
        let (text, style) = match &ui.status {
            (text, _) if text.is_empty() => ("? keys  Enter details  q leave", ui.look.tone(Tone::Faint)),
            (text, tone) => (text.as_str(), ui.look.tone(*tone)),
        };
        line(frame, area, &ui.look.cut(text, area.width.into()), style);
        return;
    };
    let question = text::line(&prompt.asked.question(), text::WORDS);
    let question = ui.look.cut(&question, usize::from(area.width) * 2 / 3);
    // Of a long answer its end is seen, where it grows.
    let left = usize::from(area.width).saturating_sub(columns(&question) + 1);
    let mut answer = text::line(&prompt.text, prompt.text.len());
    while columns(&answer) > left {
        answer.remove(0);
    }
    let text = question + &answer;
    line(frame, area, &text, ui.look.head());
    frame.set_cursor_position((area.x + u16::try_from(columns(&text)).unwrap_or(0), area.y));
}

/// A line of the run's log: colours of its own are left away, and all else that a terminal would obey.
fn shown(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain += before;
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        rest = rest.strip_prefix('m').unwrap_or(rest);
    }
    plain += rest;
    text::line(&plain, text::WORDS)
}

/// One line of text.
fn line(frame: &mut Frame<'_>, area: Rect, text: &str, style: Style) {
    if !area.is_empty() {
        frame.buffer_mut().set_stringn(area.x, area.y, text, area.width.into(), style);
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_chosen_row_is_seen_and_no_line_is_left_empty() {
        let keep = |row, top, len, height| {
            let place = keep(Place { row, top }, len, height);
            (place.row, place.top)
        };
        assert_eq!(keep(0, 0, 0, 5), (0, 0));
        assert_eq!(keep(7, 0, 10, 5), (7, 3));
        assert_eq!(keep(2, 4, 10, 5), (2, 2));
        assert_eq!(keep(usize::MAX - 1, 0, 10, 5), (9, 5));
        assert_eq!(keep(9, 9, 10, 5), (9, 5));
    }

    #[test]
    fn a_line_of_the_log_has_no_colours_and_nothing_that_is_obeyed() {
        assert_eq!(shown("\x1b[2m12:00\x1b[0m \x1b[33m WARN\x1b[0m x"), "12:00  WARN x");
        assert_eq!(shown("a\x1b[2Jb\rc\x07"), "aJb\u{fffd}c\u{fffd}");
        assert_eq!(shown("\x1b]0;x"), "\u{fffd}]0;x");
    }

    #[test]
    fn long_texts_go_on_in_the_next_line() {
        assert_eq!(wrap("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(wrap("数数数", 4), ["数数", "数"]);
        assert_eq!((wrap("", 4), wrap("数", 1)), (vec![String::new()], vec!["数".to_owned()]));
    }
}
