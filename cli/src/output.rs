//! Where text goes: results to standard output, all else to standard error.

use crate::args::JsonOption;
use anyhow::{Context, Result};
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// Tells an error, marked as one.
pub(crate) fn error(text: &str) {
    marked("error", "31", text);
}

/// Tells a warning, marked as one.
pub(crate) fn warning(text: &str) {
    marked("warning", "33", text);
}

/// Tells a line as it is.
pub(crate) fn line(text: &str) {
    crate::live::print_above(&format!("{text}\n"));
}

fn marked(kind: &str, color: &str, text: &str) {
    let text = if wants_color(&std::io::stderr()) {
        format!("\x1b[1;{color}m{kind}:\x1b[0m {text}\n")
    } else {
        format!("{kind}: {text}\n")
    };
    crate::live::print_above(&text);
}

/// Whether a stream shows colors: a terminal, and nobody has asked for none (<https://no-color.org>).
pub(crate) fn wants_color(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes a result to standard output; a reader that has gone (`| head`) is no error.
pub(crate) fn result(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output"),
    }
}

/// Writes a value as JSON where it was asked for, then returns whether standard output is still free for text.
pub(crate) fn json(value: &impl Serialize, option: &JsonOption) -> Result<bool> {
    let Some(file) = &option.file else { return Ok(true) };
    let mut text = serde_json::to_string_pretty(value).context("JSON")?;
    text.push('\n');
    if option.is_stdout() {
        result(&text)?;
        return Ok(false);
    }
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(true)
}
