//! Both modes in a test host.

use super::*;
use perigee_guest::testing::Host;

const IPV4: [u8; 20] = [0x45, 0, 0, 33, 0, 0, 0, 0, 64, 17, 0, 0, 198, 18, 0, 1, 198, 18, 0, 2];
const UDP: [u8; 13] = [0, 9, 0, 10, 0, 13, 0x12, 0x34, 1, 2, 3, 4, 5];
const TCP: [u8; 20] = [0, 80, 1, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 1, 0, 0, 0, 0, 0];

/// A frame of these parts, and padding behind them.
fn frame(parts: &[&[u8]]) -> Vec<u8> {
    let macs: &[u8] = &[2, 0, 0, 0, 0, 0xa, 2, 0, 0, 0, 0, 0xb];
    [macs, &parts.concat(), &[0x55; 7]].concat()
}

fn udp4() -> Vec<u8> {
    frame(&[&[8, 0], &IPV4, &UDP])
}

fn tcp6_tagged() -> Vec<u8> {
    let mut ip = [0; 40];
    ip[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 20, 6, 64]);
    ip[8..24].fill(0x11);
    ip[24..].fill(0x22);
    frame(&[&[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 0x86, 0xdd], &ip, &TCP])
}

fn host(mode: &str) -> Host<TestpmdModes> {
    Host::start(&format!("{{\"mode\": \"{mode}\"}}")).unwrap()
}

fn through(host: &mut Host<TestpmdModes>, bytes: &[u8]) -> Vec<u8> {
    let out = host.process([bytes.to_vec()]);
    assert!(!out[0].verdict.is_drop());
    out[0].bytes.clone()
}

fn run(mode: &str, bytes: &[u8]) -> Vec<u8> {
    through(&mut host(mode), bytes)
}

#[test]
fn checksums_are_those_that_the_sdk_fills() {
    for packet in [udp4(), tcp6_tagged()] {
        let mut expected = packet.clone();
        expected[..12].copy_from_slice(&MACS);
        checksum::fill(&mut expected).unwrap();
        assert_ne!(expected, packet);
        assert_eq!(run("csum", &packet), expected);
    }
}

#[test]
fn udp_without_a_checksum_stays_without() {
    let mut packet = udp4();
    packet[40..42].fill(0);
    let out = run("csum", &packet);
    assert_eq!(out[40..42], [0, 0]);
    assert!(checksum::check(&out).is_ok() && out[24..26] != [0, 0]);
}

#[test]
fn both_ends_change_places() {
    let out = run("5tswap", &udp4());
    assert_eq!(out[..12], [2, 0, 0, 0, 0, 0xb, 2, 0, 0, 0, 0, 0xa]);
    assert_eq!((&out[26..34], &out[34..38]), (&[198, 18, 0, 2, 198, 18, 0, 1][..], &[0, 10, 0, 9][..]));
    assert_eq!(run("5tswap", &out), udp4());
    let out = run("5tswap", &tcp6_tagged());
    assert_eq!((&out[30..46], &out[46..62], &out[62..66]), (&[0x22; 16][..], &[0x11; 16][..], &[1, 0, 0, 80][..]));
}

#[test]
fn what_is_too_short_goes_back() {
    for mut host in ["csum", "5tswap"].map(host) {
        for packet in [udp4(), tcp6_tagged()] {
            (1..packet.len()).for_each(|len| assert_eq!(through(&mut host, &packet[..len]).len(), len));
        }
    }
}
