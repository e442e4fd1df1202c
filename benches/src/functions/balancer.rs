//! Balancer: connections of UDP to one service, backends by their MAC addresses. Beside Maglev's table and a table of connections.

use super::router::mac;
use super::{BURST, Comparison, OWN, Size, tell};
use crate::lab::{Lab, Setup};
use crate::natives::{Digest, Flow, Native, Table};
use crate::quiet::Samples;
use anyhow::Result;
use perigee_guest::Lcg64;
use perigee_guest::wire::protocol;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;

const SIZES: [Size; 2] = [Size { number: 4_096, name: "balance-4k" }, Size { number: 100_000, name: "balance-100k" }];
const QUICK: [Size; 1] = [Size { number: 1_024, name: "balance-1k" }];
const SERVICE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 80);
const BACKENDS: u8 = 100;
/// What the issue asks for.
const TIMES: f64 = 1.2;

pub(super) fn measure(lab: &mut Lab, quick: bool) -> Result<()> {
    let sizes: &[Size] = if quick { &QUICK } else { &SIZES };
    for size in sizes {
        let flows = draw(size.number);
        let figures = lab.measure(|lab| one(lab, &flows))?;
        tell(lab, (size.name, "mac"), &figures, &["maglev"], TIMES);
    }
    Ok(())
}

fn one(lab: &mut Lab, flows: &Arc<[Flow]>) -> Result<Vec<Samples>> {
    let ports = [lab.new_device("net_ring"), lab.new_device("net_ring")];
    let setup = Setup::new(lab, BURST, "1ms").between([&ports[0], &ports[1]], "balancer", &config());
    let macs: Vec<_> = (0..BACKENDS).map(backend).collect();
    let connections = u32::try_from(flows.len())?;
    let twin = || {
        let table = Table::balancer(connections, SERVICE, &macs, OWN[1])?;
        Ok(vec![Native::new(Some(table), OWN[0], BURST)])
    };
    let mut comparison = Comparison::start(lab, &setup, twin)?;
    comparison.set_flows(flows);
    // A flow is established with its second packet.
    comparison.learn(2)?;
    comparison.set_flows(flows);
    comparison.verify(64, Digest::BehindMacs)?;
    let samples = comparison.compare(lab)?;
    comparison.finish(lab)?;
    Ok(samples)
}

const fn backend(number: u8) -> [u8; 6] {
    [2, 0, 0, 0, 2, number]
}

fn config() -> String {
    let mut text = "connections = { new = 131072, udp = 131072 }\nbackends = [".to_owned();
    for number in 0..BACKENDS {
        let _ = write!(text, "{{ name = \"s{number}\", mac = \"{}\", port = 1 }}, ", mac(backend(number)));
    }
    let (address, port) = SERVICE;
    let _ = write!(text, "]\nservices = [{{ address = \"{address}\", protocol = \"udp\", port = {port} }}]");
    text
}

/// Clients at random, no two the same.
fn draw(number: u32) -> Arc<[Flow]> {
    let mut random = Lcg64::new(u64::from(number));
    let client = |n: u32| {
        let address = Ipv4Addr::from(0x0a00_0000 | (random.below(1 << 16) << 8) | (n % 256));
        let port = 1_024 + u16::try_from(n / 256 % 60_000).unwrap_or(0);
        Flow::new(protocol::UDP, (address, port), SERVICE)
    };
    (0..number).map(client).collect()
}
