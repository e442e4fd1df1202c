//! The firewall in a test host.

mod arbitrary;
mod build;
mod config;
mod fragments;
mod reject;
mod rules;
mod tracking;

use crate::Firewall;
use build::Frame;
use perigee_guest::Verdict;
use perigee_guest::testing::{Host, Output, Run};

/// A firewall between ports 0 and 1 with these rules and other keys, in JSON.
fn start(keys: &str, rules: &[&str]) -> Host<Firewall> {
    try_start(keys, rules).unwrap()
}

fn try_start(keys: &str, rules: &[&str]) -> Result<Host<Firewall>, String> {
    let comma = if keys.is_empty() { "" } else { "," };
    Host::start(&format!(r#"{{{keys}{comma}"ports":["a","b"],"bridge":["a","b"],"rules":[{}]}}"#, rules.join(",")))
}

/// What becomes of one packet.
fn one(host: &mut Host<Firewall>, frame: &Frame) -> Output {
    host.process([frame.input()]).remove(0)
}

/// Whether a packet passes, to the other port.
fn passes(host: &mut Host<Firewall>, frame: &Frame) -> bool {
    let output = one(host, frame);
    let passed = output.verdict == Verdict::tx(1 - frame.port);
    assert!(passed || output.verdict.is_drop(), "{:?}", output.verdict);
    passed
}

/// A chain on several lcores has one of the two directions alone.
#[test]
fn connections_between_two_ports_are_not_followed_on_several_lcores() {
    let start = |instances: u32, keys: &str| {
        let config = format!(r#"{{"ports":["a","b"],"bridge":["a","b"],"stateful":{keys}}}"#);
        Host::<Firewall>::start_in(Run { instances, ..Run::default() }, &config).map(|_| ())
    };
    assert_eq!((start(1, "true"), start(2, "false")), (Ok(()), Ok(())));
    let refused = start(2, "true").unwrap_err();
    assert!(refused.starts_with("bridge: a chain on several lcores") && refused.contains("`spread`"), "{refused}");
}
