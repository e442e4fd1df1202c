//! The tunnel in a test host, with both ends in one.

use super::*;
use perigee_guest::Verdict;
use perigee_guest::testing::{Host, Input};
use perigee_guest::wire::{Layers, checksum};

const CONFIG: &str = r#"{"inside": 0, "outside": 1, "here": "10.0.0.1", "there": "10.0.0.1", "there_mac": "02:00:00:00:00:99",
    "vni": 7}"#;

fn frame(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

#[test]
fn a_frame_comes_out_as_it_went_in() {
    let mut host = Host::<Tunnel>::start(CONFIG).unwrap();
    for len in [14, 60, 61, 1_400] {
        let wrapped = host.process([Input::new(&frame(len)).port(0)]).remove(0);
        assert_eq!((wrapped.bytes.len(), wrapped.verdict), (len + 50, Verdict::tx(1)));
        let names: Vec<_> = Layers::new(&wrapped.bytes).map(|place| place.name()).take(5).collect();
        assert_eq!(names, ["Ethernet", "IPv4", "UDP", "VXLAN", "Ethernet"]);
        assert_eq!(checksum::check(&wrapped.bytes), Ok(()));
        let mut padded = wrapped.bytes;
        padded.resize(padded.len().max(128), 0);
        let unwrapped = host.process([Input::new(&padded).port(1)]).remove(0);
        assert_eq!((unwrapped.bytes, unwrapped.verdict), (frame(len), Verdict::tx(0)));
    }
    assert_eq!((host.counter("wrapped"), host.counter("unwrapped"), host.counter("dropped")), (4, 4, 0));
}

#[test]
fn what_is_not_for_this_tunnel_is_dropped() {
    let mut host = Host::<Tunnel>::start(CONFIG).unwrap();
    let mut other = host.process([Input::new(&frame(60)).port(0)]).remove(0).bytes;
    other[48] ^= 1;
    for packet in [other, frame(60), frame(13)] {
        assert!(host.process([Input::new(&packet).port(1)])[0].verdict.is_drop());
    }
    // Too short to be a frame.
    assert!(host.process([Input::new(&frame(13)).port(0)])[0].verdict.is_drop());
    assert_eq!(host.counter("dropped"), 4);
}

#[test]
fn a_port_that_does_not_exist_is_refused() {
    let config = CONFIG.replace("\"outside\": 1", "\"outside\": 9");
    assert_eq!(Host::<Tunnel>::start(&config).map(|_| ()).unwrap_err(), "outside: this run has no port of that number");
}
