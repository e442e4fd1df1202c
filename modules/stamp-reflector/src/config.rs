//! What the operator can say; README.md has the table.

use core::net::IpAddr;
use perigee_guest::config::List;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::state::{FlowLimits, SECOND};
use perigee_guest::{Refusal, Verdict};
use stamp_wire::{Clock, ErrorEstimate, Format, KeyFormat, PORT, Secrets, is_host, is_node};

/// Most addresses.
pub(crate) const ADDRESS_MAX: usize = 32;
/// Most sessions.
const SESSION_MAX: u32 = 16_384;

/// The configuration.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) addresses: List<IpAddr, ADDRESS_MAX>,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    sessions: Option<u32>,
    #[serde(default)]
    idle_s: Option<u32>,
    #[serde(default)]
    pub(crate) timestamps: Timestamps,
    #[serde(default)]
    pub(crate) sync: Sync,
    #[serde(default)]
    error_ns: Option<u64>,
    #[serde(default)]
    tai_offset: Option<u64>,
    #[serde(default)]
    extensions: Option<bool>,
    #[serde(default)]
    pub(crate) same_port: bool,
    #[serde(default)]
    other: Other,
    #[serde(default)]
    key_format: Option<KeyFormat>,
    #[serde(default)]
    secrets: Option<Secrets>,
}

/// Whether sessions are told apart (RFC 8762, section 4.2).
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Mode {
    #[default]
    Stateless,
    Stateful,
}

/// The format of timestamps.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Timestamps {
    /// That of the sender's packet.
    #[default]
    Sender,
    /// NTP's.
    Ntp,
    /// PTPv2's.
    Ptp,
}

impl Timestamps {
    /// The format for an answer to a packet with this estimate.
    pub(crate) fn format(self, sender: ErrorEstimate) -> Format {
        match self {
            Self::Sender => sender.format(),
            Self::Ntp => Format::Ntp,
            Self::Ptp => Format::Ptp,
        }
    }
}

/// What the clock is set by (RFC 8972, section 4.3).
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Sync {
    Ntp = 1,
    Ptp = 2,
    SsuBits = 3,
    Gnss = 4,
    /// Nothing: it runs free.
    #[default]
    Local = 5,
}

/// What becomes of packets that are not answered.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Other {
    #[default]
    Drop,
    Next,
}

impl Config {
    /// Checks what can be wrong with the addresses.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let is_one = |address: &IpAddr| match *address {
            IpAddr::V4(address) => is_host(address),
            IpAddr::V6(address) => is_node(address),
        };
        if self.addresses.iter().all(is_one) {
            return Ok(());
        }
        Err(Refusal::new("addresses: only addresses of one host can be answered for"))
    }

    pub(crate) fn port(&self) -> Result<u16, Refusal> {
        match self.port.unwrap_or(PORT) {
            0 => Err(Refusal::new("port: 1 to 65535; STAMP's is 862")),
            port => Ok(port),
        }
    }

    /// How many sessions are told apart, and for how long; nothing where they are not.
    pub(crate) fn sessions(&self, seed: u64) -> Result<Option<FlowLimits>, Refusal> {
        if self.mode == Mode::Stateless {
            if self.sessions.is_some() || self.idle_s.is_some() {
                return Err(Refusal::new("sessions, idle_s: only with mode = \"stateful\""));
            }
            return Ok(None);
        }
        let (sessions, idle) = (self.sessions.unwrap_or(1_024), self.idle_s.unwrap_or(900));
        if !(1..=SESSION_MAX).contains(&sessions) {
            return Err(Refusal::new("sessions: 1 to 16384"));
        }
        if idle == 0 {
            return Err(Refusal::new("idle_s: at least 1"));
        }
        Ok(Some(FlowLimits::new(sessions, seed).idle(u64::from(idle) * SECOND)))
    }

    /// The error estimates for both formats.
    pub(crate) fn estimate(&self, format: Format) -> ErrorEstimate {
        ErrorEstimate::new(self.error_ns.unwrap_or(1_000_000), self.sync != Sync::Local, format)
    }

    pub(crate) fn clock(&self, start: u64) -> Result<Clock, Refusal> {
        match self.tai_offset.unwrap_or(37) {
            tai_offset @ 0..=3_600 => Ok(Clock { start, tai_offset }),
            _ => Err(Refusal::new("tai_offset: seconds by which atomic time is ahead of UTC, such as 37")),
        }
    }

    /// With a key packets are authenticated, else they are not.
    pub(crate) fn authentication(&self) -> Result<stamp_wire::Mode, Refusal> {
        stamp_wire::Mode::new(self.secrets.as_ref(), self.key_format)
    }

    pub(crate) fn extensions(&self) -> bool {
        self.extensions.unwrap_or(true)
    }

    pub(crate) fn other(&self) -> Verdict {
        if self.other == Other::Next { Verdict::NEXT } else { Verdict::DROP }
    }
}
