//! What an lcore counts of each chain, and how others read it without a lock.

use crate::batch_times::BatchTimes;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Makes the enum of counters with their names in reports.
macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What is counted. Those from `Verdict` on are causes of drops.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(usize)]
        pub enum Counter { $($(#[$doc])* $variant,)* }

        /// Names by number.
        pub const NAMES: &[&str] = &[$($name,)*];
        const ALL: &[Counter] = &[$(Counter::$variant,)*];
    };
}

counters! {
    /// Packets that came from a port.
    Received = "received",
    /// Packets that modules made: generated, from spare rooms, or as copies.
    Created = "created",
    /// Packets that came from a ring.
    FromRing = "from_ring",
    /// Packets that flow rules brought from other rx queues.
    FromQueue = "from_queue",
    /// Packets that flow rules handed to other rx queues.
    ToQueue = "to_queue",
    /// Packets that a port took.
    Sent = "sent",
    /// Their bytes.
    SentBytes = "sent_bytes",
    /// Packets that a ring took.
    ToRing = "to_ring",
    /// Packets that modules hold now.
    Held = "held",
    /// Packets that wait for a full port or ring now.
    Pending = "pending",
    /// Packets copied into a room: from a port outside the window, or from several segments.
    CopiedIn = "copied_in",
    /// Entries of output lists that named no packet of the module's.
    BadOutputs = "bad_outputs",
    /// Entries of output lists for which packets would have been made without the grant to make any.
    CreateNotGranted = "create_not_granted",
    /// Departure times or gaps that no port could honour.
    TxTimeIgnored = "tx_time_ignored",
    /// Packets that passed by a stage whose instance has failed.
    Bypassed = "bypassed",
    /// Times that a generator's pool was empty.
    PoolEmpty = "pool_empty",
    /// Packets that left later than they should have by more than the operator allows.
    SentLate = "sent_late",
    /// The worst of these, in nanoseconds.
    WorstLate = "late_worst_ns",
    /// By so much the schedule was moved because packets were late, in nanoseconds.
    Moved = "late_moved_ns",
    /// Packets whose time has come and that are still here.
    Owed = "owed",
    /// Polls in which a port that reads a capture gave nothing.
    Dry = "dry",
    /// 1: the generator has said that it makes no more.
    Finished = "finished",
    /// Calls with packets.
    Batches = "batches",
    /// Polls.
    Polls = "polls",
    /// Cycles of polls in which packets were handled.
    BusyCycles = "busy_cycles",
    /// Cycles in which a chain that had used its share of the lcore waited for the others.
    WaitedCycles = "waited_cycles",
    /// Packets of those polls whose phases were measured.
    TimedPackets = "timed_packets",
    /// Cycles of these polls: taking packets from the source.
    CyclesRx = "cycles_rx",
    /// Telling modules of them.
    CyclesPublish = "cycles_publish",
    /// Modules' calls.
    CyclesGuest = "cycles_guest",
    /// Reading what modules said.
    CyclesCollect = "cycles_collect",
    /// Handing packets to ports and rings.
    CyclesTx = "cycles_tx",
    /// Freeing packets.
    CyclesFree = "cycles_free",
    /// The module said so.
    Verdict = "verdict",
    /// In a batch whose call trapped or passed its deadline.
    Trap = "trap",
    /// Came to an instance that had trapped before.
    Failed = "failed",
    /// Came from its port shorter than an Ethernet header.
    TooShort = "too_short",
    /// A flow rule said so.
    FlowDrop = "flow_drop",
    /// A flow rule led to an rx queue that has too many packets waiting.
    QueueFull = "queue_full",
    /// Did not pass the chain's filter.
    Filtered = "filtered",
    /// Its flow goes to a ring that presses.
    Backpressure = "backpressure",
    /// Address or length outside the packet's room, or made shorter than an Ethernet header.
    BadDescriptor = "bad_descriptor",
    /// A verdict that does not exist, or a ring that does not.
    BadVerdict = "bad_verdict",
    /// Tx to a port that the module was not granted, or that its chain has no queue on.
    NotGranted = "tx_not_granted",
    /// A tx queue that the module was not granted.
    QueueNotGranted = "queue_not_granted",
    /// A ring that the module was not granted.
    RingNotGranted = "ring_not_granted",
    /// More than the module's rate.
    OverRate = "over_rate",
    /// A source address that the module was not granted, or one that cannot be made out.
    BadSource = "bad_source",
    /// Passed on by the last stage of a chain that has no tx port.
    NoNext = "no_next",
    /// The port's queue was full.
    TxFull = "tx_full",
    /// The port's interface was down.
    LinkDown = "link_down",
    /// The port's driver refuses this packet, and takes others.
    TxRefused = "tx_refused",
    /// The ring was full.
    RingFull = "ring_full",
    /// Longer than the port's MTU allows.
    TooLong = "too_long",
    /// Its time had passed by more than the operator allows, who wants such packets dropped.
    Late = "late",
    /// Unknown tx flags, or layer lengths that do not fit the packet.
    BadOffload = "bad_offload",
    /// The module holds as much as it may.
    HoldQuota = "hold_quota",
    /// Held for longer than it may be.
    HoldExpired = "hold_expired",
    /// Verdict Listed, but not in the output list.
    Unlisted = "unlisted",
    /// More packets passed on than a batch holds.
    BatchFull = "batch_full",
    /// Several segments or outside the window, and too long for a room.
    TooLongForRoom = "too_long_for_room",
    /// Several segments or outside the window, and no room was free to copy it into.
    NoRoom = "no_room",
    /// Held by an instance that another one has replaced.
    Replaced = "replaced",
    /// Still held, pending or in a ring when the run stopped.
    Stop = "stop",
}

/// One value per counter, owned by an lcore.
#[derive(Clone, Debug)]
pub struct Counters([u64; ALL.len()]);

impl Default for Counters {
    fn default() -> Self {
        Self([0; ALL.len()])
    }
}

impl Counters {
    /// Adds to a counter.
    #[inline]
    pub fn add(&mut self, counter: Counter, n: usize) {
        self.0[counter as usize] += n as u64;
    }

    /// Puts another value in place.
    #[inline]
    pub fn set(&mut self, counter: Counter, value: u64) {
        self.0[counter as usize] = value;
    }

    /// The value of a counter.
    #[inline]
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    /// All drops.
    pub fn dropped(&self) -> u64 {
        self.0[Counter::Verdict as usize..].iter().sum()
    }

    /// Drops by cause, without those that are 0.
    pub fn drops(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let from = Counter::Verdict as usize;
        NAMES[from..].iter().copied().zip(self.0[from..].iter().copied()).filter(|(_, n)| *n != 0)
    }
}

/// Counters as others see them: written by one lcore, read by the control thread, always from one moment (a sequence
/// lock; the reader tries again where the writer came between).
#[derive(Debug)]
pub struct Shared {
    version: AtomicU64,
    /// How long polls with packets took; beside the lock, for each bucket is a number of its own.
    pub times: BatchTimes,
    values: [AtomicU64; ALL.len()],
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            version: AtomicU64::new(0),
            times: BatchTimes::default(),
            values: [const { AtomicU64::new(0) }; ALL.len()],
        }
    }
}

impl Shared {
    /// Writes all values; one writer only.
    pub fn publish(&self, counters: &Counters) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        for (place, value) in self.values.iter().zip(counters.0) {
            place.store(value, Ordering::Relaxed);
        }
        self.version.store(version + 2, Ordering::Release);
    }

    /// Reads all values as they were at one moment.
    pub fn read(&self) -> Counters {
        loop {
            let before = self.version.load(Ordering::Acquire);
            let mut counters = Counters::default();
            for (value, place) in counters.0.iter_mut().zip(&self.values) {
                *value = place.load(Ordering::Relaxed);
            }
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == before {
                return counters;
            }
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_reader_never_sees_half_of_an_update() {
        let shared = Shared::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut counters = Counters::default();
                for _ in 0..100_000 {
                    counters.add(Counter::Received, 1);
                    counters.add(Counter::Sent, 1);
                    shared.publish(&counters);
                }
            });
            for _ in 0..10_000 {
                let seen = shared.read();
                assert_eq!(seen.get(Counter::Received), seen.get(Counter::Sent));
            }
        });
    }

    #[test]
    fn drops_are_named() {
        let mut counters = Counters::default();
        counters.add(Counter::TxFull, 3);
        counters.add(Counter::Verdict, 2);
        assert_eq!(counters.drops().collect::<Vec<_>>(), [("verdict", 2), ("tx_full", 3)]);
    }
}
