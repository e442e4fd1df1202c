//! The generator in a test host, and what a collector reads.

use super::*;
use perigee_guest::testing::{Host, Run};
use perigee_guest::wire::ipfix::{Element, Sets, Templates};
use perigee_guest::wire::{Header as _, checksum};

/// The test host's run began at this Unix time.
const BEGAN: u64 = 1_700_000_000;

/// A collector: records by template, and the messages' sequence numbers and domains.
#[derive(Default)]
struct Collector {
    templates: Templates<4, 16>,
    records: Vec<(u64, u64, u64, u64)>,
    headers: Vec<(u32, u32, u32)>,
    unknown: usize,
}

impl Collector {
    fn read(&mut self, frame: &[u8]) {
        assert_eq!(checksum::check(frame), Ok(()));
        let (headers, payload) = Headers::parse(frame).unwrap();
        assert_eq!(headers.udp.destination_port(), 4739);
        let message = Ipfix::parse(payload).unwrap();
        assert_eq!(usize::from(message.length()), payload.len());
        self.headers.push((message.export_time(), message.sequence(), message.domain()));
        for set in Sets::of_message(payload).unwrap() {
            let set = set.unwrap();
            if set.is_template() {
                for template in set.templates() {
                    self.templates.learn(1, &template.unwrap()).unwrap();
                }
                continue;
            }
            let Some(template) = self.templates.find(1, set.id) else {
                self.unknown += 1;
                continue;
            };
            for record in set.records(template) {
                let record = record.unwrap();
                let number = |element| record.find(element).unwrap().number().unwrap();
                let times = (number(Element::START_MILLISECONDS), number(Element::END_MILLISECONDS));
                self.records.push((number(Element::PACKETS), number(Element::BYTES), times.0, times.1));
            }
        }
    }
}

fn host(config: &str) -> Host<IpfixGen> {
    Host::start(config).unwrap()
}

#[test]
fn a_collector_reads_what_is_sent() {
    for family in ["ipv4", "ipv6"] {
        let mut host = host(&format!(r#"{{"records": 12, "template_every": 10, "family": "{family}", "domain": 7}}"#));
        host.set_time(5 * flows::SECOND);
        let mut collector = Collector::default();
        for _ in 0..5 {
            for output in host.generate(20) {
                collector.read(&output.bytes);
            }
        }
        assert_eq!((collector.records.len(), collector.headers.len(), collector.unknown), (1_200, 100, 0));
        let now = BEGAN + 5;
        for (at, header) in (0..).zip(&collector.headers) {
            assert_eq!(*header, (u32::try_from(now).unwrap(), at * 12, 7));
        }
        for (packets, bytes, start, end) in collector.records {
            assert!((1..=1_000).contains(&packets) && (packets * 60..=packets * 1_500).contains(&bytes));
            assert!(start <= end && end <= now * 1_000 && start >= (now - 61) * 1_000);
        }
        let counted = ["messages", "records", "templates"].map(|name| host.counter(name));
        assert_eq!(counted, [100, 1_200, 10]);
    }
}

#[test]
fn there_are_as_many_flows_as_asked_for() {
    let mut host = host(r#"{"flows": 50}"#);
    let mut keys = std::collections::HashSet::new();
    for output in (0..10).flat_map(|_| host.generate(20)) {
        let data = output.bytes.len() - 20 * 46;
        keys.extend(output.bytes[data..].chunks(46).map(|record| record[..14].to_vec()));
    }
    assert_eq!(keys.len(), 50);
}

#[test]
fn it_ends_after_count_messages() {
    let mut host = host(r#"{"count": 30}"#);
    assert_eq!((host.generate(20).len(), host.is_finished()), (20, false));
    assert_eq!((host.generate(20).len(), host.is_finished()), (10, true));
    assert!(host.generate(20).is_empty());
}

#[test]
fn a_sequence_goes_round() {
    let mut host = host(r#"{"sequence": 4294967290, "records": 5}"#);
    let mut collector = Collector::default();
    for output in host.generate(3) {
        collector.read(&output.bytes);
    }
    let sequence: Vec<_> = collector.headers.iter().map(|header| header.1).collect();
    assert_eq!(sequence, [4_294_967_290, 4_294_967_295, 4]);
}

#[test]
fn the_same_seed_makes_the_same() {
    let packets = |config| host(config).generate(10).into_iter().map(|output| output.bytes).collect::<Vec<_>>();
    assert_eq!(packets(r#"{"seed": 1}"#), packets(r#"{"seed": 1}"#));
    assert_ne!(packets(r#"{"seed": 1}"#), packets(r#"{"seed": 2}"#));
}

#[test]
fn addresses_and_ports_are_as_configured() {
    let config = r#"{"src": "192.0.2.1", "dst": "192.0.2.2", "src_port": 5, "dst_port": 9995, "src_mac": "02:00:00:00:00:07",
        "dst_mac": "02:00:00:00:00:08", "port": 2}"#;
    let output = host(config).generate(1).remove(0);
    let (headers, _) = Headers::parse(&output.bytes).unwrap();
    assert_eq!((headers.eth.source().0[5], headers.eth.destination().0[5]), (7, 8));
    assert_eq!((headers.ip.source().octets()[3], headers.ip.destination().octets()[3]), (1, 2));
    assert_eq!((headers.udp.source_port(), headers.udp.destination_port()), (5, 9_995));
    assert_eq!(output.verdict, Verdict::tx(2));
}

#[test]
fn configurations_are_refused() {
    let cases = [
        (r#"{"records": 100}"#, "records: a packet has room for 31"),
        (r#"{"records": 0}"#, "at least 1"),
        (r#"{"template_every": 0}"#, "at least 1"),
        (r#"{"flows": 0}"#, "flows"),
        (r#"{"family": "ipx"}"#, "family"),
        (r#"{"port": 9}"#, "port"),
        (r#"{"collector": ""}"#, "collector"),
    ];
    for (config, expected) in cases {
        let error = Host::<IpfixGen>::start(config).map(|_| ()).unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
    let small = Run { room_len: 100, ..Run::default() };
    let error = Host::<IpfixGen>::start_in(small, "").map(|_| ()).unwrap_err();
    assert_eq!(error, "records: a packet has room for 0");
}

#[test]
fn where_both_do_not_fit_the_template_has_a_message_of_its_own() {
    let small = || Run { room_len: 128, ..Run::default() };
    let mut host = Host::<IpfixGen>::start_in(small(), r#"{"template_every": 3}"#).unwrap();
    let mut collector = Collector::default();
    for output in host.generate(9) {
        collector.read(&output.bytes);
    }
    assert_eq!((collector.records.len(), collector.unknown), (6, 0));
    let sequence: Vec<_> = collector.headers.iter().map(|header| header.1).collect();
    assert_eq!(sequence, [0, 0, 1, 2, 2, 3, 4, 4, 5]);
    assert_eq!((host.counter("records"), host.counter("templates")), (6, 3));
    let error = Host::<IpfixGen>::start_in(small(), r#"{"template_every": 1}"#).map(|_| ()).unwrap_err();
    assert!(error.contains("at least 2"), "{error}");
}
