//! What ports tell of themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Counters of a port since its start, as its driver gives them.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct PortStats {
    /// Name in the configuration.
    pub name: String,
    /// Device string.
    pub device: String,
    /// Driver's name.
    pub driver: String,
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes received, without frame check sequence.
    pub rx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes sent, without frame check sequence.
    pub tx_bytes: u64,
    /// Packets that the device dropped because nobody took them.
    pub rx_missed: u64,
    /// Packets received with an error.
    pub rx_errors: u64,
    /// Packets lost because the pool was empty.
    pub rx_nombuf: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Of these, packets that the driver counted as sent and that were not in its file at the end.
    pub unwritten: u64,
    /// Bytes that the driver has written and that are not in its files, with the headers of their records.
    pub unwritten_bytes: u64,
    /// Packets that were in the port's own ring at the end (net_ring): sent to it, and never received.
    pub discarded: u64,
    /// Packets that the kernel dropped in front of an AF_PACKET or AF_XDP port, because its ring was full.
    pub kernel_drops: u64,
    /// Packets that did not come in because they are longer than the driver takes whole.
    pub rx_too_long: u64,
    /// The link is up.
    pub link_up: bool,
    /// Times that the link went down.
    pub link_downs: u64,
    /// What happened to the link, to the interface or card below, or to the peer, each with its time since the port's start.
    pub events: Vec<String>,
    /// Speed in Mbit/s; 0 where unknown.
    pub speed_mbps: u32,
    /// All further counters of the driver that are not 0.
    pub xstats: BTreeMap<String, u64>,
    /// What became of what it sent, where it is an end of a simulated wire.
    pub wire: Option<WireStats>,
    /// How its files are played, where it plays any.
    pub replay: Option<ReplayStats>,
    /// What these counters mean with this driver.
    pub means: PortMeaning,
    /// Its flow rules, in the order of the configuration.
    pub flows: Vec<FlowStats>,
}

/// What became of the packets that an end of a simulated wire has sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct WireStats {
    /// Lost on the line.
    pub lost: u64,
    /// Dropped because the wire's queue was full.
    pub queue_full: u64,
    /// Dropped from that queue by random early detection.
    pub early: u64,
    /// On the line when the link went down.
    pub cut: u64,
    /// Came twice.
    pub duplicated: u64,
    /// Should have come twice, but the receiving port's pool was empty.
    pub not_duplicated: u64,
    /// Came with one bit turned over.
    pub corrupted: u64,
    /// Came late, behind others.
    pub reordered: u64,
    /// Have not been fetched yet.
    pub under_way: u64,
    /// Frames that filled the line between packets: this end sent them, the other one dropped them. They are in no other figure.
    pub filler: u64,
    /// Came with a time of departure that had passed, and left at once.
    pub past: u64,
}

/// How a port's files are played. What is left out of them, and what their times are like, is counted once, whatever the rounds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct ReplayStats {
    /// Packets that were played.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rounds that are over, in all queues.
    pub rounds: u64,
    /// Packets that came later than their time by more than [`Self::late_from_ns`].
    pub late: u64,
    /// What counts as late, nanoseconds.
    pub late_from_ns: u64,
    /// How late the latest one was, nanoseconds.
    pub late_worst_ns: u64,
    /// Times that packets were due and no room was free for them: they came later.
    pub waited_for_rooms: u64,
    /// Packets in a round.
    pub in_round: u64,
    /// Times in the files that are earlier than one before.
    pub backwards: u64,
    /// Packets for which the files have no time.
    pub timeless: u64,
    /// Packets of which the files have less than they had.
    pub snapped: u64,
    /// Packets that are left out because they are longer than the port's MTU allows.
    pub too_long: u64,
    /// Packets that are left out because nothing makes a frame of them.
    pub not_ethernet: u64,
    /// Files that end within a record.
    pub cut: u64,
    /// Memory that they take, bytes: all of them, or what is read ahead.
    pub memory: u64,
    /// They are read from the disk while they are played.
    pub from_disk: bool,
    /// Packets that came late because the disk had not given them yet; with `speed=max` times that lcores waited for it.
    pub starved: u64,
    /// How long packets were due that the disk had not given yet, nanoseconds, in all queues together.
    pub starved_ns: u64,
    /// Rounds in which the files were not what they had been before the start: somebody wrote to them.
    pub changed: u64,
}

/// What a port's counters mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct PortMeaning {
    /// What became of packets that count as sent.
    pub sent: String,
    /// The driver counts packets as sent of which it cannot know, and nobody else here either.
    pub is_sent_believed: bool,
    /// Where packets come from that count as received.
    pub received: String,
    /// What counts as missed.
    pub missed: String,
}

/// One flow rule of a port, and how it fares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct FlowStats {
    /// What packets must look like, in words.
    pub matches: String,
    /// What becomes of them: `queue 1`, `mark 7`, `drop`.
    pub action: String,
    /// Who does it: `port`, or `software`.
    pub place: String,
    /// Why the port does not.
    pub reason: Option<String>,
    /// Packets that have met it; `None` where the port does not count them.
    pub hits: Option<u64>,
}

/// What DPDK sees of a device.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PortDescription {
    /// Device string.
    pub device: String,
    /// Driver's name.
    pub driver: String,
    /// MAC address.
    pub mac: String,
    /// The link is up.
    pub link_up: bool,
    /// Speed in Mbit/s; 0 where unknown.
    pub speed_mbps: u32,
    /// NUMA node; -1 where any.
    pub numa_node: i32,
    /// Most rx queues.
    pub max_rx_queues: u16,
    /// Most tx queues.
    pub max_tx_queues: u16,
    /// Largest MTU.
    pub max_mtu: u16,
    /// Names of the rx offloads.
    pub rx_offloads: Vec<String>,
    /// Names of the tx offloads.
    pub tx_offloads: Vec<String>,
    /// It spreads flows over rx queues.
    pub rss: bool,
    /// It stamps packets on rx.
    pub rx_timestamps: bool,
    /// It sends at a given time.
    pub tx_at_time: bool,
    /// Its packets are copied into the window instead of received there.
    pub copies_on_rx: bool,
}
