use super::*;
use perigee_runtime::{Accounting, FlowStats, PoolStats, PortStats};

fn summary() -> Summary {
    let chain = ChainStats {
        name: "load".into(),
        lcore: 1,
        created: 6_400,
        sent: 6_000,
        sent_bytes: 360_000,
        dropped: [("tx_full".to_owned(), 400)].into(),
        batches: 200,
        cycles_busy: 640_000,
        ..Default::default()
    };
    let module = |name: &str| ModuleStats { name: name.into(), chain: "load".into(), lcore: 1, ..Default::default() };
    let counters = [("packets".to_owned(), 6_400), ("short".to_owned(), 0)].into();
    Summary {
        invalid: None,
        losses: Vec::new(),
        manifest: None,
        snapshot: Snapshot {
            elapsed_ns: 2_000_000_000,
            tsc_hz: 2_600_000_000,
            ports: vec![PortStats {
                name: "a".into(),
                device: "net_null0,x=1".into(),
                tx_packets: 6_000,
                ..Default::default()
            }],
            modules: vec![module("gen"), ModuleStats { counters, ..module("count") }],
            chains: vec![chain],
            ..Default::default()
        },
        accounting: Accounting {
            created: 6_400,
            sent: 6_000,
            dropped: [("tx_full".to_owned(), 400)].into(),
            balanced: true,
            ..Default::default()
        },
        pools: vec![PoolStats { name: "rx of a".into(), size: 511, free: 510, full: false }],
    }
}

#[test]
fn everything_is_told() {
    let text = text(&summary(), End::Signal);
    for line in [
        "Stopped: a signal asked for it. Measured over 2.000 s,",
        "  a     net_null0           0       0 pps        0 bit/s        6,000    3.00 kpps       - Gbit/s       0        0       0",
        "  load       1         0    6,400  6,000      400     0    3.20 kpps    3.00 kpps    1.44 Mbit/s          64.0          100.0",
        "  load                  1  tx_full      400",
        "  count   load       1  packets  6,400",
        "  rx of a    511   510  NOT FULL",
        "accounting: received 0 + created 6,400 = sent 6,000 + dropped 400 + held 0: balanced",
    ] {
        assert!(text.contains(line), "{line:?} is not in:\n{text}");
    }
    assert!(!text.contains("short"), "a counter at 0 is left out:\n{text}");
}

#[test]
fn ports_say_what_kept_packets_away() {
    let event = "after 1.0 s: link down: it was set down".to_owned();
    let port = PortStats { name: "a".into(), rx_too_long: 3, events: vec![event], ..Default::default() };
    let snapshot = Snapshot { ports: vec![port, PortStats::default()], ..Default::default() };
    let text = port_remarks(&snapshot);
    assert_eq!(text.lines().count(), 3, "{text}");
    for part in ["packets too long to come in whole", "3", "link down: it was set down"] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert_eq!(port_remarks(&Snapshot::default()), "");
}

#[test]
fn flow_rules_say_who_does_them() {
    let rule = |place: &str, hits| FlowStats {
        matches: "protocol udp, dst_port 53".into(),
        action: "queue 1".into(),
        place: place.into(),
        reason: None,
        hits,
    };
    let flows = vec![rule("software", Some(1_234)), rule("port", None)];
    let port = PortStats { name: "a".into(), flows, ..Default::default() };
    let text = flows_of(port);
    for line in [
        "  a                     0  protocol udp, dst_port 53  queue 1  software        1,234",
        "  a                     1  protocol udp, dst_port 53  queue 1  port      not counted",
    ] {
        assert!(text.contains(line), "{line:?} is not in:\n{text}");
    }
    assert_eq!(flows_of(PortStats::default()), "");
}

fn flows_of(port: PortStats) -> String {
    flows(&Snapshot { ports: vec![port], ..Default::default() })
}

#[test]
fn quotients_without_a_divisor_are_no_numbers() {
    assert_eq!(quotient(1, 0), "-");
    assert_eq!(quotient(1_999, 2), "999.5");
}
