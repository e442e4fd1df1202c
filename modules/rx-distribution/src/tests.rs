//! The counter of spreads in a test host.

use super::*;
use perigee_guest::testing::{Host, Input};

#[test]
fn sizes_and_batches_are_counted() {
    let mut host = Host::<Distribution>::start("").unwrap();
    let out = host.process([14, 60, 61, 123, 124, 1_514, 1_515].map(|len| vec![0; len]));
    assert!(out.iter().all(|out| out.verdict == Verdict::NEXT));
    host.process([vec![0; 60]]);
    host.process(vec![vec![0; 60]; 256]);
    host.process([] as [Input; 0]);
    let sizes =
        ["size.64", "size.65-127", "size.128-255", "size.1024-1518", "size.1519-"].map(|name| host.counter(name));
    assert_eq!(sizes, [2 + 257, 2, 1, 1, 1]);
    let batches = ["batches", "batch.1", "batch.4-7", "batch.256", "batch.2-3"].map(|name| host.counter(name));
    assert_eq!(batches, [3, 1, 1, 1, 0]);
    assert_eq!((host.counter("packets"), host.counter("queue.unknown"), host.counter("hash.none")), (264, 264, 264));
}

#[test]
fn hashes_and_queues_are_counted() {
    let mut host = Host::<Distribution>::start(r#"{"then": "drop"}"#).unwrap();
    let out = host.process((0..32).map(|hash| Input::new(&[0; 60]).hash(hash)));
    assert!(out.iter().all(|out| out.verdict.is_drop()));
    assert!((0..16).all(|hash| host.counter(&format!("hash.{hash}")) == 2));
    // The test host's packets with facts are of queue 0.
    assert_eq!((host.counter("queue.0"), host.counter("queue.unknown")), (32, 0));
    assert_eq!((place(QUEUE, QUEUES, 15), place(QUEUE, QUEUES, 16)), (Some(Counter::at(QUEUE + 15)), None));
}

#[test]
fn a_configuration_is_refused() {
    let error = Host::<Distribution>::start(r#"{"port": 1}"#).map(|_| ()).unwrap_err();
    assert!(error.contains("unknown key \"port\""), "{error}");
}
