//! What a run was made of: enough to repeat it, and to judge its figures.

use crate::Origin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of this table.
pub const MANIFEST_FORMAT: u32 = 1;

/// What a run was made of.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct Manifest {
    /// [`MANIFEST_FORMAT`].
    pub format: u32,
    /// Perigee's version.
    pub perigee: String,
    /// The ABI's.
    pub abi: u32,
    /// Wasmtime's.
    pub wasmtime: String,
    /// DPDK's.
    pub dpdk: String,
    /// The machine.
    pub machine: Machine,
    /// Unix time at its beginning, nanoseconds.
    pub started_unix_ns: u64,
    /// Where its random numbers began.
    pub seed: u64,
    /// The clock by which it measured.
    pub clock: ClockQuality,
    /// Its modules.
    pub modules: Vec<ModuleFacts>,
    /// Its ports.
    pub ports: Vec<PortFacts>,
    /// By what its streams were paced.
    pub streams: Vec<StreamFacts>,
    /// Its configuration, as it was written; `None` where it was made by a command's arguments.
    pub config: Option<String>,
    /// The command that it was started by.
    pub command: Vec<String>,
}

/// The machine that a run was on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct Machine {
    /// The CPU, as the kernel calls it.
    pub cpu: String,
    /// How many of them the process might use.
    pub cpus: usize,
    /// The kernel's release.
    pub kernel: String,
}

/// How good the clock was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct ClockQuality {
    /// Cycles of the time stamp counter in a second, as measured at the beginning, by which all times were told.
    pub tsc_hz: u64,
    /// By how much that differs from what was measured over the whole run, by CLOCK_MONOTONIC_RAW: millionths; positive where the
    /// run's clock was slow.
    pub off_ppm: f64,
    /// How sure that is: both clocks are read some 100 ns apart. Millionths.
    pub unsure_ppm: f64,
}

/// A module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct ModuleFacts {
    /// Name in the configuration.
    pub name: String,
    /// The file that the configuration has for it.
    pub file: String,
    /// Its digest, and who vouches for it.
    pub origin: Origin,
    /// What is told of its secrets, by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
}

/// A port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct PortFacts {
    /// Name in the configuration.
    pub name: String,
    /// Its device.
    pub device: String,
    /// Its driver.
    pub driver: String,
    /// What its link carried at the beginning, Mbit/s; 0 where nobody knows.
    pub speed_mbps: u32,
}

/// A stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct StreamFacts {
    /// Name in the configuration.
    pub name: String,
    /// Who let its packets go at their times.
    pub method: String,
    /// The calibration of its port by which that was chosen; `None` where there is none.
    pub calibration: Option<String>,
}

/// What a calibration holds for: of anything else it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct CalibrationKey {
    /// The port's driver.
    pub driver: String,
    /// Its device.
    pub device: String,
    /// What its link carries, Mbit/s; 0 where nobody knows.
    pub speed_mbps: u32,
    /// The CPU, as the kernel calls it.
    pub cpu: String,
    /// The kernel's release.
    pub kernel: String,
    /// DPDK's version.
    pub dpdk: String,
}

impl CalibrationKey {
    /// Of a port of a run.
    #[must_use]
    pub fn new(port: &PortFacts, machine: &Machine, dpdk: &str) -> Self {
        Self {
            driver: port.driver.clone(),
            device: port.device.clone(),
            speed_mbps: port.speed_mbps,
            cpu: machine.cpu.clone(),
            kernel: machine.kernel.clone(),
            dpdk: dpdk.to_owned(),
        }
    }
}
