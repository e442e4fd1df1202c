//! Histories: what a run records for itself from its start on (`[[history]]`). Whoever looks back gets the same memory as a capture's reader,
//! to read alone.

use super::{Asked, Capture, CaptureRequest, Captures, HistoryStatus};
use crate::parts::Parts;
use perigee_config::Config;
use perigee_record::Map;
use perigee_report::Error;
use std::time::Duration;

/// The histories of a run.
#[derive(Debug, Default)]
pub(crate) struct Histories(Vec<History>);

#[derive(Debug)]
struct History {
    name: String,
    at: Vec<String>,
    keep_ns: Option<u64>,
    record: Capture,
}

impl Histories {
    /// Begins those of a configuration, when the lcores work.
    pub(crate) fn begin(captures: &Captures, parts: &Parts, config: &Config) -> Result<Self, Error> {
        let one = |history: &perigee_config::history::History| {
            let (at, snaplen) = (history.at.clone(), history.snaplen);
            let request = CaptureRequest { at: at.clone(), snaplen, ..CaptureRequest::default() };
            let asked = Asked { parts, config, request: &request };
            let record = captures.begin_history(&asked, history);
            let record = record.map_err(|what| Error::Capture(format!("history {:?}: {what}", history.name)))?;
            Ok(History { name: history.name.clone(), at, keep_ns: history.keep.map(nanos), record })
        };
        config.histories.iter().map(one).collect::<Result<_, Error>>().map(Self)
    }

    /// All of them, as full as they are now.
    pub(crate) fn now(&self) -> Vec<HistoryStatus> {
        self.0.iter().map(History::now).collect()
    }

    /// For one more reader.
    pub(crate) fn of(&self, name: &str) -> Option<Result<Capture, Error>> {
        self.0
            .iter()
            .find(|history| history.name == name)
            .map(|history| history.record.for_another().map_err(|e| Error::Capture(format!("history {name:?}: {e}"))))
    }
}

/// A length of time in nanoseconds.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl History {
    fn now(&self) -> HistoryStatus {
        let (name, at) = (self.name.clone(), self.at.clone());
        let keep_ns = self.keep_ns;
        let mut status = HistoryStatus { name, at, memory: 0, keep_ns, recorded: 0, held: 0, spans_ns: 0 };
        let Ok(map) = Map::new(self.record.descriptor()) else { return status };
        status.memory = map.shape().bytes();
        let (mut oldest, mut newest) = (u64::MAX, 0);
        for lane in (0..map.shape().lanes).filter_map(|lane| map.reader(lane)) {
            let recorded = lane.counts().recorded;
            status.recorded += recorded;
            if let Some((number, ns)) = lane.oldest() {
                status.held += recorded.saturating_sub(number);
                (oldest, newest) = (oldest.min(ns), newest.max(lane.shown_ns()));
            }
        }
        status.spans_ns = newest.saturating_sub(oldest);
        status
    }
}
