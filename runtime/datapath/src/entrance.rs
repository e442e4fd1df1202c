//! What happens to packets at the beginning of a chain, before its first module: its filter, and backpressure.

use crate::filter::Filter;
use crate::ledger::Ledger;
use crate::on_wire::OnWire;
use crate::pressure::Pressure;
use crate::sieve::Sieve;
use perigee_core::counters::Counter;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::ring::Ring;
use perigee_dpdk_sys::flags;
use std::sync::Arc;

/// The beginning of a chain that reads a port or a ring, where anything is to be done there.
#[derive(Debug)]
pub struct Entrance {
    filter: Option<Filter>,
    part: Option<Part>,
}

/// A chain's part in backpressure.
#[derive(Debug)]
pub enum Part {
    /// It reads a port: flows that are stopped go no further.
    Gate(Gate),
    /// It reads a ring of that number, which presses until it is empty enough.
    Reader(Arc<Pressure>, usize),
}

/// Where flows are stopped.
#[derive(Debug)]
pub struct Gate {
    pressure: Arc<Pressure>,
    /// The rings that may press and to which packets can come from here.
    behind: Box<[usize]>,
    /// What the port says of packets is of now, and not of their last way.
    has_hashes: bool,
    sieve: Sieve,
    turned_away: usize,
}

impl Gate {
    /// A gate before these rings, by number; with `has_hashes`, packets may have one from their port.
    #[must_use]
    pub fn new(pressure: &Arc<Pressure>, behind: Box<[usize]>, has_hashes: bool) -> Self {
        Self { pressure: Arc::clone(pressure), behind, has_hashes, sieve: Sieve::new(), turned_away: 0 }
    }

    /// Each packet gets its flow's hash, which it keeps on its way through all chains; those whose flows are stopped are dropped.
    fn sift(&mut self, burst: &mut Burst, ledger: &mut Ledger) {
        let Self { pressure, behind, has_hashes, sieve, turned_away } = self;
        *turned_away += sieve.sift(burst, Counter::Backpressure, ledger, |packet| {
            let has_hash = *has_hashes && packet.flags() & flags::RX_RSS_HASH != 0 && packet.rss() != 0;
            if !has_hash {
                packet.set_rss(pressure.hash(&OnWire::received(packet)));
            }
            !pressure.stops(packet.rss(), behind)
        });
    }
}

impl Entrance {
    /// Nothing where nothing is to be done.
    #[must_use]
    pub fn new(filter: Option<Filter>, part: Option<Part>) -> Option<Box<Self>> {
        (filter.is_some() || part.is_some()).then(|| Box::new(Self { filter, part }))
    }

    /// A port has given these packets: drops what goes no further.
    pub(crate) fn sift(&mut self, burst: &mut Burst, ledger: &mut Ledger) {
        if let Some(filter) = &mut self.filter {
            filter.sift(burst, ledger);
        }
        if let Some(Part::Gate(gate)) = &mut self.part {
            gate.sift(burst, ledger);
        }
    }

    /// As [`Self::sift`], of what was just taken from a ring, be it nothing.
    pub(crate) fn sift_taken(&mut self, ring: &Ring, burst: &mut Burst, ledger: &mut Ledger) {
        if let Some(Part::Reader(pressure, number)) = &self.part {
            pressure.emptied(*number, ring.count());
        }
        self.sift(burst, ledger);
    }

    /// Packets that backpressure has turned away since this was asked last.
    pub(crate) fn take_turned_away(&mut self) -> usize {
        if let Some(Part::Gate(gate)) = &mut self.part { std::mem::take(&mut gate.turned_away) } else { 0 }
    }
}
