//! Where text goes: results to standard output, all else to standard error.

use crate::terminal::print_above;
use anyhow::{Context, Result};
use clap::{Args, ValueHint};
use serde::Serialize;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

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
    print_above(&format!("{text}\n"));
}

fn marked(kind: &str, color: &str, text: &str) {
    let text = if wants_color(&std::io::stderr()) {
        format!("\x1b[1;{color}m{kind}:\x1b[0m {text}\n")
    } else {
        format!("{kind}: {text}\n")
    };
    print_above(&text);
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

/// Where to write JSON.
#[derive(Args, Debug, Default)]
pub(crate) struct JsonOption {
    /// Write the result as JSON to this file; `-` is standard output, in place of the text for people.
    #[arg(long = "json", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
}

impl JsonOption {
    /// Whether standard output belongs to the JSON text.
    pub(crate) fn is_stdout(&self) -> bool {
        self.file.as_deref().is_some_and(|file| file.as_os_str() == "-")
    }
}

/// A result that comes piece by piece, each of them written at once.
pub(crate) enum Growing {
    /// Standard output, until whoever reads it has gone.
    Stdout,
    /// A file, which was emptied.
    File(File, PathBuf),
}

impl Growing {
    /// Opens it, and makes or empties the file; `-` is standard output.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::Stdout);
        }
        let Output(file, path) = Output::open(path)?;
        if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            file.set_len(0).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(Self::File(file, path))
    }

    /// Writes the next piece.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Stdout => match std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush()) {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
                written => written.context("standard output"),
            },
            Self::File(file, path) => file.write_all(bytes).with_context(|| format!("cannot write {}", path.display())),
        }
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
    /// A file.
    File(Output),
}

impl Json {
    /// Opens what was asked for.
    pub(crate) fn open(option: &JsonOption) -> Result<Self> {
        let Some(path) = &option.file else { return Ok(Self::Nowhere) };
        if option.is_stdout() {
            return Ok(Self::Stdout);
        }
        Output::open(path).map(Self::File)
    }

    /// Writes a value, then returns whether standard output is still free for text.
    pub(crate) fn write(self, value: &impl Serialize) -> Result<bool> {
        if matches!(self, Self::Nowhere) {
            return Ok(true);
        }
        let mut text = serde_json::to_string_pretty(value).context("JSON")?;
        text.push('\n');
        let Self::File(file) = self else { return result(&text).map(|()| false) };
        file.write(text.as_bytes()).map(|()| true)
    }
}

/// A file that a result goes to, its old content still in it: the jail lets nobody open one later.
pub(crate) struct Output(File, PathBuf);

impl Output {
    /// Opens it, and makes it where it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::options().create(true).truncate(false).write(true).open(path);
        Ok(Self(file.with_context(|| format!("cannot write {}", path.display()))?, path.to_owned()))
    }

    /// Puts the result in the place of what is there.
    pub(crate) fn write(mut self, bytes: &[u8]) -> Result<()> {
        let is_plain = self.0.metadata().is_ok_and(|metadata| metadata.is_file());
        let emptied = if is_plain { self.0.set_len(0) } else { Ok(()) };
        let written = emptied.and_then(|()| self.0.write_all(bytes));
        written.with_context(|| format!("cannot write {}", self.1.display()))
    }
}
