//! What the operator writes; README.md has the table.

use crate::fib::room;
use crate::interfaces::{Interface, Interfaces};
use crate::neighbours::Limits;
use crate::share::Role;
use crate::slow::Bounds;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use perigee_guest::serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::state::SECOND;
use perigee_guest::wire::Mac;
use perigee_guest::{Refusal, Setup, Text};

/// Most routes and neighbours of the configuration; messages bring more.
pub(crate) const LINES: usize = 64;
/// Most neighbours, and most packets that wait.
const NEIGHBOURS_MAX: u32 = 65_536;
const HOLD_MAX: u32 = 4_096;

/// The configuration.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct Config {
    interfaces: Lines<InterfaceConfig>,
    /// Lines as behind `route add`.
    #[serde(default)]
    pub(crate) routes: Lines<Text<240>>,
    /// Lines such as `192.0.2.9 lladdr 02:00:00:00:00:09 dev 0`.
    #[serde(default)]
    pub(crate) neighbours: Lines<Text<100>>,
    #[serde(default)]
    pub(crate) role: Role,
    /// By which a fast instance hands packets to the slow one.
    pub(crate) ring: Option<u16>,
    #[serde(default)]
    pub(crate) ecmp: Ecmp,
    #[serde(default)]
    icmp: IcmpConfig,
    #[serde(default)]
    neighbour: NeighbourConfig,
}

/// A port with addresses.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
struct InterfaceConfig {
    port: u16,
    addresses: Lines<Text<48>>,
    mtu: Option<u16>,
    /// By default that of the port.
    mac: Option<Mac>,
    #[serde(default)]
    advertise: bool,
}

/// By what packets are spread over several next hops.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Ecmp {
    /// Addresses, protocol and ports.
    #[default]
    Ports,
    /// Addresses and protocol.
    Addresses,
}

#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
struct IcmpConfig {
    rate: u32,
    burst: u32,
}

impl Default for IcmpConfig {
    fn default() -> Self {
        Self { rate: 1_000, burst: 100 }
    }
}

#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
struct NeighbourConfig {
    max: u32,
    unresolved: u32,
    reachable: u32,
    queue: u8,
    hold: u32,
}

impl Default for NeighbourConfig {
    fn default() -> Self {
        Self { max: 4_096, unresolved: 256, reachable: 30, queue: 3, hold: 256 }
    }
}

impl Config {
    pub(crate) fn interfaces(&self, setup: &Setup<'_>) -> Result<Interfaces, Refusal> {
        let mut interfaces = Interfaces::new();
        for config in self.interfaces.iter() {
            let Some(port) = setup.ports().get(usize::from(config.port)) else {
                let mut text = Text::from("interfaces: there is no port ");
                text.push_number(config.port.into())
                    .push(": the run's ports are numbered from 0, in the order of [[port]]");
                return Err(text.into());
            };
            if config.mtu.is_some_and(|mtu| mtu > port.mtu) {
                return Err(wrong(config.port, " has a longer mtu than its port: configure the port's as well"));
            }
            let mtu = config.mtu.unwrap_or(port.mtu);
            let mac = config.mac.unwrap_or(Mac(port.mac));
            if mac.is_zero() || mac.is_multicast() {
                return Err(wrong(config.port, " has no MAC address of one station: the port has none, so say `mac`"));
            }
            let mut interface = Interface::new(mac, mtu, config.advertise);
            config.addresses.iter().try_for_each(|address| interface.add(address.as_str()))?;
            if !interface.has_good_mtu() {
                return Err(wrong(config.port, " has an mtu below 1280 (68 without IPv6): make it longer"));
            }
            if port.may_tx == 0 {
                return Err(wrong(
                    config.port,
                    " may not be sent to: name its port in `grants.tx` and in the chain's `tx`",
                ));
            }
            interfaces.add(config.port, interface)?;
        }
        if interfaces.iter().next().is_none() {
            return Err(Refusal::new("interfaces: at least one, as { port = 0, addresses = [\"192.0.2.1/24\"] }"));
        }
        Ok(interfaces)
    }

    pub(crate) fn limits(&self) -> Result<Limits, Refusal> {
        let NeighbourConfig { max, unresolved, reachable, .. } = self.neighbour;
        if !(4..=NEIGHBOURS_MAX).contains(&max) || unresolved == 0 || unresolved > max / 2 {
            return Err(Refusal::new("neighbour: max is 4 to 65536, and unresolved from 1 to half of it"));
        }
        Ok(Limits {
            neighbours: size(max),
            unresolved: size(unresolved),
            reachable: u64::from(reachable.max(1)) * SECOND,
        })
    }

    pub(crate) fn bounds(&self) -> Result<Bounds, Refusal> {
        if self.neighbour.hold > HOLD_MAX {
            return Err(Refusal::new("neighbour: hold is 4096 packets at most"));
        }
        Ok(Bounds {
            queue: self.neighbour.queue,
            hold: size(self.neighbour.hold),
            icmp_rate: self.icmp.rate.into(),
            icmp_burst: self.icmp.burst.into(),
        })
    }
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn wrong(port: u16, why: &str) -> Refusal {
    let mut text = Text::from("interfaces: that of port ");
    text.push_number(port.into()).push(why);
    text.into()
}

/// A list of at most [`LINES`] values, in the heap: a list of that size in the configuration itself would fill the stack.
pub(crate) struct Lines<T>(Vec<T>);

impl<T> Lines<T> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lines<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LinesVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for LinesVisitor<T> {
            type Value = Lines<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Lines<T>, A::Error> {
                let mut lines = room(LINES).map_err(A::Error::custom)?;
                while let Some(line) = seq.next_element()? {
                    if lines.len() == LINES {
                        return Err(A::Error::custom("a list has 64 entries at most: messages bring more routes"));
                    }
                    lines.push(line);
                }
                Ok(Lines(lines))
            }
        }
        deserializer.deserialize_seq(LinesVisitor(PhantomData))
    }
}
