//! The sending end of a flow: one lane's.

use crate::flow::Flow;
use crate::probe::{self, Key, Probe, Tail};
use std::sync::Arc;

/// Numbers and stamps the probes of a flow.
#[derive(Debug)]
pub struct Sender {
    key: Key,
    number: u16,
    flow: Arc<Flow>,
}

impl Sender {
    /// For the flow with this number in the run's table. There is one sender for each.
    pub fn new(key: Key, number: u16, flow: Arc<Flow>) -> Self {
        Self { key, number, flow }
    }

    /// Makes the end of a frame a probe, the flow's next one: the last thing before the port is called. Times are nanoseconds of the
    /// run's clock.
    #[inline]
    pub fn stamp(&mut self, tail: Tail, intended_ns: u64, real_ns: u64) -> Tail {
        let sequence = self.flow.sent.give(real_ns);
        probe::written(tail, &Probe::new(self.number, sequence, intended_ns, real_ns), &self.key)
    }

    /// Two bytes that all probes of this run have at [`probe::TAG`].
    #[inline]
    pub fn tag(&self) -> [u8; 2] {
        self.key.tag()
    }

    /// The end of a frame that is no probe, without the remains of an earlier one.
    #[inline]
    pub fn erase(&self, tail: Tail) -> Tail {
        probe::erased(tail, &self.key)
    }

    /// The port did not take the last `n` of this flow's frames: they were not sent. Their numbers are given again, whether these
    /// frames are dropped or stamped anew. In the turn in which they were stamped.
    pub fn take_back(&mut self, n: u64) {
        self.flow.sent.take_back(n);
    }

    /// What was sent.
    pub fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }
}
