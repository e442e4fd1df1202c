//! What can go wrong before packets flow. On the data path nothing is an error: a packet is dropped and counted.

use crate::config::Problem;
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
    /// The process could not give up its rights.
    #[error("jail: {0}")]
    Jail(String),
    /// A request to a running module was not served.
    #[error("{0}")]
    Request(String),
}
