//! The generator in a test host.

use super::*;
use perigee_guest::Verdict;
use perigee_guest::abi::tx_flags::{IP_CHECKSUM, IPV4, UDP_CHECKSUM};
use perigee_guest::testing::{Host, Output, Run};
use perigee_guest::wire::{Ethernet, Header as _, Mac, Stack as _, checksum};
use std::collections::BTreeSet;

fn start(config: &str) -> Host<UdpGen> {
    Host::start(config).unwrap()
}

fn refused(config: &str) -> String {
    Host::<UdpGen>::start(config).map(|_| ()).unwrap_err()
}

/// Source address, source port, and whether the checksums are right.
fn read(output: &Output) -> (u32, u16, bool, bool) {
    let (headers, _) = Headers::parse(&output.bytes).unwrap();
    let bad = checksum::check(&output.bytes).err().map(|place| place.name());
    let source = (u32::from(headers.ip.source()), headers.udp.source_port());
    (source.0, source.1, bad != Some("IPv4"), bad != Some("UDP"))
}

/// The checksum field of UDP: 0 means none.
fn udp_field(output: &Output) -> [u8; 2] {
    [output.bytes[40], output.bytes[41]]
}

#[test]
fn packets_are_what_the_configuration_says() {
    let config = r#"{"src_mac": "02:00:00:00:00:aa", "dst_mac": "02:00:00:00:00:bb", "dst": "192.0.2.7", "dst_port": 4000,
        "size": 100, "payload": "hello", "src": "198.51.100.0", "src_count": 4, "src_port": 1000, "src_port_count": 1}"#;
    let mut host = start(config);
    let made = host.generate(32);
    assert_eq!(made.len(), 32);
    for output in &made {
        assert_eq!((output.bytes.len(), output.verdict), (100, Verdict::NEXT));
        let (Headers { eth, ip, udp }, payload) = Headers::parse(&output.bytes).unwrap();
        let text = "Ethernet destination=02:00:00:00:00:bb source=02:00:00:00:00:aa ether_type=0x0800";
        assert_eq!(eth.to_string(), text);
        assert_eq!((ip.destination().to_string().as_str(), ip.ttl(), ip.total_length()), ("192.0.2.7", 64, 86));
        assert_eq!((udp.destination_port(), udp.source_port(), udp.length()), (4000, 1000, 66));
        assert_eq!((&payload[..5], &payload[5..]), (&b"hello"[..], &[0; 53][..]));
        assert_eq!(udp_field(output), [0, 0]);
    }
    assert_eq!((host.counter("packets"), host.counter("bytes")), (32, 3200));
}

/// Runs a configuration for 4,096 packets and gives the ranges that the sources covered.
fn cover(config: &str) -> (BTreeSet<u32>, BTreeSet<u16>) {
    let mut host = start(config);
    let (mut addresses, mut ports) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..16 {
        for output in host.generate(256) {
            let (address, port, ip_good, udp_good) = read(&output);
            assert!(ip_good && udp_good, "{output:?}");
            addresses.insert(address);
            ports.insert(port);
        }
    }
    (addresses, ports)
}

#[test]
fn sources_cover_ranges_that_are_powers_of_two() {
    let config = r#"{"src": "10.0.0.64", "src_count": 64, "src_port": 2048, "src_port_count": 256}"#;
    let (addresses, ports) = cover(config);
    assert_eq!(addresses, (0x0a00_0040..0x0a00_0080).collect());
    assert_eq!(ports, (2048..2304).collect());
}

#[test]
fn sources_cover_other_ranges() {
    let config = r#"{"src": "10.0.0.250", "src_count": 100, "src_port": 65000, "src_port_count": 536,
        "udp_checksum": true}"#;
    let (addresses, ports) = cover(config);
    assert_eq!(addresses, (0x0a00_00fa..0x0a00_015e).collect());
    assert_eq!((ports.first(), ports.last()), (Some(&65_000), Some(&65_535)));
}

#[test]
fn the_widest_ranges_are_allowed() {
    let config = r#"{"src": "0.0.0.0", "src_count": 4294967296, "src_port": 0, "src_port_count": 65536,
        "udp_checksum": true, "size": 61, "payload": "odd"}"#;
    let (addresses, ports) = cover(config);
    assert!(addresses.len() > 4000 && ports.len() > 3000);
}

#[test]
fn udp_checksums_are_there_when_asked_for() {
    for vary in ["none", "two-fields"] {
        let config = format!(r#"{{"udp_checksum": true, "vary": "{vary}", "payload": "abc"}}"#);
        for output in start(&config).generate(64) {
            assert_ne!(udp_field(&output), [0, 0]);
            assert!(matches!(read(&output), (_, _, true, true)), "{output:?}");
        }
    }
}

#[test]
fn offload_asks_the_way_out() {
    for (vary, udp, flags) in
        [("none", false, 0), ("none", true, UDP_CHECKSUM), ("two-fields", false, 0), ("two-fields", true, UDP_CHECKSUM)]
    {
        let config = format!(r#"{{"checksum": "offload", "vary": "{vary}", "udp_checksum": {udp}}}"#);
        for output in start(&config).generate(8) {
            assert_eq!(output.desc.tx_flags, IPV4 | IP_CHECKSUM | flags);
            assert_eq!((output.desc.l2_len, output.desc.l3_len), (14, 20));
            assert_eq!(output.bytes[24..26], [0, 0]);
        }
    }
}

#[test]
fn without_variation_the_template_goes_out_as_it_is() {
    for checksum in ["none", "software"] {
        let mut host = start(&format!(r#"{{"vary": "none", "checksum": "{checksum}"}}"#));
        let made = host.generate(64);
        assert!(made.iter().all(|output| output.bytes == made[0].bytes && output.desc.tx_flags == 0));
        assert_eq!(read(&made[0]), (0x0a00_0000, 32_768, true, true));
    }
}

#[test]
fn the_count_is_exact() {
    let mut host = start(r#"{"count": 100, "port": 2}"#);
    let mut finished = Vec::new();
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(host.generate(64));
        finished.push(host.is_finished());
    }
    assert_eq!(finished, [false, true, true, true], "it says so with its last packet");
    assert_eq!(made.iter().map(Vec::len).collect::<Vec<_>>(), [64, 36, 0, 0]);
    assert!(made.iter().flatten().all(|output| output.verdict == Verdict::tx(2)));
    assert_eq!(host.counter("packets"), 100);
}

#[test]
fn the_same_seed_makes_the_same_packets() {
    let make = |seed| {
        let run = Run { seed, ..Run::default() };
        let mut host = Host::<UdpGen>::start_in(run, "").unwrap();
        host.generate(64).into_iter().map(|output| output.bytes).collect::<Vec<_>>()
    };
    assert_eq!(make(1), make(1));
    assert_ne!(make(1), make(2));
}

#[test]
fn the_source_mac_is_that_of_the_port() {
    let mut run = Run::default();
    let mac = |run: &Run, config| {
        let output = Host::<UdpGen>::start_in(run.clone(), config).unwrap().generate(1).remove(0);
        Ethernet::parse(&output.bytes).unwrap().source()
    };
    assert_eq!(mac(&run, ""), run.mac(1));
    assert_eq!(mac(&run, r#"{"port": 3}"#), run.mac(3));
    run.next_port = 0xffff;
    assert_eq!(mac(&run, ""), Mac([2, 0, 0, 0, 0, 1]));
}

#[test]
fn always_filling_repairs_what_others_changed() {
    for (fill, same) in [("always", true), ("once", false)] {
        let mut host = start(&format!(r#"{{"fill": "{fill}", "vary": "none"}}"#));
        let first = host.generate(1).remove(0);
        host.spoil_rooms();
        assert_eq!(host.generate(256).iter().all(|output| output.bytes == first.bytes), same, "{fill}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let cases = [
        (r#"{"size": 59}"#, "size: an Ethernet frame has 60 bytes or more (without frame check sequence)"),
        (r#"{"size": 1921}"#, "size: a room of this run takes at most 1920 bytes"),
        (
            r#"{"size": 1523}"#,
            "size: 1523 bytes are more than the port's MTU of 1500 allows (1522, with Ethernet header and tags): make it smaller, \
             or the port's mtu larger",
        ),
        (r#"{"payload": "more than eighteen!"}"#, "payload: longer than size, less 42 bytes of headers, allows"),
        (
            r#"{"src": "255.255.255.255", "src_count": 2}"#,
            "src_count: 1 or more, and src + src_count within 0.0.0.0 to 255.255.255.255",
        ),
        (r#"{"src_count": 0}"#, "src_count: 1 or more, and src + src_count within 0.0.0.0 to 255.255.255.255"),
        (r#"{"src_port_count": 32769}"#, "src_port_count: 1 or more, and src_port + src_port_count at most 65536"),
        (r#"{"port": 4}"#, "port: this run has no port of that number"),
        (r#"{"checksum": "none", "udp_checksum": true}"#, "udp_checksum: asks for what checksum = \"none\" forbids"),
        (r#"{"vary": "three"}"#, "vary: unknown word \"three\"; known: none, two-fields"),
        (r#"{"src": "10.0.0"}"#, "src: invalid IPv4 address syntax"),
    ];
    for (config, text) in cases {
        assert_eq!(refused(config), text, "{config}");
    }
}
