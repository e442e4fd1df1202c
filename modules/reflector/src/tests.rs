//! The reflector in a test host.

use super::*;
use perigee_guest::Verdict;
use perigee_guest::testing::{Host, Input};

fn frame() -> Vec<u8> {
    let mut bytes = vec![0x55; 60];
    bytes[..14].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
    bytes
}

#[test]
fn packets_go_back_with_swapped_addresses() {
    let mut host = Host::<Reflector>::start("{}").unwrap();
    let out = host.process([Input::new(&frame()).port(3), Input::new(&frame()).port(1)]);
    let mut expected = frame();
    expected[..12].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    assert_eq!((out[0].bytes.as_slice(), out[0].verdict), (&expected[..], Verdict::tx(3)));
    assert_eq!((out[1].bytes.as_slice(), out[1].verdict), (&expected[..], Verdict::tx(1)));
    assert_eq!((host.counter("packets"), host.counter("bytes"), host.counter("short")), (2, 120, 0));
}

#[test]
fn a_packet_without_a_header_is_dropped_and_counted() {
    let mut host = Host::<Reflector>::start("").unwrap();
    let out = host.process([vec![1; 13], vec![1; 14]]);
    assert!(out[0].verdict.is_drop());
    assert_eq!(out[0].bytes, [1; 13]);
    assert_eq!(out[1].verdict, Verdict::tx(0));
    assert_eq!((host.counter("packets"), host.counter("bytes"), host.counter("short")), (1, 14, 1));
}

#[test]
fn a_configuration_is_refused() {
    let error = Host::<Reflector>::start(r#"{"port": 1}"#).map(|_| ()).unwrap_err();
    assert_eq!(error, "unknown key \"port\"; known: none");
}
