//! What can go wrong before packets flow. On the data path nothing is an error: a packet is dropped and counted.

use super::Problem;
use std::path::PathBuf;

/// Why a run could not be started or a request could not be served. Each text says where, what, and how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration contradicts itself or the machine.
    #[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Config {
        /// All that was found, not just the first.
        problems: Vec<Problem>,
    },
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// DPDK's environment layer did not start.
    #[error("DPDK did not start: {0}")]
    Eal(String),
    /// A port did not start.
    #[error("port {name:?} ({device}): {what}")]
    Port {
        /// Its name in the configuration.
        name: String,
        /// What was asked of DPDK.
        device: String,
        /// What failed and what to do.
        what: String,
    },
    /// A chain's filter could not be compiled.
    #[error("chain {chain:?}: filter: {what}")]
    Filter {
        /// The chain's name in the configuration.
        chain: String,
        /// What is wrong with it.
        what: String,
    },
    /// The packets' memory could not be made.
    #[error("packet memory: {0}")]
    Memory(String),
    /// A module was refused.
    #[error("module {name:?}: {what}")]
    Module {
        /// Its name in the configuration, or its file.
        name: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// A thread or lcore could not be set up.
    #[error("lcore {lcore}: {what}")]
    Lcore {
        /// The CPU's number.
        lcore: usize,
        /// What failed and what to do.
        what: String,
    },
    /// Packets cannot be captured as they were asked for.
    #[error("capture: {0}")]
    Capture(String),
    /// The process could not give up its rights.
    #[error("jail: {0}")]
    Jail(String),
    /// A module was not replaced; the one that was there goes on.
    #[error("module {name:?} is not replaced, the one that is there goes on ({step}): {what}")]
    Swap {
        /// Its name in the configuration.
        name: String,
        /// The step that failed: `load`, `check`, `canary`, `prepare` or `switch`.
        step: &'static str,
        /// What is wrong and what to do.
        what: String,
    },
    /// A crash bundle could not be used.
    #[error("{}: {what}", path.display())]
    Evidence {
        /// The bundle's folder.
        path: PathBuf,
        /// What is wrong with it and what to do.
        what: String,
    },
    /// A request to a running module was not served.
    #[error("{0}")]
    Request(String),
}
