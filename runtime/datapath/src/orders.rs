//! What the control side asks of lcores, between two bursts, and what both share.

use super::recorder::{Recorder, Returned};
use super::seat::Seat;
use super::stage::Stage;
use super::stream::Change;
use super::switch::{Ousted, Task};
use crossbeam_queue::ArrayQueue;
use perigee_abi::PortInfo;
use perigee_wasm::instance::Refusal;
use perigee_wasm::request::Request;
use perigee_wasm::trap::Trapped;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc::Sender;

/// What the control thread asks of an lcore, between two bursts.
#[derive(Debug)]
pub enum Command {
    /// Ask an instance something.
    Ask {
        /// Where it works.
        seat: Arc<Seat>,
        /// What.
        request: Request,
        /// Where the answer goes.
        reply: Sender<Result<Vec<u8>, Refusal>>,
    },
    /// Puts another instance in the place of the one on its seat. The old one goes to whoever asked: an lcore drops none,
    /// for that unmaps its memory.
    Install {
        /// The new one.
        new: Box<Stage>,
        /// Where the old one goes.
        reply: Sender<Box<Stage>>,
    },
    /// Something to do with a swap.
    Swap(Task),
    /// Modules are called at least so often.
    Tick {
        /// The longest time between two calls.
        cycles: u64,
    },
    /// A port's link has changed.
    Port {
        /// The port's number.
        number: usize,
        /// What is told of it now.
        info: PortInfo,
    },
    /// Another rate or pattern for the stream of a chain, or it pauses, or goes on.
    Stream {
        /// The chain's place on the lcore.
        chain: usize,
        /// What becomes of it.
        change: Change,
        /// When, nanoseconds of the run's clock: the same for all of its lcores.
        at_ns: u64,
        /// Where the answer goes: why it cannot be.
        reply: Sender<Result<(), String>>,
    },
    /// Record packets from now on, at all places of one record at once: what has passed one of them has passed or met the others.
    Record {
        /// Who does, and the places of their chains on the lcore.
        recorders: Vec<(usize, Box<Recorder>)>,
        /// Where the answer goes.
        reply: Sender<()>,
    },
    /// Record packets no more, in all chains.
    EndRecord {
        /// Of this record.
        id: u64,
        /// Where those go who did: an lcore drops none, for that may unmap their memory.
        reply: Sender<Vec<Returned>>,
    },
    /// Tell the counters and the state of all instances.
    Report {
        /// Where the answer goes.
        reply: Sender<Vec<InstanceReport>>,
    },
}

/// State of one instance.
#[derive(Debug)]
pub struct InstanceReport {
    /// Where it works.
    pub seat: Arc<Seat>,
    /// Its counters, by the names that it gave them.
    pub counters: Vec<(String, u64)>,
    /// How it has failed, if it has.
    pub failed: Option<Arc<Trapped>>,
    /// Hostcalls that were not granted.
    pub denied: u64,
}

/// What all lcores and the control thread share.
#[derive(Debug)]
pub struct Control {
    /// Nothing is polled yet: lcores answer orders alone.
    pub waits: AtomicBool,
    /// The run ends.
    pub stop: AtomicBool,
    /// Chains whose source is a port or a generator, and that have not ended.
    pub sources: AtomicUsize,
    /// A module has failed on whose failure the run ends.
    pub failed: AtomicBool,
    /// Instances that have failed in the grace period of a swap.
    pub gone: ArrayQueue<Ousted>,
}

impl Default for Control {
    fn default() -> Self {
        let (stop, sources, failed) = (AtomicBool::default(), AtomicUsize::default(), AtomicBool::default());
        Self { waits: AtomicBool::default(), stop, sources, failed, gone: ArrayQueue::new(64) }
    }
}
