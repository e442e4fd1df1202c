//! A flow: the probes of one stream by one sending lane.

use crate::sent::Sent;
use crate::window::{Readers, Window};

/// What a flow is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowOptions {
    /// The stream that it is a part of.
    pub stream: u16,
    /// The lane that sends it.
    pub lane: u16,
    /// A probe that takes longer is late, and lost as long as it has not come; nanoseconds.
    pub timeout_ns: u64,
    /// Numbers that the window holds; at least those of the time-out ([`Window::new`]).
    pub window: u64,
    /// Who reads it.
    pub readers: Readers,
}

/// What sender and receivers of a flow share. Its numbers begin at 0 and have no gaps.
#[derive(Debug)]
pub struct Flow {
    options: FlowOptions,
    /// What was sent.
    pub sent: Sent,
    /// What has come, and what was called lost.
    pub window: Window,
}

impl Flow {
    /// Without probes. All memory is taken here.
    pub fn new(options: FlowOptions) -> Self {
        Self { options, sent: Sent::new(options.timeout_ns), window: Window::new(options.window, options.readers) }
    }

    /// What it is made of.
    pub fn options(&self) -> &FlowOptions {
        &self.options
    }

    /// Calls lost what has been under way for longer than the time-out, at this time of the run's clock. About once a millisecond;
    /// by the one reading lcore, or with several by any thread.
    pub fn expire(&self, now_ns: u64) {
        if let Some(time) = now_ns.checked_sub(self.options.timeout_ns + 1) {
            self.window.expire(self.sent.sent_before(time));
        }
    }

    /// Calls lost all that has not come: when nothing is sent any more and the time-out has passed. Nothing is outstanding then.
    pub fn finish(&self) {
        self.window.expire(self.sent.count());
    }
}
