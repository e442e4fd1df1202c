//! The sending end of a flow: one lane's.

use crate::flow::Flow;
use crate::probe::{self, Key, Probe};
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

    /// Makes the end of a frame a probe: the last thing before the port is called. `tail` ends with the frame and has its last
    /// [`probe::LEN`] bytes or more; times are nanoseconds of the run's clock. Where there are fewer bytes nothing happens, and the
    /// answer is `None`; else it is the probe's number.
    #[inline]
    pub fn stamp(&mut self, tail: &mut [u8], intended_ns: u64, real_ns: u64) -> Option<u64> {
        let place = tail.last_chunk_mut()?;
        let sequence = self.flow.sent.give(real_ns);
        probe::write(place, &Probe::new(self.number, sequence, intended_ns, real_ns), &self.key);
        Some(sequence)
    }

    /// The frame is no probe, and has no remains of an earlier one. False where it had none anyway.
    #[inline]
    pub fn erase(&self, tail: &mut [u8]) -> bool {
        tail.last_chunk_mut().is_some_and(|place| probe::erase(place, &self.key))
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
