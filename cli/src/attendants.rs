//! The processes that a run starts for itself before it gives anything up: those that write its captures, and those that wait for events in
//! its histories.

use crate::capture::Standing;
use crate::history::Triggers;
use anyhow::Result;
use perigee_runtime::config::{Config, JailMode};
use perigee_runtime::{Capture, CaptureRequest, Run, Snapshot};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often those who write the run's own captures are told what ports have lost: a file that ends has the last that was told.
const TELL: Duration = Duration::from_millis(100);

/// Those of a run.
pub(crate) struct Attendants {
    captures: Vec<Standing>,
    triggers: Triggers,
    told: Instant,
}

impl Attendants {
    /// Starts those of a configuration, before the run.
    pub(crate) fn start(config: &Config, base: &Path, mode: JailMode) -> Result<Self> {
        let captures = Standing::start(config, base, mode)?;
        Ok(Self { captures, triggers: Triggers::start(config, base, mode)?, told: Instant::now() })
    }

    /// What the run is to capture from its first packet on.
    pub(crate) fn requests(&self) -> Vec<CaptureRequest> {
        self.captures.iter().map(Standing::request).collect()
    }

    /// The run works, and captures this.
    pub(crate) fn begin(&mut self, run: &Run, begun: Vec<Capture>) -> Result<()> {
        self.captures.iter_mut().zip(begun).try_for_each(|(capture, begun)| capture.begin(run, begun))?;
        self.triggers.begin(run)
    }

    /// Tells them what they cannot see for themselves: failures of modules, and what ports have lost.
    pub(crate) fn look(&mut self, run: &Run) {
        self.triggers.look(run);
        if self.told.elapsed() >= TELL && self.captures.iter().any(Standing::has_ports) {
            let now = run.snapshot();
            self.captures.iter().for_each(|capture| capture.tell(&now));
            self.told = Instant::now();
        }
    }

    /// The run is about to stop: they have its last packets, too.
    pub(crate) fn leave_to_run(&mut self) {
        self.captures.iter_mut().for_each(Standing::leave_to_run);
    }

    /// The run has stopped: what is wrong with what they have written.
    pub(crate) fn end(self, last: &Snapshot) -> Vec<String> {
        let captures = self.captures.into_iter().filter_map(|capture| capture.end(last));
        captures.chain(self.triggers.end()).collect()
    }
}
