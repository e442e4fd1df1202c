//! The sender in a test host.

use super::*;
use perigee_guest::abi::{pacing, tx_flags};
use perigee_guest::testing::{Host, Input, Run};
use perigee_guest::wire::{Ethernet, Header as _, Ipv4, Ipv6, Udp, checksum};
use stamp_wire::{ErrorEstimate, Format, Sent};

pub(crate) const MS: u64 = 1_000_000;
const START: u64 = 1_700_000_000_000_000_000;
const CLOCK: Clock = Clock { start: START, tai_offset: 37 };
const ADDRESSES: &str = r#""source": "10.0.0.1", "destination": "10.0.0.2", "destination_mac": "02:00:00:00:00:99""#;
pub(crate) const AT: usize = 42;

pub(crate) fn config(more: &str) -> String {
    format!("{{{ADDRESSES}, \"interval_us\": 10000, \"timeout_ms\": 50{more}}}")
}

fn start(more: &str) -> Host<StampSender> {
    begun(Host::start(&config(more)).unwrap())
}

/// Nothing is sent in the first tick.
pub(crate) fn begun(mut host: Host<StampSender>) -> Host<StampSender> {
    assert_eq!(tick(&mut host, 0), [[]; 0]);
    host
}

fn paced(more: &str) -> Host<StampSender> {
    let run = Run { pacing: pacing::SOFTWARE, spares: 64, ..Run::default() };
    begun(Host::start_in(run, &config(more)).unwrap())
}

pub(crate) fn tick(host: &mut Host<StampSender>, time: u64) -> Vec<Vec<u8>> {
    host.set_time(time);
    host.tick();
    host.outputs().iter().map(|output| output.bytes.clone()).collect()
}

/// The answer that a stateless reflector gives to a packet over IPv4: when it came and left, by the run's clock.
fn reflect(packet: &[u8], came: u64, left: u64) -> Vec<u8> {
    let mut bytes = packet.to_vec();
    Ethernet::swap_addresses_of(&mut bytes).unwrap();
    let (from, to) = (bytes[26..30].to_vec(), bytes[30..34].to_vec());
    bytes[26..30].copy_from_slice(&to);
    bytes[30..34].copy_from_slice(&from);
    let (from, to) = (bytes[34..36].to_vec(), bytes[36..38].to_vec());
    bytes[34..36].copy_from_slice(&to);
    bytes[36..38].copy_from_slice(&from);
    let sent = Sent::parse(&packet[AT..]).unwrap();
    let (answer, _) = Reflected::split_mut(&mut bytes[AT..]).unwrap();
    *answer = Reflected::default();
    answer.set_sequence(sent.sequence());
    answer.set_timestamp(CLOCK.stamp(Format::Ntp, left));
    answer.set_error(ErrorEstimate(1));
    answer.set_ssid(sent.ssid());
    answer.set_receive_timestamp(CLOCK.stamp(Format::Ntp, came));
    answer.set_sender_sequence(sent.sequence());
    answer.set_sender_timestamp(sent.timestamp());
    answer.set_sender_error(sent.error());
    answer.set_sender_ttl(255);
    checksum::fill(&mut bytes).unwrap();
    bytes
}

#[test]
fn packets_are_as_rfc_8762_wants_them() {
    let mut host = start(r#", "dscp": 46, "ssid": 258"#);
    let packets = tick(&mut host, MS);
    assert_eq!(packets.len(), 1);
    let bytes = &packets[0];
    assert_eq!((bytes.len(), checksum::check(bytes)), (AT + 44, Ok(())));
    assert_eq!(bytes[..14], [2, 0, 0, 0, 0, 0x99, 2, 0, 0, 0, 0, 0x11, 8, 0]);
    let ip = Ipv4::parse(&bytes[14..]).unwrap();
    assert_eq!(
        (ip.ttl(), ip.dscp(), ip.source().octets(), ip.destination().octets()),
        (255, 46, [10, 0, 0, 1], [10, 0, 0, 2])
    );
    let udp = Udp::parse(ip.payload).unwrap();
    assert_eq!((udp.source_port(), udp.destination_port()), (50_862, 862));
    // By the figure, byte for byte: section 4.2.1.
    let mut expected = vec![0; 4];
    expected.extend(CLOCK.stamp(Format::Ntp, MS).to_be_bytes());
    expected.extend(ErrorEstimate::new(1_000_000, false, Format::Ntp).0.to_be_bytes());
    expected.extend([1, 2]);
    expected.resize(44, 0);
    assert_eq!(udp.payload, expected);
    assert!(host.outputs()[0].verdict == Verdict::tx(1) && host.outputs()[0].desc.tx_flags == 0);
}

#[test]
fn ipv6_tags_padding_and_ptp() {
    let config = r#"{"source": "fd00::1", "destination": "fd00::2", "destination_mac": "02:00:00:00:00:99", "vlans": [5, 8198],
        "padding": 20, "timestamps": "ptp"}"#;
    let mut host = begun(Host::<StampSender>::start(config).unwrap());
    let packets = tick(&mut host, MS);
    let bytes = &packets[0];
    assert_eq!((bytes.len(), checksum::check(bytes)), (14 + 8 + 40 + 8 + 44 + 24, Ok(())));
    assert_eq!(bytes[12..22], [0x88, 0xa8, 0, 5, 0x81, 0, 0x20, 6, 0x86, 0xdd]);
    let ip = Ipv6::parse(&bytes[22..]).unwrap();
    let sent = Sent::parse(&ip.payload[8..]).unwrap();
    assert_eq!((ip.hop_limit(), sent.timestamp()), (255, (1_700_000_037 << 32) | MS));
    assert_eq!(sent.error().format(), Format::Ptp);
    assert_eq!(sent.payload[..4], [0x80, 1, 0, 20]);
}

#[test]
fn delays_are_told() {
    let mut host = start(r#", "one_way": true"#);
    let packets = tick(&mut host, MS);
    host.set_time(MS + 90_000);
    // 30 us there, 10 us at the reflector, 40 us back: it came at 80 us, and was seen at 90.
    let answer = reflect(&packets[0], MS + 30_000, MS + 40_000);
    let out = host.process([Input::new(&answer).time(MS + 80_000)]);
    assert!(out[0].verdict.is_drop());
    for (name, expected) in [("received", 1), ("two_way_ns", 70_000), ("forward_ns", 30_000), ("backward_ns", 40_000)] {
        assert_eq!(host.counter(name), expected, "{name}");
    }
    let summary = String::from_utf8(host.message(b"summary").unwrap()).unwrap();
    assert!(summary.starts_with("{\"two_way_ns\":{\"count\":1,\"min\":70000,"), "{summary}");
    let encoded = host.message(b"two-way").unwrap();
    assert_eq!(encoded[..4], [0x1c, 0x84, 0x93, 0x13]);
    assert!(host.message(b"backwards").unwrap_err().contains("known messages"));
}

#[test]
fn each_packet_is_accounted_for() {
    let mut host = start("");
    let mut packets = Vec::new();
    for at in 0..5 {
        packets.extend(tick(&mut host, (1 + 10 * at) * MS));
    }
    let answers: Vec<_> = packets.iter().map(|packet| reflect(packet, 42 * MS, 42 * MS)).collect();
    host.set_time(43 * MS);
    host.process([answers[1].clone(), answers[0].clone(), answers[1].clone()]);
    assert_eq!((host.counter("received"), host.counter("reordered"), host.counter("duplicates")), (2, 1, 1));
    // The third is over, which a tick has not seen yet; the fourth is lost by the tick.
    host.set_time(71 * MS);
    host.process([answers[2].clone()]);
    tick(&mut host, 82 * MS);
    host.process([answers[3].clone(), answers[3].clone()]);
    assert_eq!((host.counter("lost"), host.counter("late"), host.counter("duplicates")), (2, 2, 2));
    // The fifth waits, and four that were made up for.
    assert_eq!(host.counter("sent"), host.counter("received") + host.counter("lost") + 5);
}

#[test]
fn packets_have_their_times_where_pace_is_granted() {
    let mut host = paced(r#", "padding": 12"#);
    let packets = tick(&mut host, MS);
    let desc = host.outputs()[0].desc;
    assert_eq!((desc.time, desc.stamp), (MS, 14 + 20 + 8 + 44 + 4));
    assert_eq!(desc.tx_flags, tx_flags::TIME | tx_flags::STAMP);
    // Made ahead of their time, each at its interval.
    let mut times = Vec::new();
    for ms in 2..40 {
        let count = tick(&mut host, ms * MS).len();
        times.extend(host.outputs().iter().map(|output| output.desc.time));
        assert!(count <= 1);
    }
    assert_eq!(times, [11 * MS, 21 * MS, 31 * MS, 41 * MS]);
    // The host writes the real departure, 700 ns later; it comes back.
    let mut answer = reflect(&packets[0], MS + 50_000, MS + 50_000);
    answer[AT + 48..AT + 56].copy_from_slice(&(MS + 700).to_be_bytes());
    checksum::fill(&mut answer).unwrap();
    host.process([Input::new(&answer).time(MS + 100_000)]);
    assert_eq!((host.counter("two_way_ns"), host.counter("stamped")), (99_300, 1));
}

#[test]
fn what_is_no_answer_of_ours_is_foreign() {
    let mut host = start(r#", "other": "next""#);
    let good = reflect(&tick(&mut host, MS)[0], MS, MS);
    let spoil = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        checksum::fill(&mut bytes).unwrap();
        bytes
    };
    // From another address, from another port, of another session, another number, another time of departure.
    let foreign = [spoil(29, 7), spoil(35, 7), spoil(AT + 15, 9), spoil(AT + 27, 1), spoil(AT + 30, 0x55)];
    for packet in &foreign {
        assert!(host.process([packet.clone()])[0].verdict.is_drop());
    }
    assert_eq!((host.counter("foreign"), host.counter("received")), (5, 0));
    let out = host.process([spoil(37, 9), vec![0; 60]]);
    assert!(out.iter().all(|out| out.verdict == Verdict::NEXT));
    assert_eq!(host.counter("other"), 2);
    // Answered before it was asked: times cannot be.
    host.process([reflect(&spoil(0, 2), 5 * MS, 4 * MS)]);
    host.process([good.clone()]);
    assert_eq!((host.counter("received"), host.counter("foreign")), (1, 5));
}

#[test]
fn times_that_cannot_be_are_counted() {
    let mut host = start(r#", "one_way": true"#);
    let packet = tick(&mut host, MS).remove(0);
    host.set_time(2 * MS);
    host.process([reflect(&packet, 5 * MS, 4 * MS)]);
    assert_eq!((host.counter("bad_time"), host.counter("two_way_ns")), (1, 0));
    let packet = tick(&mut host, 11 * MS).remove(0);
    host.set_time(12 * MS);
    // The reflector's clock is 10 ms behind: there is less than nothing.
    host.process([reflect(&packet, MS, MS)]);
    assert_eq!((host.counter("negative"), host.counter("two_way_ns"), host.counter("backward_ns")), (1, MS, 11 * MS));
}

#[test]
fn it_ends_and_does_not_burst() {
    let mut host = start(r#", "count": 3"#);
    let sent: Vec<_> = (1..200).filter(|ms| !tick(&mut host, ms * MS).is_empty()).collect();
    assert_eq!((sent, host.counter("lost")), (vec![1, 11, 21], 3));
    let mut host = start("");
    tick(&mut host, MS);
    assert_eq!(tick(&mut host, 31 * MS).len(), 3);
    assert_eq!(tick(&mut host, 2_001 * MS).len(), 1);
    assert_eq!(host.counter("skipped"), 196);
}

#[test]
fn every_cut_and_every_bit_is_survived() {
    let mut host = paced(r#", "padding": 12, "one_way": true"#);
    let good = reflect(&tick(&mut host, MS)[0], MS, MS);
    for len in 14..good.len() {
        host.process([good[..len].to_vec()]);
    }
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        host.process([bytes.clone()]);
        let _ = checksum::fill(&mut bytes);
        host.process([bytes]);
    }
}

#[test]
fn configurations_are_refused() {
    let cases = [
        (r#"{"source": "10.0.0.1"}"#.to_owned(), "destination"),
        (config(r#", "vlans": [1, 2, 3]"#), "vlans"),
        (config(r#", "source_port": 862"#), "source_port"),
        (config(r#", "dscp": 64"#), "dscp"),
        (config(r#", "padding": 1381"#), "padding"),
        (config(r#", "port": 9"#), "port"),
        (config(r#", "key": "secret""#), "key"),
        (config("").replace("10000", "19"), "interval_us"),
        (config("").replace("50}", "0}"), "timeout_ms"),
        (config("").replace("10000", "20").replace("50}", "200}"), "timeout_ms"),
        (config("").replace("10.0.0.2", "fd00::2"), "destination"),
        (config("").replace("02:", "03:"), "destination_mac"),
    ];
    for (config, expected) in cases {
        let error = Host::<StampSender>::start(&config).map(|_| ()).unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
}
