//! Latencies of intervals as a log of HdrHistogram (V2, compressed), which the tools of that name read in any language.

use crate::output::Growing;
use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use perigee_runtime::{Latency, Times};
use std::time::{Duration, SystemTime};

/// The log.
pub(super) struct HdrLog {
    file: Growing,
    serializer: V2DeflateSerializer,
    /// By tag, all that was counted up to the end of the last interval.
    before: Vec<(String, Histogram<u64>)>,
}

impl HdrLog {
    /// Writes when the run has begun: times of intervals count from there.
    pub(super) fn begin(mut file: Growing, begun: SystemTime) -> Result<Self> {
        let (mut head, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
        let mut builder = IntervalLogWriterBuilder::new();
        let about = "[Latencies in nanoseconds, by perigee; tags are streams and paths, NAME.intended is from intended departure]";
        builder.add_comment(about).add_comment("[Histogram log format version 1.3]");
        builder.with_start_time(begun).with_base_time(begun).begin_log_with(&mut head, &mut serializer)?;
        head.extend(b"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n");
        file.add(&head)?;
        Ok(Self { file, serializer, before: Vec::new() })
    }

    /// Writes what has come between two moments.
    pub(super) fn add(&mut self, latencies: &[Latency], from_ns: u64, to_ns: u64) -> Result<()> {
        let (from, to) = (Duration::from_nanos(from_ns), Duration::from_nanos(to_ns));
        let mut lines = Vec::new();
        let mut log = IntervalLogWriterBuilder::new().begin_log_with(&mut lines, &mut self.serializer)?;
        for (tag, times) in latencies.iter().flat_map(tagged) {
            let known = self.before.iter().position(|(known, _)| *known == tag);
            let mut interval = times.histogram().clone();
            if let Some(known) = known {
                // Counts only grow, so there is always as much to subtract from.
                interval.subtract(&self.before[known].1).with_context(|| format!("the histogram of {tag}"))?;
                self.before[known].1 = times.histogram().clone();
            } else {
                self.before.push((tag.clone(), times.histogram().clone()));
            }
            let written = log.write_histogram(&interval, from, to.saturating_sub(from), Tag::new(&tag));
            written.map_err(|error| anyhow::anyhow!("the histogram of {tag}: {error}"))?;
        }
        drop(log);
        self.file.add(&lines)
    }
}

/// What is told of a stream or a path, by tags, in which commas and blanks cannot be.
fn tagged(latency: &Latency) -> impl Iterator<Item = (String, &Times)> {
    let name = latency.name.replace(|c: char| c == ',' || c.is_whitespace() || c.is_control(), "_");
    let intended = latency.intended.as_ref().map(|times| (format!("{name}.intended"), times));
    std::iter::once((name, &latency.real)).chain(intended)
}
