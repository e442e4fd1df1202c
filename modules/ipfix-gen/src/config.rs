//! What the operator can say; README.md has the table.

use crate::flows::{Family, Flows};
use crate::{Headers, message_len};
use core::net::Ipv4Addr;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::{Mac, Stack as _};
use perigee_guest::{Refusal, Setup, Text};

/// What a frame has before the packet that a port's MTU counts.
const ETHERNET: usize = 14;
/// Records of a message, where they fit.
const RECORDS: u16 = 20;
/// The port on which collectors listen.
const IPFIX_PORT: u16 = 4739;

/// The configuration.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
pub(crate) struct Config {
    src_mac: Option<Mac>,
    dst_mac: Mac,
    src: Ipv4Addr,
    dst: Ipv4Addr,
    src_port: u16,
    dst_port: u16,
    flows: u32,
    family: Addresses,
    records: Option<u16>,
    pub(crate) template_every: u64,
    pub(crate) domain: u32,
    pub(crate) sequence: u32,
    pub(crate) count: u64,
    seed: Option<u64>,
    pub(crate) port: Option<u16>,
}

/// Which addresses flows have.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Addresses {
    Ipv4,
    Ipv6,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            src_mac: None,
            dst_mac: Mac([2, 0, 0, 0, 0, 2]),
            src: Ipv4Addr::new(10, 0, 0, 1),
            dst: Ipv4Addr::new(10, 1, 0, 1),
            src_port: IPFIX_PORT,
            dst_port: IPFIX_PORT,
            flows: 1_000,
            family: Addresses::Ipv4,
            records: None,
            template_every: 100,
            domain: 1,
            sequence: 0,
            count: 0,
            seed: None,
            port: None,
        }
    }
}

impl Config {
    pub(crate) fn flows(&self, setup: &Setup<'_>) -> Result<Flows, Refusal> {
        if self.flows == 0 {
            return Err(Refusal::new("flows: at least 1"));
        }
        let family = if self.family == Addresses::Ipv4 { Family::V4 } else { Family::V6 };
        // Instances draw different records.
        let (instance, _) = setup.instance();
        let seed = self.seed.map_or(setup.seed(), |seed| seed.wrapping_add(instance.into()));
        Ok(Flows::new(family, self.flows, seed))
    }

    /// The headers of all packets, but for lengths and checksums.
    pub(crate) fn headers(&self, setup: &Setup<'_>) -> Headers {
        let port = self.port.or(setup.next_port()).and_then(|port| setup.ports().get(usize::from(port)));
        let own = port.map(|port| Mac(port.mac)).filter(|mac| !mac.is_zero());
        let mut headers = Headers::initial();
        headers.eth.set_source(self.src_mac.or(own).unwrap_or(Mac([2, 0, 0, 0, 0, 1])));
        headers.eth.set_destination(self.dst_mac);
        headers.ip.set_source(self.src);
        headers.ip.set_destination(self.dst);
        headers.udp.set_source_port(self.src_port);
        headers.udp.set_destination_port(self.dst_port);
        headers
    }

    /// How many records a message has, and whether the template has a message of its own because both do not fit one.
    pub(crate) fn layout(&self, setup: &Setup<'_>, flows: &Flows) -> Result<(u16, bool), Refusal> {
        if self.records == Some(0) || self.template_every == 0 {
            return Err(Refusal::new("records and template_every: at least 1"));
        }
        if self.port.is_some_and(|port| usize::from(port) >= setup.ports().len()) {
            return Err(Refusal::new("port: this run has no port of that number"));
        }
        let port = self.port.or(setup.next_port()).and_then(|port| setup.ports().get(usize::from(port)));
        let mtu = port.map_or(1_500, |port| usize::from(port.mtu));
        let room = usize::try_from(setup.room_len()).unwrap_or(usize::MAX).min(mtu + ETHERNET);
        let fits = |records, template| Headers::LEN + message_len(flows.family(), records, template) <= room;
        let wanted = self.records.unwrap_or(RECORDS);
        let most = (1..=wanted).rev().find(|records| fits(*records, false)).unwrap_or(0);
        let records = match self.records {
            Some(records) if records > most => return Err(too_many(most)),
            Some(records) => records,
            None => (1..=RECORDS).rev().find(|records| fits(*records, true)).unwrap_or(most),
        };
        let is_apart = !fits(records, true);
        if records == 0 || !fits(0, true) {
            return Err(too_many(0));
        }
        if is_apart && self.template_every == 1 {
            return Err(Refusal::new("template_every: at least 2 where the template has no room beside the records"));
        }
        Ok((records, is_apart))
    }
}

/// Says how many records fit.
fn too_many(most: u16) -> Refusal {
    let mut text = Text::<240>::from("records: a packet has room for ");
    text.push_number(most.into());
    text.into()
}
