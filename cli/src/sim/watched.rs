//! A simulation whose time stands still at the end of each interval, which is written then; and where somebody else owns the time.

use super::pace::Owner;
use crate::intervals::{Files, Intervals};
use anyhow::Result;
use perigee_runtime::sim::{BEGIN_UNIX_NS, Pace, Seen};
use perigee_runtime::{Error, Summary};
use std::time::{Duration, SystemTime};

/// The shortest interval.
pub(super) const LEAST: Duration = Duration::from_micros(1);

/// Who says how far time may go, and who looks at it.
pub(super) struct Watched {
    owner: Option<Owner>,
    /// Until then its owner lets it go.
    allowed: u64,
    files: Option<Files>,
    intervals: Option<Intervals>,
    /// When an interval ends next.
    due: u64,
    every: u64,
}

impl Watched {
    /// `None` where nobody is interested.
    pub(super) fn new(owner: Option<Owner>, files: Files) -> Option<Self> {
        let every = u64::try_from(files.every().as_nanos()).unwrap_or(u64::MAX);
        let files = files.any().then_some(files);
        if owner.is_none() && files.is_none() {
            return None;
        }
        let due = if files.is_some() { 0 } else { u64::MAX };
        Some(Self { owner, allowed: 0, files, intervals: None, due, every })
    }

    /// Writes the last interval.
    pub(super) fn finish(self, summary: &Summary) -> Result<()> {
        self.intervals.map_or(Ok(()), |intervals| intervals.finish(summary))
    }

    fn look(&mut self, seen: &Seen<'_>) -> Result<()> {
        if let Some(files) = self.files.take() {
            let begun = SystemTime::UNIX_EPOCH + Duration::from_nanos(BEGIN_UNIX_NS);
            self.intervals = Some(files.begin_at(begun, seen.latencies())?);
        } else if let Some(intervals) = &mut self.intervals {
            intervals.add(seen.snapshot());
        }
        self.due = self.due.saturating_add(self.every);
        Ok(())
    }
}

impl Pace for Watched {
    fn until(&mut self, reached: u64, seen: &Seen<'_>) -> Result<u64, Error> {
        if reached >= self.due {
            self.look(seen).map_err(|why| Error::Request(format!("{why:#}")))?;
        }
        match &mut self.owner {
            Some(owner) if reached >= self.allowed => self.allowed = owner.until(reached)?,
            Some(_) => {}
            None => self.allowed = u64::MAX,
        }
        Ok(self.allowed.min(self.due))
    }
}
