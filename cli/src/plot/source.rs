//! What pictures are made of: summaries, lines of JSON and logs of HdrHistogram, told apart by how they begin. They may be somebody
//! else's.

use crate::read::{self, PastRun};
use anyhow::{Context, Result, bail};
use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use perigee_runtime::Snapshot;
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

/// A file of more than this is no log of a run, nor a line of one.
const MOST: u64 = 256 << 20;
const MOST_LINE: u64 = 64 << 20;

/// A result.
pub(super) struct Source {
    /// Of lines, the last one; of a log, nothing.
    pub(super) run: PastRun,
    /// Of lines, all of them.
    pub(super) moments: Vec<Snapshot>,
    /// Of a log, its intervals.
    pub(super) intervals: Vec<Interval>,
}

/// What a log has of one tag in one interval.
pub(super) struct Interval {
    pub(super) tag: String,
    /// Seconds since the run began.
    pub(super) end: f64,
    /// The longest times of the histogram's buckets, in nanoseconds, and how many there are, the shortest first.
    pub(super) buckets: Vec<(u64, u64)>,
}

/// Reads a result.
pub(super) fn read(file: &Path) -> Result<Source> {
    let cannot = || format!("cannot read {}", file.display());
    let mut reader = BufReader::new(File::open(file).with_context(cannot)?);
    let begin = reader.fill_buf().with_context(cannot)?;
    // A log begins with a comment or with the names of its columns, a line of JSON is an object by itself.
    if begin.starts_with(b"#") || begin.starts_with(b"\"StartTimestamp\"") {
        let mut bytes = Vec::new();
        reader.take(MOST + 1).read_to_end(&mut bytes).with_context(cannot)?;
        if bytes.len() as u64 > MOST {
            bail!("{}: is too long for a log of latencies", file.display());
        }
        let intervals = intervals(&bytes).with_context(|| format!("{}: no log of HdrHistogram", file.display()))?;
        let run = PastRun { manifest: None, snapshot: Snapshot::default() };
        return Ok(Source { run, moments: Vec::new(), intervals });
    }
    let moments = moments(reader).with_context(cannot)?;
    let run = match moments.last() {
        Some(last) => PastRun { manifest: None, snapshot: last.clone() },
        None => read::summary(file)?,
    };
    Ok(Source { run, moments, intervals: Vec::new() })
}

/// By which a line of JSON is known.
#[derive(Deserialize)]
struct Mark {
    #[serde(rename = "final")]
    _is_final: bool,
}

/// The lines of a run; none where the first one is no line of such.
fn moments(mut reader: impl BufRead) -> std::io::Result<Vec<Snapshot>> {
    let (mut moments, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        (&mut reader).take(MOST_LINE).read_until(b'\n', &mut line)?;
        // Whoever reads while the run goes on has half of the last one.
        // A summary on one line is none of these.
        if moments.is_empty() && serde_json::from_slice::<Mark>(&line).is_err() {
            return Ok(moments);
        }
        let Ok(moment) = serde_json::from_slice(&line) else { return Ok(moments) };
        moments.push(moment);
    }
}

fn intervals(log: &[u8]) -> Result<Vec<Interval>> {
    let mut deserializer = Deserializer::new();
    let mut intervals = Vec::new();
    let mut begin = None;
    for entry in IntervalLogIterator::new(log) {
        let entry = entry.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let LogEntry::Interval(interval) = entry else { continue };
        let bytes = base64::engine::general_purpose::STANDARD.decode(interval.encoded_histogram())?;
        let histogram: Histogram<u64> = deserializer.deserialize(&mut Cursor::new(bytes))?;
        // Some logs count from 1970, ours from the run's beginning.
        let begin = *begin.get_or_insert(interval.start_timestamp());
        intervals.push(Interval {
            tag: interval.tag().map(|tag| tag.as_str().to_owned()).unwrap_or_default(),
            end: (interval.start_timestamp() + interval.duration()).saturating_sub(begin).as_secs_f64(),
            buckets: histogram.iter_recorded().map(|b| (b.value_iterated_to(), b.count_at_value())).collect(),
        });
    }
    Ok(intervals)
}

impl Source {
    /// The tags of a log, in the order in which they first come.
    pub(super) fn tags(&self) -> Vec<&str> {
        let mut tags = Vec::new();
        for interval in &self.intervals {
            if !tags.contains(&interval.tag.as_str()) {
                tags.push(interval.tag.as_str());
            }
        }
        tags
    }

    /// All buckets of a tag, over all intervals.
    pub(super) fn buckets(&self, tag: &str) -> Vec<(u64, u64)> {
        let mut sum = std::collections::BTreeMap::new();
        for (upper, count) in self.intervals.iter().filter(|one| one.tag == tag).flat_map(|one| &one.buckets) {
            *sum.entry(*upper).or_insert(0_u64) += count;
        }
        sum.into_iter().collect()
    }
}

/// The time that so large a part does not exceed; nothing where fewer than ten lie beyond it, as in summaries.
#[allow(clippy::cast_precision_loss, reason = "a rank")]
pub(super) fn percentile(buckets: &[(u64, u64)], percent: f64) -> Option<u64> {
    let count: u64 = buckets.iter().map(|bucket| bucket.1).sum();
    if (count as f64) * (100.0 - percent).min(percent) / 100.0 < 10.0 {
        return None;
    }
    let rank = count as f64 * percent / 100.0;
    let mut seen = 0;
    buckets
        .iter()
        .find(|(_, count)| {
            seen += count;
            seen as f64 >= rank
        })
        .map(|bucket| bucket.0)
}
