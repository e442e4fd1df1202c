//! The work of a trigger: looks at what comes, and writes what is to be written.

use super::dumps::{Dumps, Events, Written};
use super::module::Counts;
use super::tape;
use super::watch::{Event, Watch};
use crate::capture::{Session, pause};
use crate::output;
use anyhow::Result;
use perigee_runtime::text;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Events that are looked at before more packets are.
const MOST_EVENTS: usize = 1_024;

/// All that came of it.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Outcome {
    history: String,
    events: Events,
    pub(super) dumps: Vec<Written>,
    /// Packets that it should have looked at, and that were written over in memory first.
    missed: u64,
    module: Option<Counts>,
}

/// When it ends, and what it hears meanwhile.
pub(super) struct Until<'a> {
    pub(super) is_over: &'a dyn Fn() -> bool,
    pub(super) duration: Option<Duration>,
    /// The module's file is to be read again.
    pub(super) reload: Option<&'a AtomicBool>,
}

/// A trigger at work.
pub(super) struct Work<'a> {
    watch: Watch,
    dumps: Dumps<'a>,
    written: Vec<Written>,
    /// Says nothing of its dumps.
    pub(super) quiet: bool,
    /// Whose packets are not waited for: those that came before.
    start_ns: u64,
}

impl<'a> Work<'a> {
    /// From now on, or from all that there is.
    pub(super) fn new(watch: Watch, dumps: Dumps<'a>, session: &mut Session, from_now: bool) -> Self {
        let start_ns = if from_now { tape::now_ns(session) } else { 0 };
        session.lanes.seek(start_ns);
        Self { watch, dumps, written: Vec::new(), quiet: true, start_ns }
    }

    /// Works until the end.
    pub(super) fn follow(&mut self, session: &mut Session, until: &Until<'_>) -> Result<()> {
        let begun = Instant::now();
        let mut events = Vec::new();
        loop {
            let ended = session.lanes.has_ended() || session.is_closed();
            let (watch, start_ns) = (&mut self.watch, self.start_ns);
            let handed = session.lanes.drain(ended, |place, record| {
                if record.ns >= start_ns {
                    watch.see(place, record, &mut events);
                }
                events.len() < MOST_EVENTS
            });
            self.watch.tend(session, &mut events);
            if until.reload.is_some_and(|reload| reload.swap(false, Ordering::Relaxed)) {
                self.swap(&mut events);
            }
            for event in events.drain(..) {
                self.dumps.begin(session, event)?;
            }
            let is_late = until.duration.is_some_and(|duration| begun.elapsed() >= duration);
            let last = (until.is_over)() || is_late || (ended && handed == 0);
            self.dumps(tape::now_ns(session), last)?;
            if self.dumps.are_enough() || last {
                return Ok(());
            }
            if handed == 0 {
                pause();
            }
        }
    }

    /// All that came of it.
    pub(super) fn end(self, history: &str, session: &Session) -> Outcome {
        let module = if let Watch::Module(watcher) = &self.watch { Some(watcher.counts.clone()) } else { None };
        let history = history.to_owned();
        Outcome { history, events: self.dumps.events, dumps: self.written, missed: session.lanes.missed(), module }
    }

    fn swap(&mut self, events: &mut Vec<Event>) {
        let Watch::Module(watcher) = &mut self.watch else { return };
        match watcher.swap(events) {
            Ok(()) if self.quiet => {}
            Ok(()) => output::line(&format!("reads {} again", watcher.name())),
            Err(error) => {
                output::warning(&format!("the old module goes on: {}", text::line(&format!("{error:#}"), text::WORDS)));
            }
        }
    }

    /// Goes on with dumps; at the end until they have all that there is.
    fn dumps(&mut self, now: u64, is_over: bool) -> Result<()> {
        loop {
            let (finished, went) = self.dumps.go_on(now, is_over);
            for written in &finished {
                if !self.quiet {
                    output::line(&written.shown());
                }
            }
            self.written.extend(finished);
            went?;
            if !is_over || self.dumps.is_idle() {
                return Ok(());
            }
        }
    }
}

impl Written {
    pub(super) fn shown(&self) -> String {
        let Self { file, why, packets, missed, lacks_ns, .. } = self;
        let mut shown = format!("{file}: {packets} packets ({})", text::line(why, text::WORDS));
        if *missed > 0 {
            shown += &format!("; {missed} were written over before they were read");
        }
        if *lacks_ns > 0 {
            shown += &format!("; the history lacks the first {} ms of that time", lacks_ns / 1_000_000);
        }
        if self.is_cut {
            shown += "; cut at --most-bytes";
        }
        shown
    }
}

impl Outcome {
    pub(super) fn shown(&self) -> String {
        let Events { seen, dumped, covered, refused } = self.events;
        let mut shown = format!(
            "events {seen}: {dumped} dumped, {covered} within a dump, {refused} refused; packets missed {}",
            self.missed
        );
        if let Some(Counts { packets, unseen, failures, swaps, .. }) = &self.module {
            shown += &format!("; module: {packets} packets seen, {unseen} not, {failures} failures, {swaps} swaps");
        }
        shown
    }
}
