//! Where text goes: results to standard output, all else to standard error.

use crate::args::JsonOption;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

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
    Json::open(option)?.write(value)
}

/// Where JSON goes, opened before there is any: a file that cannot be written is known at once.
pub(crate) enum Json {
    /// Nobody asked for it.
    Nowhere,
    /// Standard output, in place of text.
    Stdout,
    /// A file, its old content still in it.
    File(File, PathBuf),
}

impl Json {
    /// Opens what was asked for.
    pub(crate) fn open(option: &JsonOption) -> Result<Self> {
        let Some(path) = &option.file else { return Ok(Self::Nowhere) };
        if option.is_stdout() {
            return Ok(Self::Stdout);
        }
        let file = File::options().create(true).truncate(false).write(true).open(path);
        Ok(Self::File(file.with_context(|| format!("cannot write {}", path.display()))?, path.clone()))
    }

    /// Writes a value, then returns whether standard output is still free for text.
    pub(crate) fn write(self, value: &impl Serialize) -> Result<bool> {
        if matches!(self, Self::Nowhere) {
            return Ok(true);
        }
        let mut text = serde_json::to_string_pretty(value).context("JSON")?;
        text.push('\n');
        let Self::File(mut file, path) = self else { return result(&text).map(|()| false) };
        let is_plain = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let emptied = if is_plain { file.set_len(0) } else { Ok(()) };
        let written = emptied.and_then(|()| file.write_all(text.as_bytes()));
        written.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(true)
    }
}
