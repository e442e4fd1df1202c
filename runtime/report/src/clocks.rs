//! What is told of clocks: those of ports beside the system's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A port's clock.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct PortClock {
    /// The device.
    pub device: String,
    /// Its driver.
    pub driver: String,
    /// How its clock is read; `None` where it has none that can be.
    pub read_by: Option<String>,
    /// What the driver said to the calls that did not work.
    pub refused: Vec<String>,
    /// Received packets may carry times.
    pub rx_timestamps: bool,
    /// How long a reading takes, at best, nanoseconds.
    pub reading_ns: u64,
    /// How it runs beside CLOCK_MONOTONIC_RAW; `None` where it stands still or goes back.
    pub beside_raw: Option<Drift>,
    /// What is odd about it.
    pub remark: Option<String>,
}

/// How one clock runs beside another.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct Drift {
    /// Ticks in a second; 1,000,000,000 of a clock in nanoseconds.
    pub hz: f64,
    /// By how much a clock in nanoseconds is fast, millionths; below 0: slow. `None` of one whose ticks have no stated length.
    pub ppm: Option<f64>,
    /// How far `hz` and `ppm` may be wrong, millionths: two standard deviations.
    pub unsure_ppm: f64,
    /// The farthest that a reading was from an even rate, nanoseconds.
    pub worst_ns: f64,
    /// How often both were read.
    pub readings: usize,
}

/// All clocks that were looked at.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct Clocks {
    /// How long they were looked at, nanoseconds.
    pub took_ns: u64,
    /// The time stamp counter beside CLOCK_MONOTONIC_RAW.
    pub tsc: Option<Drift>,
    /// CLOCK_REALTIME beside it: what the system's time is slewed by.
    pub realtime: Option<Drift>,
    /// The ports' clocks.
    pub ports: Vec<PortClock>,
    /// Of two clocks of ports in nanoseconds, how the second runs beside the first.
    pub pairs: Vec<ClockPair>,
    /// Which packets are stamped, where that was tried.
    pub trials: Vec<StampTrial>,
    /// Ports that did not come up, and why.
    pub failed: Vec<String>,
}

/// What became of packets of one kind that were sent from the first port to the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct StampTrial {
    /// What they were.
    pub packet: String,
    /// How many the sender took.
    pub sent: u32,
    /// Of how many it gave the time (`rte_eth_timesync_read_tx_timestamp`).
    pub tx_stamped: u32,
    /// How many came.
    pub came: u32,
    /// How many carried a time (DPDK's dynamic field).
    pub rx_in_packet: u32,
    /// How many were flagged as stamped (`RTE_MBUF_F_RX_IEEE1588_TMST`).
    pub rx_flagged: u32,
    /// Of how many the receiver gave the time (`rte_eth_timesync_read_rx_timestamp`).
    pub rx_in_register: u32,
}

/// Two ports' clocks.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct ClockPair {
    /// The device of the one that is compared with.
    pub first: String,
    /// The device of the other one.
    pub second: String,
    /// How the second runs beside the first.
    pub drift: Option<Drift>,
}
