//! The forwarder in a test host.

use super::*;
use perigee_guest::testing::{Host, Input, Run};
use perigee_guest::wire::Mac;

const FRAME: [u8; 60] = {
    let mut bytes = [0x55; 60];
    bytes.first_chunk_mut::<12>().unwrap().copy_from_slice(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    bytes
};

fn start(config: &str) -> Host<L2Forward> {
    Host::start(config).unwrap()
}

fn from(port: u16) -> Input {
    Input::new(&FRAME).port(port)
}

/// The bytes that a packet leaves with.
fn with(destination: Option<Mac>, source: Option<Mac>) -> Vec<u8> {
    let mut bytes = FRAME.to_vec();
    if let Some(mac) = destination {
        bytes[..6].copy_from_slice(&mac.0);
    }
    if let Some(mac) = source {
        bytes[6..12].copy_from_slice(&mac.0);
    }
    bytes
}

#[test]
fn without_configuration_everything_goes_on_untouched() {
    let mut host = start("");
    let out = host.process([from(0), from(3), Input::new(&[1; 5])]);
    assert!(out.iter().all(|o| o.verdict == Verdict::NEXT));
    assert_eq!((&out[0].bytes[..], &out[2].bytes[..]), (&FRAME[..], &[1; 5][..]));
    assert_eq!((host.counter("packets.next"), host.counter("bytes.next")), (3, 125));
}

#[test]
fn the_table_sends_from_port_to_port() {
    let mut host = start(r#"{"table": [{"from": 0, "to": 2}, {"from": 2, "to": 0}], "other": "drop"}"#);
    let out = host.process([from(0), from(2), from(1), from(0xffff)]);
    let verdicts: Vec<_> = out.iter().map(|o| o.verdict).collect();
    assert_eq!(verdicts, [Verdict::tx(2), Verdict::tx(0), Verdict::DROP, Verdict::DROP]);
    assert!(out.iter().all(|o| o.bytes == FRAME));
    let counters = ["packets.0-2", "bytes.0-2", "packets.2-0", "packets.next"].map(|name| host.counter(name));
    assert_eq!(counters, [1, 60, 1, 2]);
}

#[test]
fn addresses_are_rewritten() {
    let run = Run::default();
    let config = r#"{"src_mac": "port", "table": [{"from": 0, "to": 2, "dst_mac": "02:00:00:00:00:aa"},
        {"from": 2, "to": 0, "src_mac": "02:00:00:00:00:bb"}]}"#;
    let mut host = start(config);
    let out = host.process([from(0), from(2), from(3)]);
    let (a, b) = (Mac([2, 0, 0, 0, 0, 0xaa]), Mac([2, 0, 0, 0, 0, 0xbb]));
    assert_eq!(out[0].bytes, with(Some(a), Some(run.mac(2))));
    assert_eq!(out[1].bytes, with(None, Some(b)));
    // Not in the table: on to the chain's first tx port, which is number 1 in this run.
    assert_eq!((&out[2].bytes, out[2].verdict), (&with(None, Some(run.mac(1))), Verdict::NEXT));
}

#[test]
fn what_is_too_short_to_rewrite_is_dropped() {
    let mut host = start(r#"{"dst_mac": "02:00:00:00:00:aa"}"#);
    let out = host.process([Input::new(&[1; 11]), Input::new(&[1; 12])]);
    assert!(out[0].verdict.is_drop());
    assert_eq!(out[1].verdict, Verdict::NEXT);
    assert_eq!((host.counter("short"), host.counter("packets.next")), (1, 1));
}

#[test]
fn what_cannot_be_is_refused() {
    let cases = [
        (r#"{"table": [{"from": 0, "to": 4}]}"#, "table: this run has no port 4"),
        (r#"{"table": [{"from": 0}]}"#, "table: the key \"to\" is missing"),
        (r#"{"table": [{"from": 0, "to": 1}, {"from": 0, "to": 2}]}"#, "table: two entries with the same \"from\""),
        (r#"{"src_mac": "here"}"#, "src_mac: expected \"port\" or a MAC address, found \"here\""),
        (r#"{"other": "keep"}"#, "other: unknown word \"keep\"; known: next, drop"),
        (r#"{"tabel": []}"#, "unknown key \"tabel\"; known: table, other, src_mac, dst_mac"),
    ];
    for (config, text) in cases {
        assert_eq!(Host::<L2Forward>::start(config).map(|_| ()).unwrap_err(), text, "{config}");
    }
}
