//! Where an instance works.

use super::health::Health;
use super::source::Meta;
use perigee_wasm::log::LogQueue;
use perigee_wasm::tell::Inbox;
use std::sync::Arc;

/// Where a chain runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The lcore's number.
    pub lcore: usize,
    /// The chain's position there.
    pub chain: usize,
}

/// Where an instance works: one stage of a chain on one lcore. It stays while instances come and go.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Position of its chain among the placed ones, and its own in the chain.
    pub chain: usize,
    /// Where its chain runs.
    pub at: Spot,
    /// The chain's name, and the CPU that it is on.
    pub chain_name: String,
    /// The CPU that its chain is on.
    pub lcore: u32,
    /// Position in its chain.
    pub stage: usize,
    /// Name of its module.
    pub module: String,
    /// It makes the chain's packets.
    pub generates: bool,
    /// Which of its chain's lcores it is on, of how many.
    pub worker: u32,
    /// On how many lcores its chain runs.
    pub instances: u32,
    /// Which seat of the run it is, in the order in which they came.
    pub number: u64,
    /// Number of the port that Next leads to; 0xffff where there is none.
    pub next_port: u32,
    /// Position of its trust domain among those of the run.
    pub domain: usize,
    /// The stage before is of another domain.
    pub comes_in: bool,
    /// Next leads out of the trust domain: to a port, or to a stage of another domain.
    pub next_leaves: bool,
    /// By port: its chain may send to it.
    pub may_tx: Vec<bool>,
    /// What is known of the chain's source.
    pub meta: Meta,
    /// Where its log lines go.
    pub log: Arc<LogQueue>,
    /// Rooms of the pool from which it makes packets.
    pub rooms: u32,
    /// What other modules tell its instances.
    pub inbox: Arc<Inbox>,
    /// How its instances fare.
    pub health: Arc<Health>,
}

impl Seat {
    /// The same place, though stages before it may have come or gone.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.health, &other.health)
    }
}
