//! What the operator can say; README.md has the table.

use crate::participant::Participant;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::{Lacp, Mac};
use perigee_guest::{Refusal, Setup};

/// The configuration.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
pub(crate) struct Config {
    port: Option<u16>,
    system: Option<Mac>,
    system_priority: u16,
    key: u16,
    number: Option<u16>,
    port_priority: u16,
    mode: Mode,
    timeout: Timeout,
    pub(crate) gate: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: None,
            system: None,
            system_priority: 0x8000,
            key: 1,
            number: None,
            port_priority: 0x8000,
            mode: Mode::Active,
            timeout: Timeout::Fast,
            gate: true,
        }
    }
}

/// Who speaks first.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Mode {
    /// We do.
    Active,
    /// The partner.
    Passive,
}

/// How often we want to hear of the partner.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Timeout {
    /// Each second; it is out after three.
    Fast,
    /// Each 30 seconds; it is out after 90.
    Slow,
}

impl Config {
    pub(crate) fn is_active(&self) -> bool {
        self.mode == Mode::Active
    }

    /// The port to speak by, and its MAC address.
    pub(crate) fn port(&self, setup: &Setup<'_>) -> Result<(u16, Mac), Refusal> {
        let Some(port) = self.port.or(setup.next_port()) else {
            return Err(Refusal::new("port: the chain has no `tx`, so say which port this is"));
        };
        match setup.ports().get(usize::from(port)) {
            Some(info) => Ok((port, Mac(info.mac))),
            None => Err(Refusal::new("port: this run has no port of that number")),
        }
    }

    /// Our end.
    pub(crate) fn actor(&self, port: u16, mac: Mac) -> Result<Participant, Refusal> {
        let system = self.system.unwrap_or(mac);
        if system.is_multicast() || system.is_zero() {
            return Err(Refusal::new("system: not the address of one station"));
        }
        let number = self.number.unwrap_or(port.saturating_add(1));
        if number == 0 || self.key == 0 {
            return Err(Refusal::new("number and key: at least 1"));
        }
        Ok(Participant {
            system_priority: self.system_priority,
            system,
            key: self.key,
            port_priority: self.port_priority,
            port: number,
            state: if self.timeout == Timeout::Fast { Lacp::SHORT_TIMEOUT } else { 0 },
        })
    }
}
