//! What the operator can say.

use crate::headers::Headers;
use core::net::Ipv4Addr;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::Mac;
use perigee_guest::{Refusal, Setup, Text};

/// Longest payload text.
pub(crate) const PAYLOAD_MAX: usize = 256;

/// The configuration; README.md has the table.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) src_mac: Option<Mac>,
    pub(crate) dst_mac: Mac,
    pub(crate) src: Ipv4Addr,
    pub(crate) src_count: u64,
    pub(crate) dst: Ipv4Addr,
    pub(crate) src_port: u16,
    pub(crate) src_port_count: u32,
    pub(crate) dst_port: u16,
    pub(crate) size: u16,
    pub(crate) payload: Text<PAYLOAD_MAX>,
    pub(crate) vary: Vary,
    pub(crate) checksum: Checksum,
    pub(crate) udp_checksum: bool,
    pub(crate) fill: Fill,
    pub(crate) count: u64,
    pub(crate) port: Option<u16>,
}

/// What differs from packet to packet.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Vary {
    /// Nothing.
    None,
    /// Source address and source port.
    TwoFields,
}

/// Who computes checksums.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Checksum {
    /// Nobody: they are right for the first source only.
    None,
    /// This module.
    Software,
    /// The port, or the host for it.
    Offload,
}

/// When the template is written.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Fill {
    /// Once into each room.
    Once,
    /// Into each packet.
    Always,
}

/// What a frame has before the packet that a port's MTU counts, at most: an Ethernet header and two tags.
const LINK_MAX: u32 = 22;

impl Default for Config {
    fn default() -> Self {
        Self {
            src_mac: None,
            dst_mac: Mac([0x02, 0, 0, 0, 0, 0x02]),
            src: Ipv4Addr::new(10, 0, 0, 0),
            src_count: 256,
            dst: Ipv4Addr::new(10, 1, 0, 1),
            src_port: 32_768,
            src_port_count: 32_768,
            dst_port: 9,
            size: 60,
            payload: Text::new(),
            vary: Vary::TwoFields,
            checksum: Checksum::Software,
            udp_checksum: false,
            fill: Fill::Once,
            count: 0,
            port: None,
        }
    }
}

impl Config {
    /// Finds what is right for each key alone, but not together or not in this run.
    pub(crate) fn check(&self, setup: &Setup<'_>) -> Result<(), Refusal> {
        if self.size < 60 {
            return Err(Refusal::new("size: an Ethernet frame has 60 bytes or more (without frame check sequence)"));
        }
        if setup.room_len() != 0 && u32::from(self.size) > setup.room_len() {
            let mut text = Text::<240>::new();
            text.push("size: a room of this run takes at most ").push_number(setup.room_len().into()).push(" bytes");
            return Err(text.into());
        }
        let port = self.port.or(setup.next_port()).and_then(|port| setup.ports().get(usize::from(port)));
        if let Some(mtu) = port.map(|port| port.mtu).filter(|&mtu| u32::from(self.size) > u32::from(mtu) + LINK_MAX) {
            let mut text = Text::<240>::from("size: ");
            text.push_number(self.size.into()).push(" bytes are more than the port's MTU of ").push_number(mtu.into());
            text.push(" allows (").push_number((u32::from(mtu) + LINK_MAX).into());
            text.push(", with Ethernet header and tags): make it smaller, or the port's mtu larger");
            return Err(text.into());
        }
        if self.payload.as_bytes().len() > usize::from(self.size) - Headers::LEN {
            return Err(Refusal::new("payload: longer than size, less 42 bytes of headers, allows"));
        }
        if self.src_count == 0 || u64::from(u32::from(self.src)) + self.src_count > 1 << 32 {
            return Err(Refusal::new("src_count: 1 or more, and src + src_count within 0.0.0.0 to 255.255.255.255"));
        }
        if self.src_port_count == 0 || u32::from(self.src_port) + self.src_port_count > 1 << 16 {
            return Err(Refusal::new("src_port_count: 1 or more, and src_port + src_port_count at most 65536"));
        }
        if self.port.is_some_and(|port| usize::from(port) >= setup.ports().len()) {
            return Err(Refusal::new("port: this run has no port of that number"));
        }
        if self.udp_checksum && self.checksum == Checksum::None {
            return Err(Refusal::new("udp_checksum: asks for what checksum = \"none\" forbids"));
        }
        Ok(())
    }
}
