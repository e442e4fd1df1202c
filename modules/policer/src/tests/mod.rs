//! The policer in a test host.

mod any;
mod police;
mod refusals;
mod shape;
mod state;

use super::*;
use perigee_guest::testing::{Host, Input, Output, Run};
use perigee_guest::wire::{Ethernet, Ipv4, Ipv6, Stack as _, Udp};

const MS: u64 = 1_000_000;
const S: u64 = 1_000_000_000;
/// A call without packets.
const NOTHING: [Input; 0] = [];

perigee_guest::stack! { struct Udp4 { eth: Ethernet, ip: Ipv4, udp: Udp } }
perigee_guest::stack! { struct Udp6 { eth: Ethernet, ip: Ipv6, udp: Udp } }

/// A policer with these classes, on ports whose longest packet is 1,000 bytes.
fn host(classes: &str) -> Host<Policer> {
    start(classes, "").unwrap()
}

fn start(classes: &str, more: &str) -> Result<Host<Policer>, String> {
    let mut run = Run { hold_quota: 500, ..Run::default() };
    run.ports.iter_mut().for_each(|port| port.mtu = 1_000);
    Host::start_in(run, &format!(r#"{{"classes": [{classes}]{more}}}"#))
}

/// A packet from 10.0.0.HOST with this code point, of so many bytes of IP.
fn packet(host: u8, dscp: u8, len: usize) -> Vec<u8> {
    flow(host, 1_000, dscp, len)
}

fn flow(host: u8, port: u16, dscp: u8, len: usize) -> Vec<u8> {
    let mut frame = vec![0; len + 14];
    Udp4::fill(&mut frame, |p| {
        p.ip.set_source([10, 0, 0, host].into());
        p.ip.set_destination([10, 1, 0, 1].into());
        p.ip.set_dscp(dscp);
        p.ip.set_ecn(1);
        p.udp.set_source_port(port);
    })
    .unwrap();
    frame
}

fn packet6(dscp: u8, len: usize) -> Vec<u8> {
    let mut frame = vec![0; len + 14];
    Udp6::fill(&mut frame, |p| {
        p.ip.set_source("fd00::5".parse().unwrap());
        p.ip.set_dscp(dscp);
    })
    .unwrap();
    frame
}

/// Frames that went on, in the order in which they did: verdicts in place, then the list.
fn gone(host: &Host<Policer>, out: &[Output]) -> Vec<Vec<u8>> {
    let next = |output: &&Output| output.verdict == Verdict::NEXT;
    out.iter().filter(next).chain(host.outputs().iter().filter(next)).map(|output| output.bytes.clone()).collect()
}

/// How many of these packets go on at once.
fn pass(host: &mut Host<Policer>, frames: impl IntoIterator<Item = Vec<u8>>) -> usize {
    let out = host.process(frames);
    gone(host, &out).len()
}

fn classes(host: &mut Host<Policer>) -> serde_json::Value {
    serde_json::from_slice(&host.message(b"classes?").unwrap()).unwrap()
}
