//! Parts of packets.

use super::build::{Frame, ip, udp};
use super::{passes, start};
use crate::Firewall;
use perigee_guest::testing::Host;

/// A part of an IPv4 packet of UDP to this port: where it begins, and whether others follow.
fn v4(port: u8, number: u8, from: u16, len: usize, more: bool) -> Frame {
    let mut payload = vec![0; len];
    if from == 0 {
        payload[..8].copy_from_slice(&[0, 5, 0, port, 0, 99, 0, 0]);
    }
    let [high, low] = ((from / 8) | (u16::from(more) << 13)).to_be_bytes();
    ip("10.0.0.1", "10.0.0.2", 17, &payload).with(18, &[0, number, high, low])
}

fn v6(port: u8, number: u8, from: u16, len: usize, more: bool) -> Frame {
    let [high, low] = (from | u16::from(more)).to_be_bytes();
    let mut payload = vec![17, 0, high, low, 0, 0, 0, number];
    payload.resize(8 + len, 0);
    if from == 0 {
        payload[8..16].copy_from_slice(&[0, 5, 0, port, 0, 99, 0, 0]);
    }
    ip("2001:db8::1", "2001:db8::2", 44, &payload)
}

type Make = fn(u8, u8, u16, usize, bool) -> Frame;

fn dns(keys: &str) -> Host<Firewall> {
    start(keys, &[r#"{"proto":"udp","dport":53,"mark":4,"action":"accept"}"#])
}

#[test]
fn later_parts_follow_the_first() {
    for make in [v4 as Make, v6] {
        let mut host = dns("");
        assert!(passes(&mut host, &make(53, 1, 0, 16, true)));
        let output = super::one(&mut host, &make(53, 1, 16, 16, true));
        assert_eq!((output.verdict, output.desc.mark), (perigee_guest::Verdict::tx(1), 4));
        assert!(passes(&mut host, &make(53, 1, 32, 5, false)));
        // The first one is not let through, or has not come.
        assert!(!passes(&mut host, &make(54, 2, 0, 16, true)));
        assert!(!passes(&mut host, &make(54, 2, 16, 5, false)));
        assert!(!passes(&mut host, &make(53, 3, 16, 5, false)));
        assert_eq!(["accepted", "accepted.fragments", "dropped.fragments"].map(|name| host.counter(name)), [1, 2, 2]);
    }
}

#[test]
fn parts_that_cannot_be_of_one_packet_spoil_it() {
    for make in [v4 as Make, v6] {
        // Overlap with the first; no multiple of eight; behind the longest packet.
        for bad in [make(53, 1, 8, 16, true), make(53, 1, 16, 12, true), make(53, 1, 65_528, 16, false)] {
            let mut host = dns("");
            assert!(passes(&mut host, &make(53, 1, 0, 16, true)));
            assert!(!passes(&mut host, &bad));
            assert!(!passes(&mut host, &make(53, 1, 40, 8, false)), "{bad:x?}");
            assert_eq!(host.counter("dropped.fragments_bad"), 2);
        }
    }
}

/// A first part without its ports could only be judged by what is not there (RFC 1858, RFC 7112).
#[test]
fn a_tiny_first_part_does_not_pass() {
    let mut host = start(r#""policy":"accept""#, &[]);
    let tiny = ip("10.0.0.1", "10.0.0.2", 6, &[0; 8]).with(20, &[0x20, 0]);
    assert!(!passes(&mut host, &tiny));
    assert_eq!(host.counter("dropped.malformed"), 1);
}

#[test]
fn all_parts_may_be_refused() {
    let mut host = dns(r#""fragments":"drop""#);
    assert!(!passes(&mut host, &v4(53, 1, 0, 16, true)) && !passes(&mut host, &v6(53, 1, 16, 16, false)));
    assert!(passes(&mut host, &udp("10.0.0.1:5", "10.0.0.2:53")));
    // Whole behind a fragment header, it is no part (RFC 6946).
    assert!(passes(&mut host, &v6(53, 1, 0, 16, false)));
}
