//! What a stage is made of, by what it is for.

use super::outputs::Listed;
use super::{Fate, Stage, View};
use crate::border::Border;
use crate::faults::Faults;
use crate::guard::{Guard, Rights};
use crate::pacer::Pacer;
use crate::seat::Seat;
use crate::shape::Shape;
use crate::source::Meta;
use perigee_abi::{MAX_BATCH, MAX_OUTPUTS};
use perigee_core::held::Held;
use perigee_dpdk::burst::Burst;
use perigee_dpdk::packet::Packet;
use perigee_dpdk::pool::Pool;
use perigee_evidence::Witness;
use perigee_wasm::area::Front;
use perigee_wasm::instance::{Callback, Instance};
use std::sync::Arc;

/// Packets and rooms that an instance keeps from one batch to the next.
pub(super) struct Custody {
    pub(super) held: Held<Packet>,
    pub(super) spares: Vec<Option<Packet>>,
    /// Where spare rooms and copies come from.
    pub(super) pool: Arc<Pool>,
    /// Spare rooms that a recording does not have yet, one bit for each.
    pub(super) fresh_spares: u64,
}

/// The batch of the moment: storage that is used again for each.
pub(super) struct Batch {
    pub(super) fates: Box<[Fate; MAX_BATCH]>,
    /// The front of each descriptor as it was published.
    pub(super) published: Box<[Front; MAX_BATCH]>,
    /// The batch as it was published.
    pub(super) shape: Shape,
    /// Length of its shortest packet.
    pub(super) min_len: u16,
    /// Tx queues that its packets ask for; empty where none does.
    pub(super) queues: Vec<u16>,
    /// What a batch of mixed verdicts passes on.
    pub(super) passed: Box<Burst>,
    /// What its output list names; empty between batches.
    pub(super) listed: Vec<Listed>,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self {
            fates: Box::new([0; MAX_BATCH]),
            published: Box::new([Front::default(); MAX_BATCH]),
            shape: Shape::default(),
            min_len: 0,
            queues: Vec::with_capacity(MAX_BATCH),
            passed: Burst::new(),
            listed: Vec::with_capacity(MAX_OUTPUTS),
        }
    }
}

/// Who was at a place before, and who failed there, until the control side has heard of it.
#[derive(Default)]
pub struct Succession {
    /// The instance before this one, in the grace period of a swap: it goes on if this one fails.
    pub standby: Option<Box<Stage>>,
    /// The instance that has failed in its grace period.
    pub ousted: Option<Box<Stage>>,
    /// Its flat state region is becoming its own, piece by piece.
    pub settling: bool,
}

/// Where a stage stands in its chain, and what follows from its neighbours: it changes with them.
#[derive(Debug)]
pub struct Place {
    /// Where it works.
    pub seat: Arc<Seat>,
    /// Where the stage before is of another trust domain.
    pub border: Option<Border>,
    /// Where what leaves is limited; `None` costs nothing.
    pub guard: Option<Guard>,
}

/// What a stage is made with.
pub struct StageParts {
    /// The instance.
    pub instance: Instance,
    /// Where evidence of its failures is wanted.
    pub witness: Option<Box<Witness>>,
    /// What it is called with packets by.
    pub callback: Callback,
    /// It exports `tick`.
    pub has_tick: bool,
    /// Where the region lies, in the host and for the module.
    pub view: View,
    /// Room for what it may hold.
    pub held: Held<Packet>,
    /// Spare rooms that it wants.
    pub spares: u32,
    /// Where spare rooms and copies come from.
    pub pool: Arc<Pool>,
    /// What is known of the chain's source.
    pub meta: Meta,
    /// Packets pass by while it does not run.
    pub open: bool,
    /// What its verdicts may name.
    pub rights: Rights,
    /// For its chain, where it may say when packets leave.
    pub pacer: Option<Box<Pacer>>,
    /// Where it stands in its chain.
    pub place: Place,
    /// Where its failures are told.
    pub faults: Arc<Faults>,
}
