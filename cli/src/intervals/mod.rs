//! What a run writes for other programs while it goes on: counters and latencies, interval by interval.
//!
//! - `json_lines.rs`: all counters, a JSON object a line.
//! - `csv.rs`: rates of ports, in libmoon's columns.
//! - `hdr_log.rs`: latencies, as a log of HdrHistogram.

mod csv;
mod hdr_log;
mod json_lines;
#[cfg(test)]
mod tests;

use crate::output::{Growing, JsonOption};
use anyhow::{Result, bail, ensure};
use clap::{Args, ValueHint};
use csv::Csv;
use hdr_log::HdrLog;
use perigee_runtime::config::parse_duration;
use perigee_runtime::{Accounting, Latencies, Run, Snapshot, Summary};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// Where nothing else is said.
const EVERY: Duration = Duration::from_secs(1);
/// A run is looked at each 5 ms; an interval has two of these.
pub(crate) const LEAST: Duration = Duration::from_millis(10);

/// What is written, and how often.
#[derive(Args, Debug, Default)]
pub(crate) struct IntervalOptions {
    /// Write all counters to this file while the run goes on: a JSON object for each interval, a line each; `-` is standard output, in
    /// place of the text for people. The last line is that of the summary.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    json_lines: Option<PathBuf>,
    /// Write what ports received and sent in each interval to this file, in the columns of MoonGen's CSV.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    csv: Option<PathBuf>,
    /// Write the latencies of each interval to this file, as a log of HdrHistogram (V2) with a tag for each stream and path.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    hdr_log: Option<PathBuf>,
    /// How long an interval of these files is, from 10ms on (of virtual time: from 1us on). Default: 1s.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    every: Option<Duration>,
}

impl IntervalOptions {
    /// Whether standard output belongs to it.
    pub(crate) fn is_stdout(&self) -> bool {
        [&self.json_lines, &self.csv, &self.hdr_log].into_iter().flatten().any(|file| file.as_os_str() == "-")
    }

    fn check(&self, json: &JsonOption, least: Duration) -> Result<Duration> {
        let files = [&self.json_lines, &self.csv, &self.hdr_log].map(Option::as_ref);
        let to_stdout = files.into_iter().flatten().filter(|file| file.as_os_str() == "-").count();
        ensure!(
            to_stdout + usize::from(json.is_stdout()) <= 1,
            "only one of --json, --json-lines, --csv and --hdr-log can have standard output: name a file for the others"
        );
        let every = self.every.unwrap_or(EVERY);
        if self.every.is_some() && files.iter().all(Option::is_none) {
            bail!(
                "--every is the length of an interval of --json-lines, --csv or --hdr-log: give one of these as well"
            );
        }
        ensure!(every >= least, "--every {every:?}: an interval has at least {least:?}");
        Ok(every)
    }
}

/// The files, opened before the jail lets nobody open any more.
pub(crate) struct Files {
    every: Duration,
    json_lines: Option<Growing>,
    csv: Option<Growing>,
    hdr_log: Option<Growing>,
}

impl Files {
    /// Opens what was asked for. No interval is shorter than `least`.
    pub(crate) fn open(options: &IntervalOptions, json: &JsonOption, least: Duration) -> Result<Self> {
        let every = options.check(json, least)?;
        let open = |file: &Option<PathBuf>| file.as_deref().map(Growing::open).transpose();
        let [json_lines, csv, hdr_log] = [&options.json_lines, &options.csv, &options.hdr_log].map(open);
        Ok(Self { every, json_lines: json_lines?, csv: csv?, hdr_log: hdr_log? })
    }

    /// Begins to write them, where there are any: the run has started.
    pub(crate) fn begin(self, run: &Run) -> Result<Option<Intervals>> {
        if !self.any() {
            return Ok(None);
        }
        let begun = SystemTime::now() - Duration::from_nanos(run.snapshot().elapsed_ns);
        self.begin_at(begun, run.latencies()).map(Some)
    }

    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
        self.json_lines.is_some() || self.csv.is_some() || self.hdr_log.is_some()
    }

    /// How long an interval is.
    pub(crate) fn every(&self) -> Duration {
        self.every
    }

    /// Begins to write them: the run has started at this time.
    pub(crate) fn begin_at(self, begun: SystemTime, latencies: Latencies) -> Result<Intervals> {
        let Self { every, json_lines, csv, hdr_log } = self;
        let csv = csv.map(|file| Csv::begin(file, begun, every)).transpose()?;
        let hdr_log = hdr_log.map(|file| HdrLog::begin(file, begun)).transpose()?;
        Ok(Intervals {
            every,
            due: Instant::now() + every,
            last: Snapshot::default(),
            latencies,
            json_lines,
            csv,
            hdr_log,
            failed: None,
        })
    }
}

/// Writes the files of a run.
pub(crate) struct Intervals {
    every: Duration,
    due: Instant,
    last: Snapshot,
    latencies: Latencies,
    json_lines: Option<Growing>,
    csv: Option<Csv>,
    hdr_log: Option<HdrLog>,
    /// The first thing that could not be written: then nothing more is.
    failed: Option<anyhow::Error>,
}

impl Intervals {
    /// Writes an interval where one is over.
    pub(crate) fn look(&mut self, run: &Run) {
        let now = Instant::now();
        if now < self.due || self.failed.is_some() {
            return;
        }
        // One that was missed is part of the next.
        while self.due <= now {
            self.due += self.every;
        }
        self.add(run.snapshot());
    }

    /// Writes an interval, which ends now.
    pub(crate) fn add(&mut self, now: Snapshot) {
        self.write(now, None);
    }

    /// Writes the last interval, which ends with the run.
    pub(crate) fn finish(mut self, summary: &Summary) -> Result<()> {
        self.write(summary.snapshot.clone(), Some(&summary.accounting));
        self.failed.map_or(Ok(()), Err)
    }

    fn write(&mut self, now: Snapshot, end: Option<&Accounting>) {
        let Self { last, latencies, json_lines, csv, hdr_log, failed, .. } = self;
        if failed.is_some() {
            return;
        }
        let mut all = || {
            json_lines.as_mut().map_or(Ok(()), |file| file.add(&json_lines::line(&now, end)?))?;
            csv.as_mut().map_or(Ok(()), |csv| csv.add(last, &now))?;
            hdr_log.as_mut().map_or(Ok(()), |log| log.add(&latencies.read(), last.elapsed_ns, now.elapsed_ns))
        };
        *failed = all().err();
        if let Some(error) = failed {
            crate::output::warning(&format!("{error:#}; the run goes on, and its intervals are no longer written"));
        }
        *last = now;
    }
}
