//! The sink in a test host.

use super::*;
use perigee_guest::testing::{Host, Input};

fn host(config: &str) -> Host<InterArrival> {
    Host::start(config).unwrap()
}

fn at(time: u64) -> Input {
    Input::new(&[0; 60]).time(time)
}

#[test]
fn gaps_are_those_of_the_ports_stamps() {
    let mut host = host("");
    let out = host.process([at(1_000), at(1_000), at(1_001), at(1_003), at(1_010), at(1_000_000)]);
    assert!(out.iter().all(|out| out.verdict == Verdict::NEXT));
    let counted = ["packets", "stamped", "gaps", "gaps_ns", "backwards"].map(|name| host.counter(name));
    assert_eq!(counted, [6, 6, 5, 999_000, 0]);
    let bins = ["gap_ns.0", "gap_ns.1", "gap_ns.2", "gap_ns.4", "gap_ns.524288"].map(|name| host.counter(name));
    assert_eq!(bins, [1, 1, 1, 1, 1]);
}

#[test]
fn without_stamps_the_batches_time_counts() {
    for (config, input) in [("", Input::new(&[0; 60])), (r#"{"clock": "batch"}"#, at(7))] {
        let mut host = host(config);
        for time in [100, 200, 400] {
            host.set_time(time);
            host.process([input.clone(), input.clone()]);
        }
        let counted =
            ["stamped", "gaps", "gaps_ns", "gap_ns.0", "gap_ns.64", "gap_ns.128"].map(|name| host.counter(name));
        assert_eq!(counted, [0, 5, 300, 3, 1, 1], "{config}");
    }
}

#[test]
fn each_port_has_gaps_of_its_own() {
    let mut host = host("");
    host.process([at(100).port(0), at(150).port(1), at(200).port(0), at(250).port(1), at(7).port(0xffff)]);
    assert_eq!((host.counter("gaps"), host.counter("gaps_ns")), (2, 200));
}

#[test]
fn times_that_go_backwards_and_other_clocks_make_no_gap() {
    let mut host = host("");
    host.process([at(100), at(90), at(95), Input::new(&[0; 60]), at(96), at(u64::MAX)]);
    assert_eq!((host.counter("backwards"), host.counter("gaps")), (1, 2));
    assert_eq!(host.counter("gap_ns.from.70368744177664"), 1);
}

#[test]
fn even_bins_and_distances() {
    let mut host = host(r#"{"bin_ns": 100, "first_ns": 1000, "expected_ns": 2000, "then": "drop"}"#);
    let mut time = 0;
    for gap in [0, 999, 1_000, 1_099, 1_100, 2_064, 1_800, 1_000_000] {
        time += gap;
        assert!(host.process([at(time)])[0].verdict.is_drop());
    }
    // The first packet has no gap.
    let bins =
        ["gap_ns.0", "gap_ns.1000", "gap_ns.1100", "gap_ns.2000", "gap_ns.from.5600"].map(|name| host.counter(name));
    assert_eq!(bins, [1, 2, 1, 1, 1]);
    let near = ["near_ns.64", "near_ns.128", "near_ns.256", "near_ns.512"].map(|name| host.counter(name));
    assert_eq!(near, [1, 1, 2, 2]);
    let mut host = self::host(r#"{"expected_ns": 10, "near_ns": [0, 5]}"#);
    host.process([at(0), at(10), at(25)]);
    assert_eq!((host.counter("near_ns.0"), host.counter("near_ns.5")), (1, 2));
}

#[test]
fn the_whole_distribution_is_told_on_request() {
    let mut host = host("");
    host.process((0..200).map(|n| at(n * 100)));
    let bytes = host.message(b"gaps").unwrap();
    let mut copy = Histogram::new(1, 3_600 * SECOND, 3).unwrap();
    copy.merge_encoded(&bytes).unwrap();
    assert_eq!((copy.count(), copy.quantile(500_000)), (199, 100));
    host.message(b"reset").unwrap();
    assert!(host.message(b"gaps").unwrap().len() < bytes.len());
    assert!(host.message(b"mean").is_err());
}

#[test]
fn configurations_are_refused() {
    let cases = [
        (r#"{"bin_ns": 0}"#, "bin_ns"),
        (r#"{"first_ns": 5}"#, "first_ns needs bin_ns"),
        (r#"{"near_ns": [5]}"#, "near_ns needs expected_ns"),
        (r#"{"near_ns": [1, 2, 3, 4, 5, 6, 7, 8, 9], "expected_ns": 1}"#, "near_ns"),
        (r#"{"clock": "wall"}"#, "clock"),
    ];
    for (config, expected) in cases {
        let error = Host::<InterArrival>::start(config).map(|_| ()).unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
}
