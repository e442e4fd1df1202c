//! The log, as a collector reads it.

use super::*;
use perigee_guest::testing::Run;
use perigee_guest::wire::Ipfix;
use perigee_guest::wire::ipfix::{Element, Sets, Templates};

fn start(more: &str) -> Host<Nat> {
    let log = r#""log": {"collector": "192.0.2.9:4739", "source": "198.51.100.1:4739", "mac": "02:00:00:00:00:09", "port": 2, "queue": 100}"#;
    Host::start(&config(&format!("{log}{more}"))).unwrap()
}

/// The records in what was sent: event, host, and the number in the last field.
fn records(host: &Host<Nat>, templates: &mut Templates<8, 16>) -> Vec<(u64, u64, u64)> {
    let mut all = Vec::new();
    for output in host.outputs().iter().filter(|output| output.verdict == perigee_guest::Verdict::tx(2)) {
        assert_eq!(checksum::check(&output.bytes), Ok(()));
        assert!(ends(&output.bytes[14..]).ends_with("> 192.0.2.9:4739"));
        for set in Sets::of_message(&output.bytes[42..]).unwrap() {
            let set = set.unwrap();
            if set.is_template() {
                set.templates().for_each(|template| templates.learn(1, &template.unwrap()).unwrap());
                continue;
            }
            for record in set.records(templates.find(1, set.id).unwrap()) {
                let record = record.unwrap();
                let number = |id| record.find(Element::iana(id)).and_then(|value| value.number()).unwrap();
                let time = number(323);
                assert!((1_700_000_000_000..1_700_001_000_000).contains(&time));
                let last = if number(230) < 16 { number(227) } else { number(362) };
                all.push((number(230), number(8), last));
            }
        }
    }
    all
}

fn later(host: &mut Host<Nat>, seconds: u64) {
    host.set_time(seconds * SECOND);
    host.process(Vec::<Vec<u8>>::new());
}

#[test]
fn mappings_are_told_when_they_begin_and_end() {
    let (mut host, mut templates) = (start(""), Templates::new());
    outside(&mut host, &udp("10.0.0.1:5000", "192.0.2.1:53"));
    outside(&mut host, &udp("10.0.0.1:5000", "192.0.2.1:54"));
    later(&mut host, 1);
    assert_eq!(records(&host, &mut templates), [(8, 0x0a00_0001, 5_000)], "one mapping, however many sessions");
    later(&mut host, 400);
    later(&mut host, 401);
    assert_eq!(records(&host, &mut templates), [(9, 0x0a00_0001, 5_000)]);
    assert_eq!((host.counter("log.records"), host.counter("log.lost")), (2, 0));
}

#[test]
fn of_blocks_there_is_one_record_each() {
    let (mut host, mut templates) = (start(r#", "blocks": {"size": 512}"#), Templates::new());
    (0..50).for_each(|n| drop(outside(&mut host, &udp(&format!("10.0.0.1:{}", 5_000 + n), "192.0.2.1:53"))));
    later(&mut host, 1);
    let told = records(&host, &mut templates);
    assert_eq!((told.len(), told[0].0, told[0].1, (told[0].2 + 1) % 512), (1, 16, 0x0a00_0001, 0));
}

#[test]
fn what_cannot_be_sent_is_counted() {
    let run = Run { spares: 0, ..Run::default() };
    let log = r#""log": {"collector": "192.0.2.9:4739", "source": "198.51.100.1:4739", "mac": "02:00:00:00:00:09", "ring": 1, "queue": 100}"#;
    let mut host = Host::<Nat>::start_in(run, &config(log)).unwrap();
    (0..150).for_each(|n| drop(outside(&mut host, &udp(&format!("10.0.0.1:{}", 5_000 + n), "192.0.2.1:53"))));
    assert_eq!(host.counter("log.lost"), 50);
}

#[test]
fn many_records_take_several_messages() {
    let (mut host, mut templates) = (start(""), Templates::new());
    let frames = |first: u32| (first..first + 50).map(|n| udp(&format!("10.0.0.1:{}", 5_000 + n), "192.0.2.1:53"));
    host.process(frames(0));
    host.process(frames(50));
    let told = records(&host, &mut templates);
    assert_eq!(told.len(), 100);
    let sequences: Vec<u32> =
        host.outputs().iter().map(|output| Ipfix::parse(&output.bytes[42..]).unwrap().sequence()).collect();
    assert!(sequences.len() > 1 && sequences.windows(2).all(|pair| pair[0] < pair[1]), "{sequences:?}");
}

#[test]
fn what_waits_is_handed_over() {
    let (mut old, mut templates) = (start(""), Templates::new());
    outside(&mut old, &udp("10.0.0.1:5000", "192.0.2.1:53"));
    let state = old.save().unwrap();
    let mut new = start("");
    new.restore(&state).unwrap();
    later(&mut new, 1);
    assert_eq!(records(&new, &mut templates), [(8, 0x0a00_0001, 5_000)]);
}
