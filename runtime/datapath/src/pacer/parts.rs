//! What a pacer is made of, and what it is handed.

use super::filling::Filling;
use crate::stream::Stream;
use perigee_config::stream::{Late, Method};
use perigee_dpdk::packet::Packet;
use perigee_pace::Schedule;
use std::sync::Arc;

/// Without a stream, a packet is late from so many nanoseconds on.
const LATE_AFTER: u64 = 10_000;

/// A packet that waits for its time.
#[derive(Debug)]
pub struct Waiting {
    /// The lane that it leaves by.
    pub lane: usize,
    /// The lane's port is to prepare offloads.
    pub prepare: bool,
    /// The packet itself.
    pub packet: Packet,
}

/// What a pacer is made of.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// What becomes of the schedule when a packet is late.
    pub late: Late,
    /// From so many nanoseconds on a packet is late.
    pub late_after: u64,
    /// The module says the times of the stream's packets.
    pub by_module: bool,
    /// Packets are made when they are due, and not received.
    pub makes: bool,
    /// What finds no place waits outside, and is not dropped.
    pub waits: bool,
    /// Who lets them go at their times.
    pub method: Method,
}

impl Terms {
    /// For the times that a module asks for, without a stream.
    pub fn of_module(makes: bool) -> Self {
        Self {
            late: Late::CatchUp,
            late_after: LATE_AFTER,
            by_module: true,
            makes,
            waits: makes,
            method: Method::Software,
        }
    }
}

/// What became of a packet that came to the pacer.
#[derive(Debug)]
pub enum Taken {
    /// It waits for its time.
    Waits,
    /// Nothing is asked of its time: it leaves now.
    Leaves(Waiting),
    /// There is no place for it.
    Full(Waiting),
}

/// What a line that is kept busy is to be handed next.
#[derive(Debug)]
pub enum Piece {
    /// A filler of so many bytes, without check sequence.
    Filler(u16),
    /// A packet.
    Packet(Waiting),
    /// Nothing for now.
    Nothing,
}

/// What became of a whole burst that came to the pacer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// All of it is due, and leaves at once.
    Leaves,
    /// Its packets wait for their times; the burst is empty.
    Waits,
    /// Nothing was done: its packets are to come one by one ([`Pacer::take`](super::Pacer::take)).
    Singly,
}

/// A stream on one lcore.
#[derive(Debug)]
pub struct Paced {
    /// When its packets leave here.
    pub schedule: Schedule,
    /// What its lcores share.
    pub stream: Arc<Stream>,
    /// How far it is here.
    pub(super) phase: Phase,
    /// Where the line is kept busy between its packets.
    pub(super) filling: Option<Filling>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Waiting,
    Running,
    Over,
}

impl Paced {
    /// One that has not begun; the times of its schedule are from its beginning on.
    pub fn new(schedule: Schedule, stream: Arc<Stream>) -> Self {
        Self { schedule, stream, phase: Phase::Waiting, filling: None }
    }

    /// The same, on a line that is kept busy between its packets.
    #[must_use]
    pub fn filling(self, filling: Filling) -> Self {
        Self { filling: Some(filling), ..self }
    }

    /// It has begun, and is not over.
    pub(super) fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// The departure of the next packet that is not made.
    #[inline]
    pub(super) fn peek(&self) -> Option<u64> {
        if self.phase == Phase::Running { self.schedule.peek() } else { None }
    }
}
