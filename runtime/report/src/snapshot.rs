//! What a run tells of itself: everything here was counted, by us or by the port's driver; nothing is derived from what was
//! asked for.

use super::{Manifest, ModuleState, Origin, PaceStats, PathStats, PortStats, StageTimes, StrangerCounts, StreamStats};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Counters of a run at one moment (each chain's from one moment; chains up to a tick apart).
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct Snapshot {
    /// Nanoseconds since the lcores started.
    pub elapsed_ns: u64,
    /// Rate of the time stamp counter, in which cycles are given.
    pub tsc_hz: u64,
    /// Longest time between two ticks of the epoch clock so far, nanoseconds: deadlines are late by up to this.
    pub ticker_worst_gap_ns: u64,
    /// Half of the times between two ticks were no longer, nanoseconds, to two digits; 1 ms where nothing is in the way.
    pub ticker_gap_p50_ns: u64,
    /// 999 of 1,000 were no longer.
    pub ticker_gap_p999_ns: u64,
    /// Failures of modules that were counted, but whose texts were lost because too many waited.
    pub faults_lost: u64,
    /// The ports, by number.
    pub ports: Vec<PortStats>,
    /// The chains, one entry per lcore that runs them.
    pub chains: Vec<ChainStats>,
    /// The streams, in the order of the configuration.
    pub streams: Vec<PaceStats>,
    /// What was measured of those streams that have probes.
    pub measured: Vec<StreamStats>,
    /// What was measured of packets that pass by, in the order of the configuration.
    pub paths: Vec<PathStats>,
    /// How long packets take in the parts of those chains that ask for it.
    pub stage_times: Vec<StageTimes>,
    /// What came where probes are read, and is none.
    pub strangers: StrangerCounts,
    /// The lcores, in the order in which they were placed.
    pub lcores: Vec<LcoreStats>,
    /// The modules, one entry per instance.
    pub modules: Vec<ModuleStats>,
    /// Crash bundles, where they are wanted.
    pub evidence: Option<EvidenceStats>,
    /// The rings, by number.
    pub rings: Vec<RingStats>,
    /// The pools, as full as they are now.
    pub pool_levels: Vec<PoolLevel>,
}

/// Times between two ticks of the clock behind deadlines, which is to tick each millisecond: to two digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TickerGaps {
    /// How many there were.
    pub ticks: u64,
    /// Half of them were no longer, nanoseconds.
    pub p50_ns: u64,
    /// 999 of 1,000 were no longer, nanoseconds.
    pub p999_ns: u64,
    /// The longest, nanoseconds.
    pub worst_ns: u64,
}

/// Counters of one chain on one lcore.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct ChainStats {
    /// Name in the configuration.
    pub name: String,
    /// CPU that it runs on.
    pub lcore: u32,
    /// Packets from its port.
    pub received: u64,
    /// Packets that its modules made, copies included.
    pub created: u64,
    /// The ring that it reads, where it reads one.
    pub ring: Option<String>,
    /// Packets from its ring.
    pub from_ring: u64,
    /// Packets of its port that flow rules brought from other rx queues, whose chains have received them.
    pub from_queue: u64,
    /// Packets that flow rules handed to other rx queues.
    pub to_queue: u64,
    /// Packets that ports took.
    pub sent: u64,
    /// Their bytes, without frame check sequence.
    pub sent_bytes: u64,
    /// Packets that rings took.
    pub to_ring: u64,
    /// Packets dropped, by cause; causes without packets are left out.
    pub dropped: BTreeMap<String, u64>,
    /// Packets that its modules hold, or that wait for a full port or ring.
    pub held: u64,
    /// Packets copied into a room.
    pub copied_in: u64,
    /// Entries of output lists that named no packet of the module's.
    pub bad_outputs: u64,
    /// Entries of output lists that would have made packets without the grant `create`.
    pub create_not_granted: u64,
    /// Departure times that no port could honour.
    pub tx_time_ignored: u64,
    /// Packets that passed by a stage whose instance has failed (no drops: they went on).
    pub bypassed: u64,
    /// Times that the generator's pool was empty.
    pub pool_empty: u64,
    /// Calls into modules with packets.
    pub batches: u64,
    /// Polls of the source.
    pub polls: u64,
    /// Cycles of polls in which packets came.
    pub cycles_busy: u64,
    /// Cycles in which it waited because it had used its share of its lcore, and other chains there had not.
    pub cycles_waited: u64,
    /// `cycles_busy` by packets taken from the source; `None` before the first.
    pub cycles_per_packet: Option<f64>,
    /// What its cycles go into, of one poll in 251 that brought packets.
    pub phases: PhaseCycles,
    /// How long polls took in which packets came.
    pub batch_time: BatchTime,
}

/// Cycles by what a chain does with a burst, of those polls that were measured: all together, not of one packet. Nothing in a simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct PhaseCycles {
    /// Packets of these polls: cycles of a packet are those below by this.
    pub packets: u64,
    /// Taking packets from the source: a port, a ring, a generator's pool.
    pub rx: u64,
    /// Telling modules of them.
    pub publish: u64,
    /// Modules' calls.
    pub guest: u64,
    /// Reading what modules said, and sorting packets by it.
    pub collect: u64,
    /// Handing packets to ports and rings.
    pub tx: u64,
    /// Freeing packets that were dropped. What ports free of packets that have left is in `tx`.
    pub free: u64,
}

impl PhaseCycles {
    /// Each with its name, in the order of a packet's way.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("rx", self.rx),
            ("publish", self.publish),
            ("guest", self.guest),
            ("collect", self.collect),
            ("tx", self.tx),
            ("free", self.free),
        ]
    }

    /// Since another reading of the same chain.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(before.packets),
            rx: self.rx.saturating_sub(before.rx),
            publish: self.publish.saturating_sub(before.publish),
            guest: self.guest.saturating_sub(before.guest),
            collect: self.collect.saturating_sub(before.collect),
            tx: self.tx.saturating_sub(before.tx),
            free: self.free.saturating_sub(before.free),
        }
    }
}

impl ChainStats {
    /// Packets that it took from its source, whatever that is.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.received + self.created + self.from_ring + self.from_queue
    }

    /// All drops.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.values().sum()
    }
}

/// How long the polls of a chain took in which packets came: source, all stages, ways out. A batch's own time is a part of
/// it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct BatchTime {
    /// Polls with packets.
    pub count: u64,
    /// Half of them took at most so many nanoseconds. Quantiles are the upper ends of buckets, which are at most 6.25 %
    /// wide.
    pub p50_ns: u64,
    /// 99 % of them.
    pub p99_ns: u64,
    /// 99.9 % of them.
    pub p999_ns: u64,
    /// The longest one.
    pub max_ns: u64,
    /// Buckets that are not empty: their upper end in nanoseconds, and polls in them.
    #[serde(skip)]
    pub buckets: Vec<(u64, u64)>,
}

/// How many bundles there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceStats {
    /// Bundles written.
    pub written: u64,
    /// Failures without one: their module had enough of them, or there were too many bytes.
    pub skipped: u64,
    /// Failures whose bundle could not be written, as when the disk was full.
    pub failed: u64,
}

/// What one instance of a module says and how it fares. Its counters are its own word, not a measurement of ours.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct ModuleStats {
    /// Name in the configuration.
    pub name: String,
    /// Where it comes from: its digest, and who vouches for it.
    pub origin: Origin,
    /// The chain that it runs in.
    pub chain: String,
    /// CPU that it runs on.
    pub lcore: u32,
    /// Its counters, by the names that it gave them.
    pub counters: BTreeMap<String, u64>,
    /// Whether it runs.
    pub state: ModuleState,
    /// Nanoseconds until a new instance is made, where one is waited for.
    pub restart_in_ns: Option<u64>,
    /// Why the instance does not run any more.
    pub failed: Option<String>,
    /// The last failure on this seat, after which others may have come.
    pub last_fault: Option<String>,
    /// Failures of the instances on this seat so far, by class; classes without are left out.
    pub faults: BTreeMap<String, u64>,
    /// Instances that took the seat after the first one: restarts and swaps.
    pub installs: u64,
    /// Log lines that were lost because it wrote too many.
    pub log_lost: u64,
    /// Hostcalls that did nothing because they were not granted.
    pub hostcalls_denied: u64,
    /// Messages that it has told other modules: each counts once, however many instances it came to.
    pub told: u64,
    /// Messages that it could not tell them: the queue of an instance was full, or they were too long.
    pub tell_full: u64,
    /// Messages of other modules that it has taken.
    pub heard: u64,
    /// Messages of other modules that it refused, that were longer than its mailbox, or that came while it did not run.
    pub hear_refused: u64,
}

/// One lcore.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
pub struct LcoreStats {
    /// CPU that it runs on.
    pub lcore: u32,
    /// For how long it gives no sign of life, nanoseconds; 0 while that is less than `run.watchdog`.
    pub stuck_ns: u64,
    /// The longest such time so far.
    pub stuck_worst_ns: u64,
}

/// One ring.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct RingStats {
    /// Name in the configuration.
    pub name: String,
    /// Packets in it.
    pub count: u32,
    /// Packets that it holds at most.
    pub size: u32,
    /// Whether it stops those whose packets go there; `None` where it never does.
    pub backpressure: Option<RingPressure>,
}

/// How a ring stops those whose packets go there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct RingPressure {
    /// It does so now.
    pub presses: bool,
    /// How often it began.
    pub times: u64,
    /// For how long it has done so in all, nanoseconds.
    pub ns: u64,
}

/// The cause under which packets count that a port took and that are not in its file.
pub const UNWRITTEN: &str = "unwritten";

/// The whole run: `received + created = sent + dropped + held`, or a packet was lost.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Accounting {
    /// Packets from ports.
    pub received: u64,
    /// Packets that modules made.
    pub created: u64,
    /// Packets that ports took, and that are in their files where they are written to files.
    pub sent: u64,
    /// Packets dropped, by cause.
    pub dropped: BTreeMap<String, u64>,
    /// Packets still held; 0 after a stop.
    pub held: u64,
    /// The equation holds.
    pub balanced: bool,
}

impl Accounting {
    /// Adds up chains, and what their ports did not write.
    pub fn of(chains: &[ChainStats], unwritten: u64) -> Self {
        let sum = |field: fn(&ChainStats) -> u64| chains.iter().map(field).sum::<u64>();
        let mut dropped = BTreeMap::new();
        for (cause, n) in chains.iter().flat_map(|c| &c.dropped) {
            *dropped.entry(cause.clone()).or_insert(0) += n;
        }
        let (received, created, sent, held) =
            (sum(|c| c.received), sum(|c| c.created), sum(|c| c.sent), sum(|c| c.held));
        // What a port took and did not write is nothing that was sent.
        let sent = sent.saturating_sub(unwritten);
        if unwritten > 0 {
            dropped.insert(UNWRITTEN.to_owned(), unwritten);
        }
        let balanced = received + created == sent + dropped.values().sum::<u64>() + held;
        Self { received, created, sent, dropped, held, balanced }
    }
}

/// One pool while packets flow.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct PoolLevel {
    /// What it is for.
    pub name: String,
    /// Data rooms that it has in all.
    pub size: u32,
    /// Those that nobody uses.
    pub free: u32,
}

/// One pool at the end of a run.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct PoolStats {
    /// What it was for.
    pub name: String,
    /// Packets that it has in all.
    pub size: u32,
    /// Packets that came back.
    pub free: u32,
    /// All came back.
    pub full: bool,
}

/// The end of a run.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Summary {
    /// The last counters.
    #[serde(flatten)]
    pub snapshot: Snapshot,
    /// Every packet is accounted for, or not.
    pub accounting: Accounting,
    /// All pools, after the ports were closed.
    pub pools: Vec<PoolStats>,
    /// What ports lost though their drivers count otherwise: captures that did not come as they were counted, packets that
    /// are not in the file that they were sent to. A text each, with port, number and cause.
    pub losses: Vec<String>,
    /// What it was made of; `None` of a simulation.
    pub manifest: Option<Manifest>,
    /// Why the figures are worth nothing: a module failed on whose failure the run was to end.
    pub invalid: Option<String>,
}
