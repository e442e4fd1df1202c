//! What is written when something has happened: packets from a while before it to a while after it, of its flow or of all.

use super::query::tallies;
use super::tape;
use super::watch::Event;
use crate::capture::{About, Files, Lanes, Rotation, Session, Stop, Wanted, now_ns};
use crate::output;
use anyhow::{Context, Result};
use perigee_runtime::config::capture::Format;
use perigee_runtime::{CaptureInfo, text};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Dumps that are written at a time; what happens meanwhile is counted.
const MOST: usize = 4;
/// Packets that are looked at for a dump before others have their turn.
const TURN: u64 = 65_536;

/// What a dump has, and how many there may be.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Bounds {
    pub(super) past_ns: u64,
    pub(super) future_ns: u64,
    /// Packets of other flows, too.
    pub(super) all: bool,
    pub(super) per_minute: usize,
    pub(super) bytes: u64,
    pub(super) dumps: Option<u64>,
}

/// What was written of one event.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Written {
    pub(super) file: String,
    pub(super) why: String,
    /// When it happened, nanoseconds since 1970.
    pub(super) at_unix_ns: u64,
    /// Packets in the file.
    pub(super) packets: u64,
    /// Packets of other flows in that time.
    pub(super) others: u64,
    /// Packets that were written over in memory before they were read.
    pub(super) missed: u64,
    /// It has as many bytes as it may have, and ends before its time.
    pub(super) is_cut: bool,
    /// The history does not go back as far as was wanted: nanoseconds that lack.
    pub(super) lacks_ns: u64,
}

/// Counts of events.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(super) struct Events {
    /// All that happened.
    pub(super) seen: u64,
    /// Those of them that have a dump.
    pub(super) dumped: u64,
    /// Those that lie in a dump that was under way already.
    pub(super) covered: u64,
    /// Those for which there were too many dumps at a time or in a minute.
    pub(super) refused: u64,
}

/// Where dumps are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folder<'a> {
    pub(super) path: &'a Path,
    /// As people know it.
    pub(super) shown: &'a Path,
}

/// The dumps of a history.
pub(super) struct Dumps<'a> {
    info: &'a CaptureInfo,
    folder: Folder<'a>,
    history: &'a str,
    bounds: Bounds,
    next: u64,
    begun: VecDeque<Instant>,
    running: Vec<Dump<'a>>,
    pub(super) events: Events,
}

struct Dump<'a> {
    event: Event,
    from_ns: u64,
    until_ns: u64,
    lanes: Lanes,
    files: Files<'a>,
    written: Written,
}

impl<'a> Dumps<'a> {
    pub(super) fn new(info: &'a CaptureInfo, folder: Folder<'a>, history: &'a str, bounds: Bounds) -> Self {
        let (begun, running) = (VecDeque::new(), Vec::new());
        Self { info, folder, history, bounds, next: 1, begun, running, events: Events::default() }
    }

    /// As many dumps were written as were asked for.
    pub(super) fn are_enough(&self) -> bool {
        self.running.is_empty() && self.bounds.dumps.is_some_and(|most| self.events.dumped >= most)
    }

    /// None is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Something has happened.
    pub(super) fn begin(&mut self, session: &Session, event: Event) -> Result<()> {
        self.events.seen += 1;
        let is_same = |dump: &Dump<'_>| dump.until_ns >= event.ns && (self.bounds.all || dump.event.flow == event.flow);
        if self.running.iter().any(is_same) {
            self.events.covered += 1;
            return Ok(());
        }
        while self.begun.front().is_some_and(|begun| begun.elapsed() >= Duration::from_secs(60)) {
            self.begun.pop_front();
        }
        let is_enough = self.bounds.dumps.is_some_and(|most| self.events.dumped >= most);
        if is_enough || self.running.len() >= MOST || self.begun.len() >= self.bounds.per_minute {
            self.events.refused += 1;
            return Ok(());
        }
        self.begun.push_back(Instant::now());
        self.events.dumped += 1;
        let dump = self.open(session, event)?;
        self.running.push(dump);
        Ok(())
    }

    fn open(&mut self, session: &Session, event: Event) -> Result<Dump<'a>> {
        let from_ns = event.ns.saturating_sub(self.bounds.past_ns);
        let mut lanes = session.another()?;
        lanes.seek(from_ns);
        let path = self.free_name();
        let at_unix_ns = self.info.start_unix_ns.saturating_add(event.ns);
        let history = text::line(self.history, text::NAME);
        let comment =
            format!("history {history}; {}; at {at_unix_ns} ns since 1970", text::line(&event.why, text::WORDS));
        let wanted = Wanted {
            file: path.clone(),
            format: Format::Pcapng,
            rotation: Rotation::default(),
            overwrite: false,
            about: About { info: self.info, filter: None, comment: Some(comment) },
        };
        let files =
            Files::open(wanted, now_ns()).with_context(|| format!("a dump into {}", self.folder.shown.display()))?;
        let written = Written {
            file: self.folder.shown.join(path.file_name().unwrap_or_default()).display().to_string(),
            why: event.why.clone(),
            at_unix_ns,
            packets: 0,
            others: 0,
            missed: 0,
            is_cut: false,
            lacks_ns: lanes.whole_since().map_or(0, |since| since.min(event.ns).saturating_sub(from_ns)),
        };
        let until_ns = event.ns.saturating_add(self.bounds.future_ns);
        let event = Event { flow: event.flow.filter(|_| !self.bounds.all), ..event };
        Ok(Dump { event, from_ns, until_ns, lanes, files, written })
    }

    /// A name that no file has. Nothing of a packet or a module is in it.
    fn free_name(&mut self) -> PathBuf {
        loop {
            let path = self.folder.path.join(format!("dump-{:05}.pcapng", self.next));
            self.next += 1;
            if !path.exists() {
                return path;
            }
        }
    }

    /// Goes on with those that are under way; what was finished. With `is_over`, nothing more will come.
    pub(super) fn go_on(&mut self, now: u64, is_over: bool) -> (Vec<Written>, Result<()>) {
        let (mut finished, mut failed) = (Vec::new(), Ok(()));
        let mut index = 0;
        while index < self.running.len() {
            let dump = &mut self.running[index];
            match dump.turn(now, is_over, self.bounds.bytes) {
                Ok(false) => index += 1,
                Ok(true) => finished.push(self.running.remove(index).end()),
                Err(stop) => {
                    let mut dump = self.running.remove(index);
                    dump.count();
                    finished.push(dump.written);
                    if let Stop::Failed(error) = stop {
                        failed = Err(error);
                    }
                }
            }
        }
        (finished, failed)
    }
}

impl Dump<'_> {
    /// Writes some packets; whether it has all.
    fn turn(&mut self, now: u64, is_over: bool, most_bytes: u64) -> Result<bool, Stop> {
        let Self { event, from_ns, until_ns, lanes, files, written, .. } = self;
        if is_over {
            // Nobody waits for what is still to come.
            *until_ns = (*until_ns).min(now);
        }
        let past = is_over || tape::is_settled(now, *until_ns);
        let (mut failed, mut beyond, mut left) = (None, false, TURN);
        let handed = lanes.drain(past, |place, record| {
            beyond = record.ns > *until_ns;
            if record.ns < *from_ns {
                return true;
            }
            if beyond {
                return false;
            }
            left -= 1;
            if event.flow.as_ref().is_some_and(|flow| !flow.has(record.bytes)) {
                written.others += 1;
                return left > 0;
            }
            failed = files.packet(place, record).err();
            failed.is_none() && left > 0 && files.len() < most_bytes
        });
        written.is_cut = files.len() >= most_bytes;
        match failed {
            Some(stop) => Err(stop),
            None => Ok(beyond || written.is_cut || (past && handed == 0)),
        }
    }

    fn end(mut self) -> Written {
        if let Err(Stop::Failed(error)) = self.files.end(&tallies(&self.lanes, &self.files), now_ns()) {
            output::warning(&format!("{}: {error:#}", self.written.file));
        }
        self.count();
        self.written
    }

    /// What is in the file, by the word of who writes it; and what was missed.
    fn count(&mut self) {
        self.written.packets = tallies(&self.lanes, &self.files).iter().map(|tally| tally.written).sum();
        self.written.missed = self.lanes.missed();
    }
}
