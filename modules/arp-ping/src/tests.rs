//! The asker in a test host.

use super::*;
use perigee_guest::testing::{Host, Input};

const MS: u64 = 1_000_000;
const CONFIG: &str =
    r#"{"targets": ["10.0.0.1", "10.0.0.9"], "source": "10.0.0.2", "interval_ms": 10, "timeout_ms": 5, "count": 3}"#;
/// The MAC address of port 1 of the test host, by which packets leave.
const OWN: Mac = Mac([2, 0, 0, 0, 0, 0x11]);
const THEM: Mac = Mac([2, 0, 0, 0, 0, 0x99]);
const NOTHING: [Input; 0] = [];

fn tick(host: &mut Host<ArpPing>, time: u64) -> Vec<Vec<u8>> {
    host.set_time(time);
    host.tick();
    host.outputs().iter().map(|output| output.bytes.clone()).collect()
}

/// The answer to a request, as `from` gives it.
fn reply(request: &[u8], from: Mac) -> Vec<u8> {
    let mut bytes = request.to_vec();
    let (request, _) = Request::split(&mut bytes);
    request.eth.set_destination(OWN);
    request.eth.set_source(from);
    request.arp.answer(from);
    bytes
}

impl Request {
    fn split(bytes: &mut [u8]) -> (&mut Self, &mut [u8]) {
        let (head, rest) = bytes.split_first_chunk_mut().unwrap();
        (Self::from_head_mut(head), rest)
    }
}

#[test]
fn requests_are_as_rfc_826_wants_them() {
    let mut host = Host::<ArpPing>::start(CONFIG).unwrap();
    let requests = tick(&mut host, MS);
    let expected = "ffffffffffff020000000011 0806 0001080006040001 020000000011 0a000002 000000000000 0a000001";
    let digits: String = expected.split_whitespace().collect();
    let mut bytes: Vec<u8> =
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
    bytes.resize(60, 0);
    assert_eq!((requests.len(), &requests[0]), (2, &bytes));
    assert!(host.outputs().iter().all(|output| output.verdict == Verdict::tx(1)));
    assert_eq!(requests[1][38..42], [10, 0, 0, 9]);
}

#[test]
fn answers_are_timed() {
    let mut host = Host::<ArpPing>::start(CONFIG).unwrap();
    let requests = tick(&mut host, MS);
    host.set_time(MS + 123_456);
    let out = host.process([reply(&requests[0], THEM)]);
    assert!(out[0].verdict.is_drop());
    assert_eq!((host.counter("answers"), host.counter("rtt_ns"), host.counter("other")), (1, 123_456, 0));
    assert_eq!(host.log(), ["10.0.0.1 is at 02:00:00:00:00:99: 123.456 us"]);
    host.process([reply(&requests[0], THEM)]);
    assert_eq!((host.counter("answers"), host.counter("duplicates")), (1, 1));
    // The other one is given up after 5 ms, and answers too late.
    tick(&mut host, 6 * MS);
    assert_eq!(host.counter("lost"), 1);
    host.process([reply(&requests[1], THEM)]);
    assert_eq!((host.counter("late"), host.counter("answers")), (1, 1));
}

#[test]
fn each_is_asked_as_often_as_wanted() {
    let mut host = Host::<ArpPing>::start(CONFIG).unwrap();
    let times: Vec<_> = (1..100).filter(|ms| !tick(&mut host, ms * MS).is_empty()).collect();
    assert_eq!(times, [1, 11, 21]);
    assert_eq!((host.counter("requests"), host.counter("lost")), (6, 6));
    // After a long pause there is no burst.
    let mut host = Host::<ArpPing>::start(&CONFIG.replace("3}", "0}")).unwrap();
    let times: Vec<_> =
        [1, 11, 500, 501, 509, 510].into_iter().filter(|ms| !tick(&mut host, ms * MS).is_empty()).collect();
    assert_eq!(times, [1, 11, 500, 510]);
}

#[test]
fn another_station_is_noticed() {
    let mut host = Host::<ArpPing>::start(CONFIG).unwrap();
    let requests = tick(&mut host, MS);
    host.process([reply(&requests[0], THEM), reply(&requests[0], Mac([2, 0, 0, 0, 0, 0x77]))]);
    assert_eq!((host.counter("answers"), host.counter("duplicates"), host.counter("moved")), (1, 1, 1));
}

#[test]
fn tagged_answers_count_too() {
    let mut host = Host::<ArpPing>::start(CONFIG).unwrap();
    let mut answer = reply(&tick(&mut host, MS)[0], THEM);
    answer.splice(12..12, [0x81, 0, 0, 5]);
    host.process([answer]);
    assert_eq!(host.counter("answers"), 1);
}

#[test]
fn other_packets_go_their_way() {
    let mut host = Host::<ArpPing>::start(&CONFIG.replace("3}", r#"3, "other": "next"}"#)).unwrap();
    let requests = tick(&mut host, MS);
    let good = reply(&requests[0], THEM);
    let spoil = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        bytes
    };
    let packets = [
        requests[0].clone(), // a request
        spoil(12, 0x09),     // another EtherType
        spoil(15, 6),        // other hardware
        spoil(22, 3),        // of a group
        spoil(31, 77),       // from somebody whom we did not ask
        spoil(37, 0x12),     // to another station
        spoil(41, 9),        // to another address
        good[..41].to_vec(), // cut off
        vec![0xff; 14],
        vec![0x81; 60],
    ];
    let count = packets.len() as u64;
    let out = host.process(packets.clone());
    assert!(out.iter().zip(&packets).all(|(out, packet)| out.verdict == Verdict::NEXT && out.bytes == *packet));
    assert_eq!((host.counter("other"), host.counter("answers")), (count, 0));
}

#[test]
fn every_cut_and_every_bit_is_survived() {
    let mut host = Host::<ArpPing>::start(CONFIG).unwrap();
    let good = reply(&tick(&mut host, MS)[0], THEM);
    for len in 14..good.len() {
        host.process([good[..len].to_vec()]);
    }
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        host.process([bytes]);
    }
    host.process(NOTHING);
}

#[test]
fn without_rooms_it_waits() {
    let run = perigee_guest::testing::Run { spares: 1, ..Default::default() };
    let mut host = Host::<ArpPing>::start_in(run, CONFIG).unwrap();
    assert_eq!(tick(&mut host, MS).len(), 1);
    assert_eq!(tick(&mut host, 2 * MS)[0][38..42], [10, 0, 0, 9]);
    assert_eq!((host.counter("requests"), host.counter("no_room")), (2, 1));
}

#[test]
fn configurations_are_refused() {
    let cases = [
        (r#"{"targets": [], "source": "10.0.0.2"}"#, "targets: at least one"),
        (r#"{"targets": ["224.0.0.1"], "source": "10.0.0.2"}"#, "targets: only"),
        (r#"{"targets": ["10.0.0.1", "10.0.0.1"], "source": "10.0.0.2"}"#, "stands twice"),
        (r#"{"targets": ["10.0.0.1"], "source": "255.255.255.255"}"#, "source"),
        (r#"{"targets": ["10.0.0.1"], "source": "10.0.0.2", "port": 9}"#, "port"),
        (r#"{"targets": ["10.0.0.1"], "source": "10.0.0.2", "interval_ms": 0}"#, "interval_ms"),
        (r#"{"targets": ["10.0.0.1"], "source": "10.0.0.2", "timeout_ms": 2000}"#, "timeout_ms"),
        (r#"{"targets": ["10.0.0.1"], "source": "10.0.0.2", "mac": "01:00:00:00:00:00"}"#, "mac"),
        (r#"{"targets": ["10.0.0.1"]}"#, "source"),
    ];
    for (config, expected) in cases {
        let error = Host::<ArpPing>::start(config).map(|_| ()).unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
}
