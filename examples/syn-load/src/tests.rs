//! The generator in a test host.

use super::*;
use perigee_guest::testing::Host;
use perigee_guest::wire::checksum;
use std::collections::BTreeSet;

#[test]
fn requests_differ_and_have_right_checksums() {
    let mut host = Host::<SynLoad>::start(r#"{"target": "192.0.2.1", "port": 443}"#).unwrap();
    let mut sources = BTreeSet::new();
    // The second round finds the rooms as the first one left them.
    for output in (0..8).flat_map(|_| host.generate(256)) {
        let (request, data) = Request::parse(&output.bytes).unwrap();
        assert!(request.tcp.syn() && !request.tcp.ack() && data.is_empty());
        assert_eq!((request.ip.destination(), request.tcp.destination_port()), ([192, 0, 2, 1].into(), 443));
        assert_eq!(checksum::check(&output.bytes), Ok(()));
        sources.insert((request.ip.source(), request.tcp.source_port()));
    }
    assert!(sources.len() > 2_000);
    assert_eq!(host.counter("packets"), 2_048);
}
