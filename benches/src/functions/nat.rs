//! Translator: a million sessions, of UDP and of TCP. Beside two hash tables with open addressing.

use super::{BURST, Comparison, OWN, Size, tell};
use crate::lab::{Lab, Setup};
use crate::natives::{Digest, Flow, Native, Table};
use crate::quiet::Samples;
use anyhow::Result;
use perigee_guest::Lcg64;
use perigee_guest::wire::protocol;
use std::net::Ipv4Addr;
use std::sync::Arc;

const UDP: [Size; 2] = [Size { number: 4_096, name: "nat-4k" }, Size { number: 1_000_000, name: "nat-1m" }];
const TCP: [Size; 2] = [Size { number: 4_096, name: "nat-tcp-4k" }, Size { number: 1_000_000, name: "nat-tcp-1m" }];
const POOL: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 0);
/// Addresses of the pool.
const ADDRESSES: u32 = 32;
/// What the issue asks for.
const TIMES: f64 = 1.3;

pub(super) fn measure(lab: &mut Lab, quick: bool) -> Result<()> {
    let sizes = if quick { 1 } else { UDP.len() };
    for (number, sizes) in [(protocol::UDP, &UDP[..sizes]), (protocol::TCP, &TCP[..sizes])] {
        for size in sizes {
            let flows = draw(size.number, number);
            let figures = lab.measure(|lab| one(lab, &flows))?;
            tell(lab, (size.name, "outbound"), &figures, &["hash tables"], TIMES);
        }
    }
    Ok(())
}

fn one(lab: &mut Lab, flows: &Arc<[Flow]>) -> Result<Vec<Samples>> {
    let ports = [lab.new_device("net_ring"), lab.new_device("net_ring")];
    let config = format!("inside = [\"10.0.0.0/8\"]\npools = [\"{POOL}/27\"]\nsessions = 1_048_640\nhosts = 8192");
    let setup = Setup::new(lab, BURST, "1ms").between([&ports[0], &ports[1]], "nat", &config);
    let sessions = u32::try_from(flows.len())?;
    let twin = || Ok(vec![Native::new(Some(Table::nat(sessions, POOL, ADDRESSES)?), OWN[0], BURST)]);
    let mut comparison = Comparison::start(lab, &setup, twin)?;
    comparison.set_flows(flows);
    comparison.learn(1)?;
    comparison.set_flows(flows);
    comparison.verify(64, Digest::BehindSource)?;
    let samples = comparison.compare(lab)?;
    comparison.finish(lab)?;
    Ok(samples)
}

/// Flows of 4,096 hosts to one server, in random order; those of TCP are seen from their middle on.
fn draw(number: u32, protocol: u8) -> Arc<[Flow]> {
    let mut random = Lcg64::new(u64::from(number));
    let mut flows: Vec<_> = (0..number)
        .map(|n| {
            let (host, port) = (Ipv4Addr::from(0x0a00_0000 | (n % 4_096)), 32_768 + n / 4_096);
            let source = (host, u16::try_from(port).unwrap_or(u16::MAX));
            Flow::new(protocol, source, (Ipv4Addr::new(192, 0, 2, 1), 53))
        })
        .collect();
    for at in (1..flows.len()).rev() {
        flows.swap(at, random.below(at as u64 + 1) as usize);
    }
    flows.into()
}
