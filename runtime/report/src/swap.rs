//! What swaps, and changed configurations, tell afterwards.

use schemars::JsonSchema;
use serde::Serialize;

/// How a swap went: what took how long, what moved, what it cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct SwapReport {
    /// Which swap of the run it was, from 1.
    pub number: u64,
    /// The module's name in the configuration.
    pub module: String,
    /// SHA-256 of the bytes before, in hexadecimal.
    pub old_digest: String,
    /// And after.
    pub new_digest: String,
    /// Nanoseconds that it took to check and compile the new module.
    pub load_ns: u64,
    /// To try it on packets that nobody misses.
    pub canary_ns: u64,
    /// To make its instances, windows mapped.
    pub prepare_ns: u64,
    /// From the first order to an lcore to the last answer; lcores look for orders once a millisecond.
    pub switch_ns: u64,
    /// What happened at each place where the module works.
    pub seats: Vec<SeatReport>,
    /// The longest of the pauses.
    pub max_pause_ns: u64,
    /// Packets that the switch itself cost: dropped by the instances that went, or by a failing new one.
    pub lost: u64,
    /// Packets that the read ports missed while the lcores were switched. Under more load than the run can bear, some of
    /// them would have been missed anyway.
    pub missed: u64,
    /// Packets a second that came to the switched chains meanwhile.
    pub offered_per_second: f64,
    /// Lost and missed packets divided by the offered rate, nanoseconds: CSIT's effective blocked time
    /// (<https://s3-docs.fd.io/csit/rls1908_1/report/introduction/methodology_reconf.html>).
    pub blocked_ns: u64,
    /// Why the old instances work again, where they do: a new one failed within the grace period.
    pub rolled_back: Option<String>,
}

/// What happened in one stage of a chain on one lcore.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SeatReport {
    /// Name of the chain.
    pub chain: String,
    /// The lcore's CPU.
    pub lcore: u32,
    /// Which of the chain's stages, a generating source included, from 0.
    pub stage: usize,
    /// From the end of the lcore's last poll before to the beginning of the first one after, nanoseconds. All seats of an
    /// lcore are switched in one pause.
    pub pause_ns: u64,
    /// The new instance has taken over the old one's state.
    pub state_moved: bool,
    /// Bytes of state that went through the mailbox.
    pub state_bytes: u64,
    /// Bytes of the flat state region, which moves without a copy.
    pub region_bytes: u64,
    /// Held packets that the new instance holds now.
    pub held_moved: u64,
    /// Held packets that the old instance gave back in its last call.
    pub held_returned: u64,
    /// Held packets that nobody took: dropped as `replaced`.
    pub held_dropped: u64,
}

/// The swaps of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Swaps {
    /// That were done.
    pub done: u64,
    /// That were refused or undone at the switch: the old module went on.
    pub refused: u64,
    /// That were undone because the new module failed within its grace period.
    pub rolled_back: u64,
    /// The newest reports, the latest last.
    pub latest: Vec<SwapReport>,
}

/// What became of a changed configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct ApplyReport {
    /// All differences, one text for each, as `config::Action` writes them.
    pub actions: Vec<String>,
    /// Those of them that need a restart. Where there is one, nothing was done.
    pub restart: Vec<String>,
    /// The chains that got other stages, by lcore.
    pub chains: Vec<ChainReport>,
    /// The swaps that were made.
    pub swaps: Vec<SwapReport>,
}

/// What happened to a chain on one lcore when it got other stages. Those that stayed have lost nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChainReport {
    /// Its name.
    pub chain: String,
    /// The lcore's CPU.
    pub lcore: u32,
    /// Its modules now, in order.
    pub modules: Vec<String>,
    /// From the end of the lcore's last poll before to the beginning of the first one after, nanoseconds.
    pub pause_ns: u64,
    /// Packets that the stages which went had held and gave back in their last call.
    pub held_returned: u64,
    /// Held packets that nobody took: dropped as `replaced`.
    pub held_dropped: u64,
    /// Packets that the chain dropped in all this, for any cause.
    pub lost: u64,
}
