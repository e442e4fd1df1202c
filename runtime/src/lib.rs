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
//! `chain.rs` has the data path in one function, `stage.rs` joins DPDK's packets and wasm's descriptors, `run.rs` is the
//! control path. docs/architecture.md tells the rest.

#[doc(hidden)]
pub mod bench;
pub mod config;
pub mod control;
pub mod ports;
pub mod trial;

mod batch_times;
mod chain;
mod clock;
mod counters;
mod dpdk;
mod error;
mod evidence;
mod fault;
pub mod grants;
mod held;
mod input_end;
pub mod jail;
mod lanes;
mod lcore;
pub mod load;
mod offload;
mod options;
mod outlet;
mod run;
mod setup;
mod source;
mod stage;
mod stats;
mod swap;
mod wasm;
mod xdp;

pub use batch_times::BatchTime;
pub use error::Error;
pub use evidence::{EvidenceOptions, EvidenceStats, Replay, Verdict};
pub use fault::{FaultClass, ModuleState};
#[doc(hidden)]
pub use input_end::count_packets;
pub use options::Options;
pub use run::Run;
pub use stats::{
    Accounting, ChainStats, LcoreStats, ModuleStats, PoolLevel, PoolStats, PortDescription, PortStats, RingStats,
    Snapshot, Summary, TickerGaps,
};
pub use swap::{ApplyReport, ChainReport, SeatReport, SwapOptions, SwapReport, Swaps};
#[doc(hidden)]
pub use wasm::module::inspect_bytes;
pub use wasm::module::{Limits, ModuleInfo, Numbers, inspect};
pub use wasm::uninterrupted::longest_operation;
