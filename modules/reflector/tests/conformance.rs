//! The cases that `perigee conformance` puts to the compiled module, put to its logic natively.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use perigee_guest::Verdict;
use perigee_guest::testing::{Host, Input, Run};
use reflector::Reflector;
use toml::Value;

const SUITE: &str = include_str!("../../../conformance/reflector.toml");

/// A packet as the suite says it (`conformance/README.md`): its first bytes, then the low byte of each position.
fn bytes(packet: &Value) -> Vec<u8> {
    let mut bytes = unhex(packet["hex"].as_str().unwrap());
    if let Some(length) = packet.get("length").and_then(Value::as_integer) {
        bytes.extend((bytes.len()..usize::try_from(length).unwrap()).map(|at| u8::try_from(at & 0xff).unwrap()));
    }
    bytes
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Runs one step; packets that the suite makes up are for the compiled module alone.
fn step(host: &mut Host<Reflector>, step: &Value) -> usize {
    let Some(packets) = step.get("packets").and_then(Value::as_array) else { return 0 };
    let port = |packet: &Value| u16::try_from(packet.get("port").map_or(0, |port| port.as_integer().unwrap())).unwrap();
    let inputs: Vec<_> = packets.iter().map(|packet| Input::new(&bytes(packet)).port(port(packet))).collect();
    for (packet, output) in packets.iter().zip(host.process(inputs)) {
        let mut expected = bytes(packet);
        if let Some(out) = packet.get("out") {
            let out = unhex(out.as_str().unwrap());
            expected[..out.len()].copy_from_slice(&out);
        }
        let verdict = match packet["verdict"].as_str().unwrap() {
            "drop" => Verdict::DROP,
            tx => Verdict::tx(tx.strip_prefix("tx ").unwrap().parse().unwrap()),
        };
        assert_eq!((output.bytes, output.verdict), (expected, verdict));
    }
    for (name, count) in step.get("counters").and_then(Value::as_table).into_iter().flatten() {
        assert_eq!(i64::try_from(host.counter(name)), Ok(count.as_integer().unwrap()), "{name}");
    }
    packets.len()
}

#[test]
fn the_logic_passes_the_cases_of_the_compiled_module() {
    let suite: Value = toml::from_str(SUITE).unwrap();
    let mut packets = 0;
    for case in suite["case"].as_array().unwrap() {
        let steps = case["step"].as_array().unwrap();
        let mut host = Host::<Reflector>::start_in(Run { room_len: 2_048, ..Run::default() }, "").unwrap();
        // A step that is made up changes the counters of those behind it.
        let given = steps.iter().take_while(|step| step.get("packets").is_some());
        packets += given.map(|given| step(&mut host, given)).sum::<usize>();
    }
    assert!(packets > 10, "{packets} packets");
}
