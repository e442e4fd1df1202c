//! What a run is made of, as a value: ports, modules, rings, and the chains that join them.
//!
//! A [`Config`] comes from a TOML file ([`Config::parse`]) or is built in code ([`Config::generate`],
//! [`Config::forward`], or field by field). Nothing here touches a port or a module: [`Config::validate`] is a pure
//! function that gives every problem at once, and only a `Config` without errors is started.

mod backpressure;
pub mod bounds;
pub mod capture;
pub mod device;
mod diff;
mod domains;
pub mod drivers;
mod fault;
pub mod file;
pub mod flow;
mod grants;
pub mod history;
mod load;
mod lookup;
mod mac;
pub mod needs;
mod parse;
pub mod path;
mod placement;
mod rooms;
mod rss;
mod run;
pub mod secret;
mod shares;
mod short;
pub mod sim;
pub mod sizes;
pub mod stream;
pub mod trigger;
pub mod user;
mod validate;
pub mod values;
pub mod wire;

#[cfg(test)]
mod tests;

use serde::Deserialize;
use std::collections::BTreeMap;

pub use backpressure::Backpressure;
pub use diff::Action;
pub use drivers::DeviceText;
pub use fault::{OnFault, Restart};
pub use flow::INBOX;
pub use flow::{FlowAction, FlowMatch, FlowProtocol, FlowRule, PortRange};
pub use grants::{ClockGrant, Grants, Hostcall};
pub use load::{Directory, Load};
pub use mac::Mac;
pub use parse::{ConfigError, Located, locate};
pub use perigee_report::{Problem, Severity};
pub use placement::{Placed, allowed_cpus};
pub use rss::FUNCTIONS as RSS_FUNCTIONS;
#[doc(hidden)]
pub use rss::bits as rss_bits;
pub use rss::{Rss, RssFunction, RssKey};
pub use run::{HugePages, Idle, JailMode, Run};
pub use validate::Captures;
pub use validate::{closest, grantable};
pub use values::{
    ModuleConfig, parse_duration, parse_metrics_address, parse_origin, parse_rate, parse_size, parse_web_address,
};

/// A whole run. The positions in `ports` and `rings` are the numbers that modules see.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What concerns the run as a whole.
    #[serde(default)]
    pub run: Run,
    /// How modules are loaded, and which may be.
    #[serde(default)]
    pub load: Load,
    /// What a simulation has beside a run, which does not look at it.
    #[serde(default)]
    pub sim: sim::Sim,
    /// The ports. A port's number is its position here.
    #[serde(default, rename = "port")]
    pub ports: Vec<Port>,
    /// The modules, each compiled once.
    #[serde(default, rename = "module")]
    pub modules: Vec<Module>,
    /// Rings from one lcore to another. A ring's number is its position here.
    #[serde(default, rename = "ring")]
    pub rings: Vec<Ring>,
    /// The chains: each takes packets from one source through its stages to ports and rings.
    #[serde(default, rename = "chain")]
    pub chains: Vec<Chain>,
    /// The streams: when the packets of chains leave. Those of a chain without one leave as soon as they can.
    #[serde(default, rename = "stream")]
    pub streams: Vec<stream::Stream>,
    /// The paths: what is measured of packets that pass by, the same one seen at two places.
    #[serde(default, rename = "path")]
    pub paths: Vec<path::MeasuredPath>,
    /// The captures that `perigee run` makes from the first packet to the last.
    #[serde(default, rename = "capture")]
    pub capturing: Vec<capture::Capture>,
    /// The packets that the run remembers.
    #[serde(default, rename = "history")]
    pub histories: Vec<history::History>,
    /// What is waited for in them.
    #[serde(default, rename = "trigger")]
    pub triggers: Vec<trigger::Trigger>,
}

/// A DPDK port: `[[port]]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// What chains call it.
    pub name: String,
    /// A virtual device with its arguments, as `net_pcap0,rx_pcap=in.pcap`, or a PCI address, as `0000:01:00.0`.
    pub device: String,
    /// Largest layer-3 packet in bytes, 68 to 16000.
    #[serde(default = "values::mtu")]
    pub mtu: u16,
    /// Takes packets for any MAC address.
    #[serde(default = "values::yes")]
    pub promiscuous: bool,
    /// Takes VLAN tags off the packets and into their metadata; in software where the port cannot.
    #[serde(default)]
    pub vlan_strip: bool,
    /// Uses what the port does in hardware; `false`: checksums and tags are done in software.
    #[serde(default = "values::yes")]
    pub offload: bool,
    /// Has the kernel say when probes leave by it, as a second observer.
    #[serde(default)]
    pub observe: bool,
    /// Descriptors of each rx queue.
    #[serde(default = "values::descriptors")]
    pub rx_descriptors: u16,
    /// Descriptors of each tx queue.
    #[serde(default = "values::descriptors")]
    pub tx_descriptors: u16,
    /// Number of rx queues; `None`: the highest that a chain reads, plus 1 ([`Config::rx_queues`] says it).
    #[serde(default)]
    pub rx_queues: Option<u16>,
    /// Number of tx queues that each lcore owns on this port.
    #[serde(default = "values::one")]
    pub tx_queues_per_lcore: u16,
    /// Data rooms of the pool that its rx queues fill; `None`: [`Config::port_pool`] works it out.
    #[serde(default)]
    pub pool: Option<u32>,
    /// How it spreads flows over its rx queues; `None`: by IP, TCP, UDP and SCTP, as far as it can.
    #[serde(default)]
    pub rss: Option<Rss>,
    /// What becomes of some of its packets before a chain has them: the first rule that a packet meets decides.
    #[serde(default, rename = "flow")]
    pub flows: Vec<FlowRule>,
}

/// A module and what it may do: `[[module]]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// What chains call it.
    pub name: String,
    /// The module's file, `.wasm` or `.wat`; relative to the configuration's directory.
    pub file: String,
    /// The name that its signature must carry, where a policy asks for signatures; `None`: its own.
    #[serde(default)]
    pub signed_as: Option<String>,
    /// Its trust domain: modules of one domain can read and write each other's packets.
    #[serde(default = "values::domain")]
    pub domain: String,
    /// What it may do.
    #[serde(default)]
    pub grants: Grants,
    /// What its failure leads to; `None`: [`Module::on_fault`] says it.
    #[serde(default)]
    pub on_fault: Option<OnFault>,
    /// How an instance that failed is replaced, where [`Self::on_fault`] is to restart it.
    #[serde(default)]
    pub restart: Restart,
    /// What the module finds in its mailbox at `init`.
    #[serde(default)]
    pub config: Option<ModuleConfig>,
    /// Its secrets by their names, which it finds there too and nobody else anywhere.
    #[serde(default)]
    pub secrets: BTreeMap<String, secret::SecretEntry>,
}

/// A ring that carries packets to another lcore: `[[ring]]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ring {
    /// What chains call it.
    pub name: String,
    /// Places for packets, a power of two.
    #[serde(default = "values::ring_size")]
    pub size: u32,
    /// Above a mark it stops those whose packets go there; `None`: it never does.
    #[serde(default)]
    pub backpressure: Option<Backpressure>,
}

/// A chain of stages on one or several lcores: `[[chain]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// What statistics call it. [`Config::parse`] fills in `chain0`, `chain1`, ... where the file says nothing.
    #[serde(default)]
    pub name: String,
    /// The CPUs it runs on, each with instances of its own. Empty: one, chosen by [`Config::placement`].
    #[serde(default, deserialize_with = "values::lcores")]
    pub lcores: Vec<u32>,
    /// Its share of an lcore's time beside other chains there, 1 to 1000: one of weight 2 gets twice as much as one of weight 1.
    #[serde(default = "values::weight")]
    pub weight: u32,
    /// Where its packets come from.
    pub source: Source,
    /// In libpcap's language, which packets it takes: others are dropped before its first module; `None`: all.
    #[serde(default)]
    pub filter: Option<String>,
    /// The modules that its packets pass, in order.
    #[serde(default)]
    pub stages: Vec<String>,
    /// The ports it may send to. The first is where packets go that the last stage passes on. The port that it reads
    /// from is granted to a chain that names no port at all: naming one more would cost a tx queue on it.
    #[serde(default)]
    pub tx: Vec<String>,
    /// What to do with packets that a full port or ring does not take; `None`: [`Chain::when_full`] decides.
    #[serde(default)]
    pub when_full: Option<WhenFull>,
    /// It is measured how long packets take in each part of it.
    #[serde(default)]
    pub stage_times: bool,
}

/// Where a chain's packets come from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "values::RawSource")]
pub enum Source {
    /// The rx queues of a port, one for each of the chain's lcores.
    Port {
        /// The port's name.
        port: String,
        /// The first lcore's queue; the following lcores read the following queues.
        queue: u16,
    },
    /// A module that makes packets, one instance for each of the chain's lcores.
    Module {
        /// The module's name.
        module: String,
        /// Data rooms of each instance's own pool; `None`: [`Config::generator_pool`] works it out.
        pool: Option<u32>,
    },
    /// A ring that other chains fill.
    Ring {
        /// The ring's name.
        ring: String,
    },
}

/// What a chain does with packets that a full port or ring does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenFull {
    /// Tries again until they are taken: nothing is lost, and the chain goes as fast as its slowest part.
    Wait,
    /// Frees and counts them: waiting would add latency to all packets behind.
    Drop,
}

impl Port {
    /// A port with all defaults.
    #[must_use]
    pub fn new(name: &str, device: &str) -> Self {
        Self {
            name: name.to_owned(),
            device: device.to_owned(),
            mtu: values::mtu(),
            promiscuous: true,
            vlan_strip: false,
            offload: true,
            observe: false,
            rx_descriptors: values::descriptors(),
            tx_descriptors: values::descriptors(),
            rx_queues: None,
            tx_queues_per_lcore: 1,
            pool: None,
            rss: None,
            flows: Vec::new(),
        }
    }

    /// Whether the device is made by a driver in software (`net_null0`, `net_tap1,...`), not found on the PCI bus.
    #[must_use]
    pub fn is_virtual(&self) -> bool {
        !self.is_card()
    }

    /// Whether its packets are those of capture files, by net_pcap.
    pub fn reads_capture(&self) -> bool {
        self.device_text().values("rx_pcap").next().is_some()
    }

    /// Whether it is a card on the PCI bus.
    pub fn is_card(&self) -> bool {
        is_pci_address(&self.device)
    }
}

impl Module {
    /// A module with no grants and no configuration.
    #[must_use]
    pub fn new(name: &str, file: &str) -> Self {
        Self {
            name: name.to_owned(),
            file: file.to_owned(),
            signed_as: None,
            domain: values::domain(),
            grants: Grants::default(),
            on_fault: None,
            restart: Restart::default(),
            config: None,
            secrets: BTreeMap::new(),
        }
    }
}

impl Chain {
    /// What becomes of packets that do not fit: a generator waits, for it can make fewer; all others drop, for packets
    /// that wait would delay the ones behind them.
    #[must_use]
    pub fn when_full(&self) -> WhenFull {
        self.when_full.unwrap_or(match self.source {
            Source::Module { .. } => WhenFull::Wait,
            Source::Port { .. } | Source::Ring { .. } => WhenFull::Drop,
        })
    }

    /// The ports that it may send to: those that it names, or where it names none the one that it reads.
    pub fn granted_ports(&self) -> impl Iterator<Item = &String> {
        let own = match &self.source {
            Source::Port { port, .. } => Some(port),
            _ => None,
        };
        self.tx.iter().chain(own.filter(|_| self.tx.is_empty()))
    }

    /// Its packets may leave by that port. Those of a chain that names none and has no module are only looked at.
    #[must_use]
    pub fn sends_to(&self, port: &str) -> bool {
        let has_way = !self.tx.is_empty() || self.modules().next().is_some();
        has_way && self.granted_ports().any(|granted| granted == port)
    }

    /// Its modules in the order of its packets' way: the one that makes them, where one does, and the stages.
    pub fn modules(&self) -> impl Iterator<Item = &String> {
        let generator = match &self.source {
            Source::Module { module, .. } => Some(module),
            _ => None,
        };
        generator.into_iter().chain(&self.stages)
    }

    /// Its packets come from that ring.
    pub(crate) fn reads_ring(&self, name: &str) -> bool {
        matches!(&self.source, Source::Ring { ring } if ring == name)
    }

    /// On how many lcores it runs.
    #[must_use]
    pub fn width(&self) -> usize {
        self.lcores.len().max(1)
    }
}

/// Whether `device` looks like `0000:01:00.0` or `01:00.0`.
pub fn is_pci_address(device: &str) -> bool {
    let address = device.split(',').next().unwrap_or("");
    let mut parts = address.rsplit(':');
    let (Some(slot), Some(bus)) = (parts.next(), parts.next()) else { return false };
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let function = slot.split_once('.').is_some_and(|(slot, function)| hex(slot) && hex(function));
    function && hex(bus) && parts.all(hex)
}
