//! What is told: values that say what was counted and what went wrong. Nothing here does anything, and nothing here knows who
//! makes these values.

mod clocks;
mod error;
mod fault;
mod graph;
mod manifest;
mod module;
mod pace;
mod path;
mod port;
mod problem;
mod snapshot;
mod stages;
mod stamps;
mod stream;
mod swap;
pub mod text;

pub use clocks::{ClockPair, Clocks, Drift, PortClock, StampTrial};
pub use error::Error;
pub use fault::{FaultClass, ModuleState};
pub use graph::{Graph, GraphChain, GraphRing, GraphSource};
pub use manifest::{
    CalibrationKey, ClockQuality, MANIFEST_FORMAT, Machine, Manifest, ModuleFacts, PortFacts, StreamFacts,
};
pub use module::{ModuleInfo, Numbers, Origin};
pub use pace::{PaceStats, StreamState};
pub use path::{PathCounts, PathStats};
pub use port::{FlowStats, PortDescription, PortMeaning, PortStats, ReplayStats, WireStats};
pub use problem::{Problem, Severity};
pub use snapshot::{
    Accounting, BatchTime, ChainStats, EvidenceStats, LcoreStats, ModuleStats, PhaseCycles, PoolLevel, PoolStats,
    RingPressure, RingStats, Snapshot, Summary, TickerGaps, UNWRITTEN,
};
pub use stages::{PartTimes, StageTimes};
pub use stamps::{Floor, ObservedStats, Stamps};
pub use stream::{
    BurstStats, Distribution, FitStats, GapShare, GapStats, Interval, LoadStats, OrderStats, Percentile,
    PercentileValue, ProbeCounts, StrangerCounts, StreamStats, TimeStats, Variation,
};
pub use swap::{ApplyReport, ChainReport, SeatReport, SwapReport, Swaps};
