//! What the operator can say; README.md has the table.

use core::net::IpAddr;
use perigee_guest::config::List;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::state::MILLISECOND;
use perigee_guest::wire::Mac;
use perigee_guest::{Refusal, Setup, Verdict};
use stamp_wire::{
    AUTHENTICATED_BASE, BASE, Clock, ErrorEstimate, Format, KeyFormat, Mode, PORT, Secrets, is_host, is_node,
};

/// Most packets that can wait for their answers.
pub(crate) const WINDOW: u32 = 16_384;
/// Most bytes of padding: so that the packet with all headers and two tags fits 1,500 bytes.
const PADDING_MAX: usize = 1_380;
/// As many packets as a tick of a millisecond has rooms for.
const INTERVAL_MIN: u32 = 20;

/// The configuration.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct Config {
    destination: IpAddr,
    source: IpAddr,
    destination_mac: Mac,
    #[serde(default)]
    mac: Option<Mac>,
    #[serde(default)]
    vlans: List<u16, 2>,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    destination_port: Option<u16>,
    #[serde(default)]
    source_port: Option<u16>,
    #[serde(default)]
    interval_us: Option<u32>,
    #[serde(default)]
    timeout_ms: Option<u32>,
    #[serde(default)]
    pub(crate) count: u32,
    #[serde(default)]
    ssid: Option<u16>,
    #[serde(default)]
    dscp: u8,
    #[serde(default)]
    padding: u16,
    #[serde(default)]
    timestamps: Timestamps,
    #[serde(default)]
    synchronized: bool,
    #[serde(default)]
    error_ns: Option<u64>,
    #[serde(default)]
    tai_offset: Option<u64>,
    #[serde(default)]
    pub(crate) one_way: bool,
    #[serde(default)]
    other: Other,
    #[serde(default)]
    key_format: Option<KeyFormat>,
    #[serde(default)]
    secrets: Option<Secrets>,
}

/// The format of timestamps.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Timestamps {
    #[default]
    Ntp,
    Ptp,
}

/// What becomes of packets that are no answers to us.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Other {
    #[default]
    Drop,
    Next,
}

/// Who asks whom: what all packets of the session have in common.
#[derive(Clone, Copy)]
pub(crate) struct Session {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) mac: Mac,
    pub(crate) destination_mac: Mac,
    pub(crate) vlans: [Option<u16>; 2],
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) ssid: u16,
    pub(crate) dscp: u8,
    /// Bytes of padding behind the base; 0: none.
    pub(crate) padding: u16,
    pub(crate) estimate: ErrorEstimate,
}

impl Config {
    pub(crate) fn session(&self, own: Mac) -> Result<Session, Refusal> {
        let is_one = |address: IpAddr| match address {
            IpAddr::V4(address) => is_host(address),
            IpAddr::V6(address) => is_node(address),
        };
        if !is_one(self.destination) || !is_one(self.source) || self.source.is_ipv4() != self.destination.is_ipv4() {
            return Err(Refusal::new("destination, source: two addresses of hosts, both of IPv4 or both of IPv6"));
        }
        let mac = self.mac.unwrap_or(own);
        if [mac, self.destination_mac].iter().any(|mac| mac.is_multicast() || mac.is_zero()) {
            return Err(Refusal::new("mac, destination_mac: not the address of one station"));
        }
        let (source_port, destination_port) =
            (self.source_port.unwrap_or(50_862), self.destination_port.unwrap_or(PORT));
        if source_port == 0 || destination_port == 0 || source_port == destination_port {
            return Err(Refusal::new("source_port, destination_port: 1 to 65535, and not the same"));
        }
        if self.dscp > 63 {
            return Err(Refusal::new("dscp: 0 to 63"));
        }
        let longer = if self.secrets.is_some() { AUTHENTICATED_BASE - BASE } else { 0 };
        if usize::from(self.padding) + longer > PADDING_MAX {
            return Err(Refusal::new("padding: at most 1380, or 1312 in authenticated mode"));
        }
        let mut vlans = [None; 2];
        for (place, vlan) in vlans.iter_mut().zip(self.vlans.iter()) {
            *place = Some(*vlan);
        }
        Ok(Session {
            source: self.source,
            destination: self.destination,
            mac,
            destination_mac: self.destination_mac,
            vlans,
            source_port,
            destination_port,
            ssid: self.ssid.unwrap_or(1),
            dscp: self.dscp,
            padding: self.padding,
            estimate: ErrorEstimate::new(self.error_ns.unwrap_or(1_000_000), self.synchronized, self.format()),
        })
    }

    /// With a key packets are authenticated, else they are not.
    pub(crate) fn mode(&self) -> Result<Mode, Refusal> {
        Mode::new(self.secrets.as_ref(), self.key_format)
    }

    fn format(&self) -> Format {
        if self.timestamps == Timestamps::Ptp { Format::Ptp } else { Format::Ntp }
    }

    /// The port to send by, and its MAC address.
    pub(crate) fn port(&self, setup: &Setup<'_>) -> Result<(u16, Mac), Refusal> {
        let Some(port) = self.port.or(setup.next_port()) else {
            return Err(Refusal::new("port: the chain has no `tx`, so say which port to send by"));
        };
        match setup.ports().get(usize::from(port)) {
            Some(info) => Ok((port, Mac(info.mac))),
            None => Err(Refusal::new("port: this run has no port of that number")),
        }
    }

    /// Nanoseconds between two packets.
    pub(crate) fn interval(&self) -> Result<u64, Refusal> {
        match self.interval_us.unwrap_or(100_000) {
            0..INTERVAL_MIN => Err(Refusal::new("interval_us: at least 20")),
            interval => Ok(u64::from(interval) * 1_000),
        }
    }

    /// Nanoseconds after which a packet counts as lost.
    pub(crate) fn timeout(&self) -> Result<u64, Refusal> {
        let timeout = u64::from(self.timeout_ms.unwrap_or(1_000)) * MILLISECOND;
        if timeout == 0 || timeout > 60_000 * MILLISECOND {
            return Err(Refusal::new("timeout_ms: 1 to 60000"));
        }
        // Those that are made ahead of their time wait, too.
        if timeout / self.interval()? >= u64::from(WINDOW / 2) {
            return Err(Refusal::new("timeout_ms: at most 8192 intervals, so that all that wait can be remembered"));
        }
        Ok(timeout)
    }

    pub(crate) fn clock(&self, start: u64) -> Result<Clock, Refusal> {
        match self.tai_offset.unwrap_or(37) {
            tai_offset @ 0..=3_600 => Ok(Clock { start, tai_offset }),
            _ => Err(Refusal::new("tai_offset: seconds by which atomic time is ahead of UTC, such as 37")),
        }
    }

    pub(crate) fn other(&self) -> Verdict {
        if self.other == Other::Next { Verdict::NEXT } else { Verdict::DROP }
    }
}
