//! How things look on this terminal: with or without colours, with blocks or with letters.

use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthChar;

/// Heights of a bar, from nothing to all.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The same for terminals that know no more.
const LETTERS: [char; 9] = [' ', '.', '.', ':', '-', '=', '+', '*', '#'];

/// How bad a row or a word is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it should be.
    #[default]
    Plain,
    /// It does nothing just now.
    Faint,
    /// Somebody should look.
    Warn,
    /// Something has failed.
    Bad,
}

/// What this terminal can show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    has_color: bool,
    has_blocks: bool,
}

impl Look {
    /// As the environment says: NO_COLOR (<https://no-color.org>), and whether texts are UTF-8.
    pub(super) fn of_environment() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        // The first of them that is there decides, as in setlocale(3).
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        Self {
            has_color: crate::output::wants_color(&std::io::stderr()),
            has_blocks: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }

    /// Everything, or as little as there may be: for tests.
    #[cfg(test)]
    pub(super) fn of(is_rich: bool) -> Self {
        Self { has_color: is_rich, has_blocks: is_rich }
    }

    /// The style of a text.
    pub(super) fn tone(self, tone: Tone) -> Style {
        let plain = Style::new();
        match (tone, self.has_color) {
            (Tone::Plain, _) => plain,
            (Tone::Faint, true) => plain.fg(Color::DarkGray),
            (Tone::Faint, false) => plain.add_modifier(Modifier::DIM),
            (Tone::Warn, true) => plain.fg(Color::Yellow),
            (Tone::Bad, true) => plain.fg(Color::Red).add_modifier(Modifier::BOLD),
            (Tone::Warn | Tone::Bad, false) => plain.add_modifier(Modifier::BOLD),
        }
    }

    /// The style of graphs, also in a chosen row: turned over, a high one would look low.
    pub(super) fn graph(self) -> Style {
        let style = Style::new().remove_modifier(Modifier::REVERSED);
        if self.has_color { style.fg(Color::Cyan) } else { style }
    }

    /// The style of heads.
    pub(super) fn head(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The style of what is chosen.
    pub(super) fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The last points of a series as bars, one character each, the highest one as high as a line; the newest stands right.
    pub(super) fn spark(self, points: &[u64], width: usize) -> String {
        let shown = &points[points.len().saturating_sub(width)..];
        let most = shown.iter().copied().max().unwrap_or(0);
        let bars = if self.has_blocks { BLOCKS } else { LETTERS };
        let height = |point: u64| {
            // Something is never shown as nothing.
            let eighths = (u128::from(point) * 8).div_ceil(u128::from(most.max(1)));
            bars[usize::try_from(eighths).unwrap_or(8).min(8)]
        };
        let blank = " ".repeat(width - shown.len());
        blank.chars().chain(shown.iter().map(|point| height(*point))).collect()
    }

    /// A part of a whole as a bar.
    pub(super) fn part(self, part: u64, whole: u64, width: usize) -> String {
        let full = u128::from(part.min(whole)) * u128::try_from(width).unwrap_or(0);
        let full = usize::try_from(full.div_ceil(u128::from(whole.max(1)))).unwrap_or(0);
        let bar = if self.has_blocks { '█' } else { '#' };
        let rest = if self.has_blocks { '░' } else { '.' };
        std::iter::repeat_n(bar, full).chain(std::iter::repeat_n(rest, width - full)).collect()
    }

    /// A text that takes at most so many columns, with a mark where it was cut.
    pub(super) fn cut(self, text: &str, width: usize) -> String {
        if columns(text) <= width {
            return text.to_owned();
        }
        let mut left = width.saturating_sub(1);
        let fits = |c: &char| {
            let wide = c.width().unwrap_or(0);
            let fits = wide <= left;
            left = if fits { left - wide } else { 0 };
            fits
        };
        let mut cut: String = text.chars().take_while(fits).collect();
        if width > 0 {
            cut.push(if self.has_blocks { '…' } else { '~' });
        }
        cut
    }
}

/// How many columns a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn bars_are_as_high_as_the_highest() {
        let look = Look::of(true);
        assert_eq!(look.spark(&[0, 1, 4, 8], 6), "   ▁▄█");
        assert_eq!(look.spark(&[9, 1, 4, 8], 2), "▄█");
        assert_eq!(look.spark(&[0, 0], 2), "  ");
        assert_eq!(look.spark(&[1, u64::MAX], 2), "▁█");
        assert_eq!(Look::of(false).spark(&[1, 8], 2), ".#");
        assert_eq!(
            (look.part(0, 0, 4), look.part(1, 100, 4), look.part(9, 9, 4)),
            ("░░░░".into(), "█░░░".into(), "████".into())
        );
    }

    #[test]
    fn a_text_is_cut_by_the_columns_that_it_takes() {
        let look = Look::of(true);
        assert_eq!(look.cut("abcdef", 6), "abcdef");
        assert_eq!(look.cut("abcdefg", 6), "abcde…");
        assert_eq!(look.cut("数数数", 6), "数数数");
        assert_eq!(look.cut("数数数数", 6), "数数…");
        assert_eq!(look.cut("数数数", 1), "…");
        assert_eq!(look.cut("abc", 0), "");
        assert_eq!(Look::of(false).cut("abc", 2), "a~");
    }
}
