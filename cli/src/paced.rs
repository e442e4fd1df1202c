//! When the packets of `perigee gen` leave, as its command line says it.

use anyhow::{Context, Result};
use clap::Args;
use perigee_runtime::config::stream::{Rate, Stream};

/// When the packets of `gen` leave.
#[derive(Args, Debug)]
pub(crate) struct PaceArgs {
    /// Packets per second (`1 Mpps`), bits per second of frames (`1 Gbit/s`) or on layer 1 (`1 Gbit/s l1`), or a part of the
    /// link (`25 %`). Default: as many as can be.
    #[arg(long, value_parser = Rate::parse)]
    pub(crate) rate: Option<Rate>,
    /// How packets follow each other: `constant`, `poisson`, or a pattern with its keys as TOML:
    /// `{ kind = "bursts", size = 32 }`.
    #[arg(long, value_name = "NAME|TOML", requires = "rate")]
    pub(crate) pattern: Option<String>,
    /// What becomes of the schedule when a packet is late: `catch-up`, `shift` or `drop`.
    #[arg(long, value_name = "POLICY", requires = "rate")]
    pub(crate) late: Option<String>,
    /// How many packets to send; then the run ends.
    #[arg(long, value_name = "PACKETS", requires = "rate")]
    pub(crate) count: Option<u64>,
}

/// A pattern as a command line has it.
pub(crate) fn pattern_of(text: &str) -> toml::Value {
    // A name alone is a text, and no TOML.
    text.parse::<toml::Value>().unwrap_or_else(|_| text.into())
}

/// The stream of `perigee gen`, where a rate is given: the one that a file would have.
pub(crate) fn stream(pace: &PaceArgs) -> Result<Option<Stream>> {
    let Some(rate) = pace.rate else { return Ok(None) };
    let mut table = toml::Table::new();
    let texts = [("name", "generate".to_owned()), ("chain", "generate".to_owned()), ("rate", rate.to_string())];
    table.extend(texts.map(|(key, text)| (key.to_owned(), text.into())));
    if let Some(pattern) = &pace.pattern {
        table.insert("pattern".to_owned(), pattern_of(pattern));
    }
    table.extend(pace.late.iter().map(|late| ("late".to_owned(), late.as_str().into())));
    if let Some(count) = pace.count {
        table.insert("count".to_owned(), i64::try_from(count).context("--count is too large")?.into());
    }
    let stream = table.try_into::<Stream>();
    Ok(Some(stream.map_err(|error| anyhow::anyhow!("--rate, --pattern, --late: {}", error.message()))?))
}
