//! What the operator can say, and what is refused; README.md has the table.

use crate::connections::{Limit, State};
use crate::forward::{Sources, Tunnel};
use crate::maglev::{Permutation, Table, is_prime};
use crate::pool::{Backend, Front, Group, Health, NAME, Pool, Service};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use perigee_guest::config::Many;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::{Mac, protocol};
use perigee_guest::{Refusal, Setup, Text};

/// Least and most places of a table.
const SIZES: core::ops::RangeInclusive<u32> = 251..=1_048_573;
/// Most backends, and most services.
const BACKENDS: usize = 1_024;
const SERVICES: usize = 64;
const WEIGHT_MAX: u16 = 1_000;
/// What each link carries in one piece (RFC 791, RFC 8200).
const LEAST_MTU: (u16, u16) = (68, 1_280);

#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub(crate) struct Config {
    backends: Many<BackendConfig>,
    services: Many<ServiceConfig>,
    #[serde(default = "table_size")]
    table_size: u32,
    #[serde(default)]
    pub(crate) hash_key: Text<16>,
    #[serde(default)]
    source4: Option<Ipv4Addr>,
    #[serde(default)]
    source6: Option<Ipv6Addr>,
    #[serde(default)]
    pub(crate) mtu: Option<u16>,
    #[serde(default)]
    pub(crate) other: Other,
    #[serde(default = "icmp_per_second")]
    pub(crate) icmp_per_second: u32,
    #[serde(default)]
    connections: Entries,
    #[serde(default)]
    idle_s: Idle,
}

#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
struct BackendConfig {
    name: Text<NAME>,
    mac: Mac,
    #[serde(default)]
    address: Option<IpAddr>,
    #[serde(default = "one")]
    weight: u16,
    #[serde(default)]
    port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
struct ServiceConfig {
    address: IpAddr,
    protocol: Protocol,
    port: u16,
    #[serde(default)]
    forward: Forward,
    #[serde(default)]
    vni: u32,
    #[serde(default)]
    backends: Many<Text<NAME>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Protocol {
    Tcp,
    Udp,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
enum Forward {
    #[default]
    Mac,
    Ipip,
    Geneve,
}

/// What becomes of packets that are for no service.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Other {
    /// They go on to the next stage or port of the chain.
    #[default]
    Next,
    /// They are dropped.
    Drop,
}

/// Most entries of each table of connections.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
struct Entries {
    new: u32,
    tcp: u32,
    closing: u32,
    udp: u32,
    fragments: u32,
}

impl Default for Entries {
    fn default() -> Self {
        Self { new: 16_384, tcp: 65_536, closing: 16_384, udp: 16_384, fragments: 1_024 }
    }
}

/// Seconds after which an entry that is not used is forgotten.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields, default)]
struct Idle {
    new: u64,
    tcp: u64,
    closing: u64,
    udp: u64,
    fragments: u64,
}

impl Default for Idle {
    fn default() -> Self {
        Self { new: 10, tcp: 3_600, closing: 60, udp: 60, fragments: 30 }
    }
}

fn table_size() -> u32 {
    65_537
}

fn icmp_per_second() -> u32 {
    100
}

fn one() -> u16 {
    1
}

impl Config {
    /// The balancer's own addresses.
    pub(crate) fn sources(&self) -> Sources {
        Sources { v4: self.source4, v6: self.source6 }
    }

    /// A limit for each state of a connection.
    pub(crate) fn limits(&self) -> Result<[Limit; State::ALL.len()], Refusal> {
        let (entries, idle) = (&self.connections, &self.idle_s);
        let limits = [
            (entries.new, idle.new),
            (entries.tcp, idle.tcp),
            (entries.closing, idle.closing),
            (entries.udp, idle.udp),
            (entries.fragments, idle.fragments),
        ];
        if limits.iter().any(|limit| limit.0 == 0 || limit.1 == 0) {
            return Err(Refusal::new("connections, idle_s: at least 1 of each"));
        }
        Ok(limits.map(|(entries, idle_s)| Limit { entries, idle_s }))
    }

    /// Backends and services, with their tables filled.
    pub(crate) fn pool(&self, setup: &Setup<'_>) -> Result<Pool, Refusal> {
        self.check_size()?;
        let mut pool =
            Pool { backends: self.backends(setup)?, services: Vec::new(), fronts4: Vec::new(), groups: Vec::new() };
        if !(1..=SERVICES).contains(&self.services.0.len()) {
            return Err(Refusal::new("services: 1 to 64"));
        }
        for service in &self.services.0 {
            self.add_service(service, &mut pool, setup)?;
        }
        pool.sort_services();
        if pool.services.windows(2).any(|pair| pair[0].front == pair[1].front) {
            return Err(Refusal::new("services: two have the same address, protocol and port"));
        }
        check_fragments(&pool)?;
        pool.fill();
        Ok(pool)
    }

    fn check_size(&self) -> Result<(), Refusal> {
        let size = self.table_size;
        if SIZES.contains(&size) && is_prime(size) {
            return Ok(());
        }
        let mut text = Text::<240>::from("table_size: a prime from 251 to 1048573");
        if let Some(next) = (size..=*SIZES.end()).find(|number| SIZES.contains(number) && is_prime(*number)) {
            text.push("; the next one is ").push_number(next.into());
        }
        Err(text.into())
    }

    fn backends(&self, setup: &Setup<'_>) -> Result<Vec<Backend>, Refusal> {
        if !(1..=BACKENDS.min(self.table_size as usize)).contains(&self.backends.0.len()) {
            return Err(Refusal::new("backends: 1 to 1024, and no more than the table has places"));
        }
        let mut backends = Vec::new();
        for backend in &self.backends.0 {
            let name = backend.name.as_str();
            let wrong = |what| Err(Refusal::from_parts(&["backends: \"", name, "\": ", what]));
            if name.is_empty() || name.contains(char::is_whitespace) {
                return wrong("a name is one word: messages name backends");
            }
            if !(1..=WEIGHT_MAX).contains(&backend.weight) {
                return wrong("weight is 1 to 1000; what shall get nothing is drained by a message");
            }
            if backend.mac.is_multicast() || backend.mac.is_zero() {
                return wrong("mac: not the address of one station");
            }
            let mut ways = setup.ports().iter().enumerate().filter(|(_, port)| port.may_tx != 0);
            match backend.port {
                Some(port) if !ways.any(|(number, _)| number == usize::from(port)) => {
                    return wrong("port: a port's number, from 0, that the module may send to (`tx` of its grants)");
                }
                None if ways.next().is_none() => {
                    return wrong(
                        "the module may send to no port: name those that lead to backends in `tx` of its grants",
                    );
                }
                _ => {}
            }
            backends.push(Backend {
                name: backend.name,
                health: Health::Up,
                weight: backend.weight,
                mac: backend.mac,
                address: backend.address,
                port: backend.port,
                permutation: Permutation::of(name, self.table_size),
                packets: 0,
                bytes: 0,
            });
        }
        backends.sort_unstable_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        match backends.windows(2).find(|pair| pair[0].name.as_str() == pair[1].name.as_str()) {
            Some(pair) => Err(Refusal::from_parts(&["backends: two have the name \"", pair[0].name.as_str(), "\""])),
            None => Ok(backends),
        }
    }

    fn add_service(&self, service: &ServiceConfig, pool: &mut Pool, setup: &Setup<'_>) -> Result<(), Refusal> {
        let wrong = |what| Err(Refusal::from_parts(&["services: ", what]));
        let address = service.address;
        if service.port == 0 || address.is_unspecified() || address.is_multicast() {
            return wrong("address is that of one host, and port is 1 to 65535");
        }
        if service.vni >> 24 != 0 || service.vni != 0 && service.forward != Forward::Geneve {
            return wrong("vni has 24 bits, and is for forward = \"geneve\"");
        }
        let tunnel = match service.forward {
            Forward::Mac => Tunnel::None,
            Forward::Ipip => Tunnel::Ipip,
            Forward::Geneve => Tunnel::Geneve(service.vni),
        };
        let names = service.backends.0.iter().map(|name| {
            pool.named(name.as_str())
                .ok_or_else(|| Refusal::from_parts(&["services: \"", name.as_str(), "\" is not the name of a backend"]))
        });
        let mut numbers: Vec<usize> = names.collect::<Result<_, _>>()?;
        if numbers.is_empty() {
            numbers.extend(0..pool.backends.len());
        }
        numbers.sort_unstable();
        numbers.dedup();
        for number in &numbers {
            self.check_way(tunnel, address, &pool.backends[*number], setup)?;
        }
        let number = match service.protocol {
            Protocol::Tcp => protocol::TCP,
            Protocol::Udp => protocol::UDP,
        };
        let backends: Vec<u16> = numbers.into_iter().filter_map(|number| u16::try_from(number).ok()).collect();
        let group = match pool.groups.iter().position(|group| group.backends == backends) {
            Some(group) => group,
            None => {
                pool.groups.push(Group { table: Table::new(self.table_size, backends.len())?, backends });
                pool.groups.len() - 1
            }
        };
        pool.services.push(Service { front: Front { address, protocol: number, port: service.port }, tunnel, group });
        Ok(())
    }

    /// Whether packets to an address can reach a backend through a tunnel.
    fn check_way(&self, tunnel: Tunnel, address: IpAddr, backend: &Backend, setup: &Setup<'_>) -> Result<(), Refusal> {
        let wrong = |what| Err(Refusal::from_parts(&["backends: \"", backend.name.as_str(), "\": ", what]));
        if tunnel != Tunnel::None {
            match backend.address {
                None => return wrong("address is missing, where the tunnel of its service ends"),
                Some(IpAddr::V4(_)) if self.source4.is_none() => {
                    return wrong("its tunnel over IPv4 needs source4, the balancer's own address");
                }
                Some(IpAddr::V6(_)) if self.source6.is_none() => {
                    return wrong("its tunnel over IPv6 needs source6, the balancer's own address");
                }
                Some(_) => {}
            }
        }
        let of_port = backend.port.and_then(|port| setup.ports().get(usize::from(port))).map(|port| port.mtu);
        let least = if address.is_ipv6() { LEAST_MTU.1 } else { LEAST_MTU.0 };
        let fits = |mtu: u16| mtu >= least + tunnel.overhead(backend.address);
        if [self.mtu, of_port].into_iter().flatten().all(fits) {
            return Ok(());
        }
        wrong("mtu: too short for the smallest packet (68 bytes of IPv4, 1280 of IPv6) and the headers of its tunnel")
    }
}

/// A later fragment names no port, so it goes the way of any service of its address and protocol that has its backend.
fn check_fragments(pool: &Pool) -> Result<(), Refusal> {
    let ends = |service: &Service| (service.front.address, service.front.protocol);
    let are_two_ways = |one: &Service, other: &Service| {
        ends(one) == ends(other)
            && one.tunnel != other.tunnel
            && pool.groups[one.group].backends.iter().any(|backend| pool.groups[other.group].has(*backend))
    };
    let all = &pool.services;
    if all.iter().enumerate().any(|(index, one)| all[index + 1..].iter().any(|other| are_two_ways(one, other))) {
        return Err(Refusal::new(
            "services: two of the same address and protocol reach a backend in different ways (forward, vni): fragments, which have no \
             port, could not follow",
        ));
    }
    Ok(())
}
