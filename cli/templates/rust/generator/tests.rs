//! The module in a test host, which is as strict as the real one. test.sh runs the cases of cases.toml as well.

use super::*;
use perigee_guest::testing::Host;
use perigee_guest::wire::checksum;
use std::collections::BTreeSet;

#[test]
fn packets_are_udp_from_many_ports() {
    let mut host = Host::<Load>::start("").unwrap();
    let made = host.generate(64);
    let mut ports = BTreeSet::new();
    for out in &made {
        assert_eq!((out.verdict, out.bytes.len()), (Verdict::NEXT, 60));
        assert!(checksum::check(&out.bytes).is_ok());
        let (headers, payload) = Headers::parse(&out.bytes).unwrap();
        assert_eq!((headers.ip.total_length(), headers.udp.length(), headers.udp.destination_port()), (46, 26, 9));
        assert_eq!(payload, [0; 18]);
        ports.insert(headers.udp.source_port());
    }
    assert!(made.len() == 64 && ports.len() > 50 && ports.first() >= Some(&0x8000), "{ports:?}");
    assert_eq!((host.counter("packets"), host.counter("bytes")), (64, 3840));
}

#[test]
fn size_and_port_are_configured() {
    let mut host = Host::<Load>::start(r#"{"size": 1000, "dst_port": 4000}"#).unwrap();
    let made = host.generate(1);
    let (headers, _) = Headers::parse(&made[0].bytes).unwrap();
    assert_eq!((made[0].bytes.len(), headers.udp.length(), headers.udp.destination_port()), (1000, 966, 4000));
}

#[test]
fn what_cannot_be_is_refused() {
    for (config, text) in [
        (r#"{"size": 59}"#, "size: 60 or more, and no more than a room of this run takes"),
        (r#"{"size": 9000}"#, "size: 60 or more, and no more than a room of this run takes"),
        (r#"{"dst": 9}"#, "unknown key \"dst\"; known: size, dst_port"),
    ] {
        assert_eq!(Host::<Load>::start(config).map(|_| ()).unwrap_err(), text);
    }
}
