//! Log lines of modules: on their way to the control thread, and those that were the last before a failure.

use crossbeam_queue::ArrayQueue;
use perigee_abi::names;
use perigee_config::secret::Secrets;
use perigee_report::text;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Log lines of modules on their way to the control thread. Bounded: what does not fit is counted.
#[derive(Debug)]
pub struct LogQueue {
    lines: ArrayQueue<LogLine>,
    lost: AtomicU64,
}

/// One line, in place: the data path allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct LogLine {
    level: i32,
    len: u8,
    text: [u8; names::LOG_MAX],
}

impl LogLine {
    /// A line, cut to what fits.
    pub fn new(level: i32, line: &[u8]) -> Self {
        let mut text = [0; names::LOG_MAX];
        let n = line.len().min(text.len());
        text[..n].copy_from_slice(&line[..n]);
        Self { level, len: u8::try_from(n).unwrap_or(u8::MAX), text }
    }

    /// The same line without what stands in it of secrets.
    pub(super) fn without(mut self, secrets: &Secrets) -> Self {
        secrets.hide(&mut self.text[..usize::from(self.len)]);
        self
    }

    /// Its words, as they can be shown.
    pub fn words(&self) -> String {
        text::line_of_bytes(&self.text[..usize::from(self.len)], text::WORDS)
    }
}

/// Level and words.
impl std::fmt::Display for LogLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let level = match self.level {
            1 => "ERROR",
            2 => "WARN",
            3 => "INFO",
            4 => "DEBUG",
            _ => "TRACE",
        };
        write!(f, "{level:>5} {}", self.words())
    }
}

impl LogQueue {
    /// An empty queue.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { lines: ArrayQueue::new(256), lost: AtomicU64::new(0) })
    }

    /// Adds a line; one that finds the queue full is counted.
    pub fn push(&self, line: LogLine) {
        if self.lines.push(line).is_err() {
            self.lose();
        }
    }

    /// Counts a line that does not come.
    pub(super) fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Lines lost so far.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Takes the oldest line, with its level.
    pub fn pop(&self) -> Option<(i32, String)> {
        let line = self.lines.pop()?;
        Some((line.level, line.words()))
    }
}

/// Hands a line of a module to the host's log.
pub fn emit(module: &str, level: i32, line: &str) {
    match level {
        1 => tracing::error!(module, "{line}"),
        2 => tracing::warn!(module, "{line}"),
        3 => tracing::info!(module, "{line}"),
        4 => tracing::debug!(module, "{line}"),
        _ => tracing::trace!(module, "{line}"),
    }
}

/// Lines that are kept beside an instance.
const LAST: usize = 16;

/// The last lines of one instance.
#[derive(Debug)]
pub(super) struct LastLines {
    /// With room for all from the start: the data path allocates nothing.
    lines: Vec<LogLine>,
    /// Where the oldest stands, once all places are taken.
    oldest: usize,
}

impl Default for LastLines {
    fn default() -> Self {
        Self { lines: Vec::with_capacity(LAST), oldest: 0 }
    }
}

impl LastLines {
    /// Adds a line; the oldest makes room for it.
    pub(super) fn add(&mut self, line: LogLine) {
        if self.lines.len() < LAST {
            self.lines.push(line);
        } else {
            self.lines[self.oldest] = line;
            self.oldest = (self.oldest + 1) % LAST;
        }
    }

    /// The oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = LogLine> + '_ {
        let (newer, older) = self.lines.split_at(self.oldest);
        older.iter().chain(newer).copied()
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_in_their_order() {
        for written in [0, 1, LAST - 1, LAST, LAST + 1, 2 * LAST, 5 * LAST + 3] {
            let mut last = LastLines::default();
            (0..written).for_each(|i| last.add(LogLine::new(3, i.to_string().as_bytes())));
            let words: Vec<_> = last.iter().map(|line| line.words()).collect();
            let expected: Vec<_> = (written.saturating_sub(LAST)..written).map(|i| i.to_string()).collect();
            assert_eq!(words, expected);
        }
    }

    #[test]
    fn a_line_is_cut_and_harmless() {
        let queue = LogQueue::new();
        queue.push(LogLine::new(2, &[b'x'; 1_000]));
        queue.push(LogLine::new(1, "a\nERROR \u{1b}[2J\u{9b}\u{202e}\u{2028}b".as_bytes()));
        assert_eq!(queue.pop(), Some((2, "x".repeat(names::LOG_MAX))));
        let clean = "a\\nERROR \u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}b";
        assert_eq!(queue.pop(), Some((1, clean.to_owned())));
    }
}
