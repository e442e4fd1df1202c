//! Standard error, on which a bar may stand: all other lines go above it.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often the bar moves: each time costs a core that polls packets some microseconds.
const BAR_HZ: u8 = 4;

/// The bar on the terminal, which every other line must go above of.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Shows a bar for something that takes so long.
pub(crate) fn show_bar(duration: Duration) {
    let length = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(BAR_HZ));
    let style = ProgressStyle::with_template("{wide_bar} {elapsed} of {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(humantime::format_duration(duration).to_string());
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
}

/// Moves the bar, where there is one.
pub(crate) fn move_bar(passed: Duration) {
    if let Some(bar) = BAR.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
        bar.set_position(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX));
    }
}

/// Takes the bar away.
pub(crate) fn hide_bar() {
    if let Some(bar) = BAR.lock().unwrap_or_else(PoisonError::into_inner).take() {
        bar.finish_and_clear();
    }
}

/// Writes to standard error, above the bar where there is one.
pub(crate) fn print_above(text: &str) {
    // There is nobody to tell that standard error is closed.
    let write = || drop(std::io::stderr().write_all(text.as_bytes()));
    match BAR.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Takes log lines to where they do not tear the bar.
pub(crate) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        print_above(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
