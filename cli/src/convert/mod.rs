//! `perigee convert`: files of streams from those of other generators, and rules of a firewall from those of nftables.
//!
//! TRex's STL profiles in YAML (`trex.rs`, over `yaml.rs`) and the flow files of moongen-simple (`moongen.rs`, over `lua.rs`). What is
//! read is data: no Lua and no Python runs. What has no counterpart is refused with its line; what has none but does not change the
//! packets is told. `written.rs` is what comes out. `nft/` is for rule
//! sets, from which other things come.

mod lua;
mod moongen;
mod nft;
mod ranges;
mod trex;
mod vm;
mod written;
mod yaml;

use crate::output;
use anyhow::{Context, Result, bail};
use perigee_runtime::config::{ConfigError, Located, Severity};
use std::path::Path;
use std::process::ExitCode;
use written::Stream;

/// Why a file cannot be converted.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    /// The line, from 1.
    line: usize,
    what: String,
}

impl Refused {
    fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

/// What came of a file.
#[derive(Debug, Default)]
struct Converted {
    streams: Vec<Stream>,
    /// What is not as it was, with its line.
    told: Vec<Refused>,
}

impl Converted {
    fn tell(&mut self, line: usize, what: impl Into<String>) {
        self.told.push(Refused::new(line, what));
    }
}

/// `perigee convert`.
pub(crate) fn convert(file: &Path, to: Option<&Path>) -> Result<ExitCode> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    if file.extension().is_some_and(|end| end == "json") {
        return ruleset(&text, file, to);
    }
    let base = file.parent().unwrap_or(Path::new(""));
    let read = match file.extension().and_then(|end| end.to_str()) {
        Some("yaml" | "yml") => trex::convert(&text, base),
        Some("lua") => moongen::convert(&text),
        _ => bail!(
            "{}: the name's end says what it is: .yaml for a profile of TRex, .lua for flows of moongen-simple, \
             .json for a rule set of nftables (`nft -j list ruleset`)",
            file.display()
        ),
    };
    let name = file.display().to_string();
    let located = |said: Refused, severity| Located {
        file: name.clone(),
        line: Some(said.line),
        column: None,
        message: said.what,
        excerpt: String::new(),
        severity,
    };
    let converted = read.map_err(|refused| ConfigError { problems: vec![located(refused, Severity::Error)] })?;
    for said in converted.told {
        output::line(&located(said, Severity::Warning).to_string());
    }
    write(&written::text(&file.file_name().unwrap_or_default().to_string_lossy(), &converted.streams), to)
}

/// A rule set of nftables.
fn ruleset(text: &str, file: &Path, to: Option<&Path>) -> Result<ExitCode> {
    let converted = nft::convert(text).map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
    for said in converted.told {
        output::line(&format!("{}: {said}", file.display()));
    }
    write(&converted.text, to)
}

/// Writes what came out.
fn write(text: &str, to: Option<&Path>) -> Result<ExitCode> {
    match to {
        Some(to) => std::fs::write(to, text).with_context(|| format!("cannot write {}", to.display()))?,
        None => output::result(text)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod test;
