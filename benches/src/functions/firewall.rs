//! Firewall: rules of five fields in the shape of providers' access lists, packets drawn from them. Beside `rte_acl`.

use super::{BURST, Comparison, OWN, Size, tell};
use crate::lab::{Lab, Setup};
use crate::natives::{Digest, Flow, Native, Path, Rule, Table};
use crate::quiet::Samples;
use anyhow::Result;
use perigee_guest::Lcg64;
use perigee_guest::wire::protocol;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;

const SIZES: [Size; 2] = [Size { number: 1_000, name: "rules-1k" }, Size { number: 10_000, name: "rules-10k" }];
const QUICK: [Size; 1] = [Size { number: 100, name: "rules-100" }];
/// Packets, each of a rule that is drawn.
const FLOWS: usize = 1 << 16;
const ANY: [u16; 2] = [0, u16::MAX];
const PORTS: [u16; 14] = [22, 25, 53, 80, 110, 123, 143, 161, 443, 445, 1433, 3306, 3389, 8080];
const LENGTHS: [u8; 14] = [16, 20, 22, 24, 24, 24, 26, 28, 30, 32, 32, 32, 32, 32];
/// What the issue asks for.
const TIMES: f64 = 1.3;

pub(super) fn measure(lab: &mut Lab, quick: bool) -> Result<()> {
    let sizes: &[Size] = if quick { &QUICK } else { &SIZES };
    for size in sizes {
        let rules = draw(size.number as usize);
        let figures = lab.measure(|lab| one(lab, &rules))?;
        tell(lab, (size.name, "stateless"), &figures, &["rte_acl scalar", "rte_acl widest"], TIMES);
    }
    Ok(())
}

fn one(lab: &mut Lab, rules: &[Rule]) -> Result<Vec<Samples>> {
    let ports = [lab.new_device("net_ring"), lab.new_device("net_ring")];
    let setup = Setup::new(lab, BURST, "1ms").between([&ports[0], &ports[1]], "firewall", &config(rules));
    let twins = || {
        let one = |path| Ok(Native::new(Some(Table::acl(rules, path)?), OWN[0], BURST));
        [Path::Scalar, Path::Widest].into_iter().map(one).collect()
    };
    let mut comparison = Comparison::start(lab, &setup, twins)?;
    comparison.set_flows(&flows(rules));
    comparison.verify(64, Digest::All)?;
    let samples = comparison.compare(lab)?;
    comparison.finish(lab)?;
    Ok(samples)
}

fn config(rules: &[Rule]) -> String {
    let mut text = "rules = [\n".to_owned();
    for rule in rules {
        text.push_str("{ ");
        for (key, address, len) in
            [("src", rule.source, rule.source_len), ("dst", rule.destination, rule.destination_len)]
        {
            if len != 0 {
                let _ = write!(text, "{key} = \"{}/{len}\", ", Ipv4Addr::from(address));
            }
        }
        if rule.protocol != 0 {
            let _ = write!(text, "proto = {}, ", rule.protocol);
        }
        for (key, [from, to]) in [("sport", rule.source_ports), ("dport", rule.destination_ports)] {
            if [from, to] != ANY {
                let _ = write!(text, "{key} = \"{from}-{to}\", ");
            }
        }
        let _ = writeln!(text, "action = \"{}\" }},", if rule.accept == 1 { "accept" } else { "drop" });
    }
    text + "]"
}

/// Three of four accept. In proportions as in `modules/firewall/benches/classify/sets.rs`, the access list there.
fn draw(number: usize) -> Vec<Rule> {
    let mut random = Lcg64::new(15);
    let networks: Vec<u32> = (0..=number / 8).map(|_| 0x0a00_0000 | random.below(1 << 24)).collect();
    (0..number)
        .map(|_| {
            let (source, source_len) = prefix(&mut random, &networks, 20);
            let (destination, destination_len) = prefix(&mut random, &networks, 2);
            let protocol = match random.below(100) {
                0..75 => protocol::TCP,
                75..92 => protocol::UDP,
                _ => [1, 47, 50, 0][random.below(4) as usize],
            };
            let has_ports = matches!(protocol, protocol::TCP | protocol::UDP);
            let source_ports = if has_ports && random.below(10) == 0 { [1_024, u16::MAX] } else { ANY };
            let destination_ports = if has_ports { ports(&mut random) } else { ANY };
            let accept = u8::from(random.below(4) != 0);
            Rule { source, destination, source_len, destination_len, protocol, accept, source_ports, destination_ports }
        })
        .collect()
}

fn prefix(random: &mut Lcg64, networks: &[u32], any: u32) -> (u32, u8) {
    if random.below(100) < any {
        return (0, 0);
    }
    let network = networks[random.below(networks.len() as u64) as usize];
    let len = LENGTHS[random.below(14) as usize];
    ((network & !63 | random.below(64)) & (u32::MAX << (32 - len)), len)
}

fn ports(random: &mut Lcg64) -> [u16; 2] {
    let number = |random: &mut Lcg64, below| u16::try_from(random.below(below)).unwrap_or(0);
    match random.below(100) {
        0..20 => ANY,
        20..40 => [1_024 + number(random, 9_000); 2],
        40..80 => [PORTS[random.below(14) as usize]; 2],
        80..88 => [1_024, u16::MAX],
        88..90 => [0, 1_023],
        _ => {
            let from = number(random, 60_000);
            [from, from + 1 + number(random, 1_000)]
        }
    }
}

/// Packets of rules that are drawn, each somewhere in what its rule is met by.
fn flows(rules: &[Rule]) -> Arc<[Flow]> {
    let mut random = Lcg64::new(16);
    let flow = |_| {
        let rule = rules[random.below(rules.len() as u64) as usize];
        let mut host = |address: u32, len: u8| Ipv4Addr::from(address | random.below(1 << (32 - len)));
        let source = host(rule.source, rule.source_len);
        let destination = host(rule.destination, rule.destination_len);
        let mut port = |[from, to]: [u16; 2]| {
            let offset = random.below(u64::from(to - from) + 1);
            from + u16::try_from(offset).unwrap_or(0)
        };
        let (source_port, destination_port) = (port(rule.source_ports), port(rule.destination_ports));
        let protocol = if rule.protocol == 0 { protocol::UDP } else { rule.protocol };
        Flow::new(protocol, (source, source_port), (destination, destination_port))
    };
    (0..FLOWS).map(flow).collect()
}
