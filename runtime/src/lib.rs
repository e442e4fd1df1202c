//! Perigee's runtime: sandboxed WebAssembly packet modules on DPDK ports.
//!
//! ```no_run
//! use perigee_runtime::{Run, config::Config};
//! let config = Config::parse(&std::fs::read_to_string("run.toml")?, "run.toml")?;
//! let run = Run::start(&config, std::path::Path::new("."))?;
//! std::thread::sleep(std::time::Duration::from_secs(1));
//! let summary = run.stop();
//! assert!(summary.accounting.balanced);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `datapath/chain.rs` has the data path in one function, `datapath/stage/` joins DPDK's packets and wasm's descriptors,
//! `run.rs` is the control path. docs/architecture.md tells the rest.

#[doc(hidden)]
pub mod bench;

mod capture;
mod fault;
mod graph;
mod latencies;
mod lcores;
mod losses;
mod manifest;
mod options;
mod parts;
mod profiling;
mod readers;
mod run;
mod setup;
pub mod sim;
mod snapshot;
mod swap;
mod target;

pub use capture::filter_instructions;
pub use perigee_config as config;
#[doc(hidden)]
pub use perigee_datapath::filter::Lone as LoneFilter;
pub use perigee_datapath::stream::Change as StreamChange;
pub use perigee_dpdk::{clocks, describe};
pub use perigee_evidence::{EvidenceOptions, Recording, Replay, Verdict};
pub use perigee_jail as jail;
pub use perigee_load as load;
pub use perigee_measure::times::Times;
pub use perigee_pace as pace;
#[doc(hidden)]
pub use perigee_pcap::capture::count_packets;
pub use perigee_pcap::file::Facts as RecordingFacts;
pub use perigee_profile as profile;
pub use perigee_report::text;
pub use perigee_report::{
    Accounting, ApplyReport, BatchTime, CalibrationKey, ChainReport, ChainStats, ClockPair, ClockQuality, Clocks,
    Distribution, Drift, Error, EvidenceStats, FaultClass, FitStats, Floor, FlowStats, GapShare, GapStats, Graph,
    GraphChain, GraphRing, GraphSource, Interval, LcoreStats, LoadStats, Machine, Manifest, ModuleFacts, ModuleInfo,
    ModuleState, ModuleStats, Numbers, ObservedStats, Origin, PaceStats, PartTimes, PathCounts, PathStats, Percentile,
    PercentileValue, PhaseCycles, PoolLevel, PoolStats, PortClock, PortDescription, PortFacts, PortMeaning, PortStats,
    ReplayStats, RingPressure, RingStats, SeatReport, Snapshot, StageTimes, StampTrial, Stamps, StreamFacts,
    StreamState, StreamStats, Summary, SwapReport, Swaps, TickerGaps, TimeStats, UNWRITTEN, WireStats,
};
pub use perigee_trial as trial;
pub use perigee_wasm::confined::{confined, take_signals};
pub use perigee_wasm::limits::Limits;
pub use perigee_wasm::module::inspect;
#[doc(hidden)]
pub use perigee_wasm::module::inspect_bytes;
pub use perigee_wasm::stack::with_guest_stack;
pub use perigee_wasm::uninterrupted::longest_operation;

pub use capture::{Capture, CaptureInfo, CaptureRequest, CaptureStatus, HistoryStatus, LaneInfo, PlaceInfo, Teller};
pub use latencies::{Latencies, Latency};
pub use options::{Calibrated, Options};
pub use run::Run;
pub use swap::SwapOptions;
pub use target::{ModuleEntry, Target};
