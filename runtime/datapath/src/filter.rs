//! A filter at the beginning of a chain: what does not pass is dropped before the first module sees it.

use super::ledger::Ledger;
use super::on_wire::OnWire;
use super::sieve::Sieve;
use perigee_core::counters::Counter;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_pcap::filter::{Program, compile};
use std::sync::Arc;

/// A filter at the beginning of a chain.
#[derive(Debug)]
pub struct Filter {
    program: Arc<Program>,
    /// The flag of packets whose tag is not among their bytes.
    tag: u64,
    sieve: Sieve,
}

impl Filter {
    /// A filter for packets whose tag, where they have this flag, is not among their bytes.
    pub fn new(program: Arc<Program>, tag: u64) -> Self {
        Self { program, tag, sieve: Sieve::new() }
    }

    /// Takes out of the burst what does not pass, and drops it.
    pub fn sift(&mut self, burst: &mut Burst, ledger: &mut Ledger) {
        let Self { program, tag, sieve } = self;
        sieve.sift(burst, Counter::Filtered, ledger, |packet| passes_program(program, packet, *tag));
    }
}

/// Most packets lie as they were on the wire: for them the program is compiled without a look for a tag at each load.
#[inline(always)]
fn passes_program(program: &Program, packet: &Packet, tag: u64) -> bool {
    if packet.flags() & tag == 0 { program.passes(packet) } else { program.passes(&OnWire::new(packet, tag)) }
}

/// A filter without a chain, for measurements.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Lone(Arc<Program>);

impl Lone {
    /// Compiles it.
    ///
    /// # Errors
    /// libpcap's text, where it is no filter.
    pub fn new(text: &str) -> Result<Self, String> {
        compile(text).map(Self)
    }

    /// Its instructions.
    #[must_use]
    pub fn instructions(&self) -> usize {
        self.0.instructions()
    }

    /// How many of the packets pass.
    pub fn count(&self, burst: &mut Burst) -> usize {
        burst.iter_mut().filter(|packet| passes_program(&self.0, packet, 0)).count()
    }
}
