//! Metrics for Prometheus, as text: what [`Snapshot`] has, under names that stay the same.
//!
//! Series are as many as the configuration has ports, chains, streams, paths and instances, times constants. What modules name themselves
//! is bounded in number and length ([`families`]).

mod families;
mod measured;
mod page;

use super::wire::ControlStatus;
use page::Page;
use perigee_report::Snapshot;
use perigee_report::Swaps;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Registry;
use std::sync::Arc;

/// Which text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// OpenMetrics 1.0, which Prometheus asks for.
    OpenMetrics,
    /// Prometheus' own older format, version 0.0.4, which everything else reads.
    Classic,
}

impl Format {
    /// What a client wants that sends this `Accept`.
    pub(super) fn wanted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Classic }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// A moment to be told.
#[derive(Debug, Default)]
pub(super) struct Moment {
    pub(super) snapshot: Arc<Snapshot>,
    /// What the run is called.
    pub(super) name: String,
    pub(super) control: ControlStatus,
    pub(super) swaps: Arc<Swaps>,
}

impl Collector for Moment {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut page = Page::new(encoder);
        families::run(&mut page, &self.name, &self.snapshot)?;
        families::chains(&mut page, &self.snapshot.chains)?;
        families::phases(&mut page, &self.snapshot.chains)?;
        families::ports(&mut page, &self.snapshot)?;
        measured::streams(&mut page, &self.snapshot.streams)?;
        measured::probes(&mut page, &self.snapshot)?;
        measured::paths(&mut page, &self.snapshot.paths)?;
        measured::stages(&mut page, &self.snapshot.stage_times)?;
        families::modules(&mut page, &self.snapshot.modules)?;
        families::swaps(&mut page, &self.swaps)?;
        families::control(&mut page, self.control)
    }
}

/// All metrics of a moment.
pub(super) fn text(moment: Moment, format: Format) -> String {
    let mut registry = Registry::with_prefix("perigee");
    registry.register_collector(Box::new(moment));
    let mut text = String::new();
    // A string takes whatever is written to it.
    let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
    match format {
        Format::OpenMetrics => text,
        Format::Classic => classic(&text),
    }
}

/// The older format has the suffix of a counter in the family's name, other words for types, and no end mark.
fn classic(text: &str) -> String {
    let mut classic = String::with_capacity(text.len());
    let mut help = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some((family, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                _ => ("", kind),
            };
            classic.push_str(&format!("# HELP {family}{suffix} {help}\n# TYPE {family}{suffix} {kind}\n"));
        } else if !line.starts_with('#') {
            classic.push_str(line);
            classic.push('\n');
        }
    }
    classic
}

#[cfg(test)]
mod tests;
