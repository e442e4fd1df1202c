//! Router: IPv4, random prefixes, next hops on one link. Beside DIR24-8 tables of DPDK's.

use super::{BURST, Comparison, OWN, Size, tell};
use crate::lab::{Lab, Setup};
use crate::natives::{Digest, Flow, Lookup, Native, Route, Table};
use crate::quiet::Samples;
use anyhow::{Context, Result, ensure};
use perigee_guest::Lcg64;
use perigee_guest::wire::protocol;
use perigee_runtime::bench::Loop;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// What `rte_lpm` takes to add a route grows with their number: a million would take minutes.
const LPM_MOST: u32 = 100_000;
const SIZES: [Size; 2] = [Size { number: 100_000, name: "route-100k" }, Size { number: 1_000_000, name: "route-1m" }];
const QUICK: [Size; 1] = [Size { number: 10_000, name: "route-10k" }];
pub(crate) const HOPS: u8 = 16;
/// Changes that the module takes in one message.
const BATCH: usize = 64;
/// Packets' destinations: few, and many more than caches have lines.
pub(crate) const HOT: usize = 8;
pub(crate) const COLD: usize = 1 << 20;
/// What the issue asks for.
const TIMES: f64 = 1.25;

pub(super) fn measure(lab: &mut Lab, quick: bool) -> Result<()> {
    let sizes: &[Size] = if quick { &QUICK } else { &SIZES };
    for size in sizes {
        let routes = draw(size.number);
        let twins: &[Lookup] = if size.number <= LPM_MOST { &[Lookup::Lpm, Lookup::Fib] } else { &[Lookup::Fib] };
        let names: Vec<_> = twins.iter().map(|by| if *by == Lookup::Lpm { "rte_lpm" } else { "rte_fib" }).collect();
        let figures = lab.measure(|lab| one(lab, &routes, twins))?;
        let (hot, cold) = figures.split_at(1 + twins.len());
        tell(lab, (size.name, "hot"), hot, &names, TIMES);
        tell(lab, (size.name, "cold"), cold, &names, TIMES);
    }
    Ok(())
}

fn one(lab: &mut Lab, routes: &[Route], twins: &[Lookup]) -> Result<Vec<Samples>> {
    let ports = [lab.new_device("net_ring"), lab.new_device("net_ring")];
    let setup = Setup::new(lab, BURST, "1ms").between([&ports[0], &ports[1]], "router", &config());
    let tables = || twins.iter().map(|by| Ok(Native::new(Some(table(routes, *by)?), OWN[0], BURST))).collect();
    let mut comparison = Comparison::start(lab, &setup, tables)?;
    teach(&mut comparison.on, routes)?;
    let mut samples = Vec::new();
    for count in [HOT, COLD] {
        comparison.set_flows(&flows(routes, count));
        comparison.verify(64, Digest::All)?;
        samples.extend(comparison.compare(lab)?);
    }
    comparison.finish(lab)?;
    Ok(samples)
}

/// Where packets come from, and the link to all next hops.
pub(crate) fn config() -> String {
    let mut text = format!(
        "interfaces = [{{ port = 0, addresses = [\"10.77.0.1/24\"], mac = \"{}\" }}, \
         {{ port = 1, addresses = [\"10.77.1.1/24\"], mac = \"{}\" }}]\nneighbours = [",
        mac(OWN[0]),
        mac(OWN[1])
    );
    for hop in 0..HOPS {
        let _ = write!(text, "\"{} lladdr {} dev 1\", ", hop_address(hop), mac(hop_mac(hop)));
    }
    text + "]"
}

pub(super) fn mac(bytes: [u8; 6]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}

const fn hop_address(hop: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 1, 2 + hop)
}

pub(crate) const fn hop_mac(hop: u8) -> [u8; 6] {
    [2, 0, 0, 0, 1, hop]
}

/// Different prefixes of lengths as in the Internet's tables, outside of 10.0.0.0/8, with one of 16 next hops each.
pub(crate) fn draw(number: u32) -> Vec<Route> {
    let (mut random, mut seen, mut routes) = (Lcg64::new(14), HashSet::new(), Vec::new());
    while routes.len() < number as usize {
        let len = match random.below(1_000) {
            0..10 => 25 + random.below(8),
            10..600 => 24,
            600..800 => 22 + random.below(2),
            800..960 => 19 + random.below(3),
            960..995 => 16 + random.below(3),
            _ => 11 + random.below(5),
        };
        let address = random.below(1 << 32) & (u32::MAX << (32 - len));
        let first = address >> 24;
        if matches!(first, 0 | 10 | 127 | 224..) || !seen.insert((address, len)) {
            continue;
        }
        let hop = random.below(HOPS.into()).to_le_bytes()[0];
        routes.push(Route { address, len: len.to_le_bytes()[0], hop, spare: 0 });
    }
    routes
}

/// Packets to so many addresses in prefixes that are drawn.
pub(crate) fn flows(routes: &[Route], count: usize) -> Arc<[Flow]> {
    let mut random = Lcg64::new(count as u64);
    let flow = |_| {
        let route = routes[random.below(routes.len() as u64) as usize];
        let host = random.below(1 << (32 - route.len));
        let source = (Ipv4Addr::new(10, 77, 0, 9), 1_024);
        Flow::new(protocol::UDP, source, ((route.address | host).into(), 9))
    };
    (0..count).map(flow).collect()
}

fn table(routes: &[Route], by: Lookup) -> Result<Table> {
    let macs: Vec<[u8; 12]> = (0..HOPS)
        .map(|hop| {
            let mut macs = [0; 12];
            macs[..6].copy_from_slice(&hop_mac(hop));
            macs[6..].copy_from_slice(&OWN[1]);
            macs
        })
        .collect();
    Table::router(routes, &macs, OWN[0], by)
}

/// Tells the module of all routes, by messages.
pub(crate) fn teach(on: &mut Loop, routes: &[Route]) -> Result<()> {
    for (number, batch) in routes.chunks(BATCH).enumerate() {
        let mut text = format!("batch {}", number + 1);
        for route in batch {
            let (prefix, hop) = (Ipv4Addr::from(route.address), hop_address(route.hop));
            let _ = write!(text, "\nroute add {prefix}/{} via {hop}", route.len);
        }
        let answer = on.message(0, text.as_bytes()).context("the router's routes")?;
        let answer = String::from_utf8_lossy(&answer);
        ensure!(!answer.contains("refused"), "the router refuses a route: {answer}");
    }
    Ok(())
}
