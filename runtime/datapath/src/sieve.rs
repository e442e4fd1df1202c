//! Takes packets out of a burst that go no further.

use crate::ledger::Ledger;
use perigee_abi::MAX_BATCH;
use perigee_core::counters::Counter;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;

/// Drops what does not pass.
#[derive(Debug)]
pub(crate) struct Sieve {
    /// What does not pass, until the burst has been looked through.
    refused: Box<Burst>,
}

impl Sieve {
    pub(crate) fn new() -> Self {
        Self { refused: Burst::new() }
    }

    /// Takes out of the burst what does not pass, and drops it. Returns how many packets that were.
    #[inline]
    pub(crate) fn sift(
        &mut self,
        burst: &mut Burst,
        cause: Counter,
        ledger: &mut Ledger,
        mut test: impl FnMut(&mut Packet) -> bool,
    ) -> usize {
        let mut passes = [false; MAX_BATCH];
        let mut all = true;
        for (packet, passes) in burst.iter_mut().zip(&mut passes) {
            *passes = test(packet);
            all &= *passes;
        }
        if all {
            return 0;
        }
        let (mut passes, before) = (passes.into_iter(), burst.len());
        burst.change(|packet| {
            if passes.next() == Some(true) {
                return Some(packet);
            }
            if let Err(packet) = self.refused.push(packet) {
                ledger.drop_one(cause, packet);
            }
            None
        });
        ledger.drop_all(cause, &mut self.refused);
        before - burst.len()
    }
}
