//! The reflector in a test host.

use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use perigee_guest::Verdict;
use perigee_guest::abi::rx_flags;
use perigee_guest::testing::{Host, Input};
use perigee_guest::wire::{Ethernet, Header as _, Ipv4, Ipv6, Mac, Stack as _, Udp, checksum};
use stamp_wire::{Reflected, Sent};

perigee_guest::stack! { pub(crate) struct Question4 { eth: Ethernet, ip: Ipv4, udp: Udp, sent: Sent } }
perigee_guest::stack! { pub(crate) struct Question6 { eth: Ethernet, ip: Ipv6, udp: Udp, sent: Sent } }

/// The test host's time of day when its run began.
const START: u64 = 1_700_000_000_000_000_000;
const THEM: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const US: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
/// Where UDP's payload begins over IPv4, without tags.
pub(crate) const AT: usize = 42;
const STAMP: u64 = 0x1234_5678_9abc_def0;

/// A test packet with what follows its base.
pub(crate) fn question(sequence: u32, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; AT + 44];
    bytes.extend_from_slice(rest);
    Question4::fill(&mut bytes, |q| {
        q.eth.set_source(Mac([2, 0, 0, 0, 0, 0x99]));
        q.eth.set_destination(Mac([2, 0, 0, 0, 0, 0x10]));
        q.ip.set_source(THEM);
        q.ip.set_destination(US);
        q.ip.set_ttl(251);
        q.ip.set_dscp(0x2e);
        q.ip.set_ecn(3);
        q.udp.set_source_port(40_000);
        q.sent.set_sequence(sequence);
        q.sent.set_timestamp(STAMP);
        q.sent.set_error(ErrorEstimate(0x0101));
        q.sent.set_ssid(7);
    })
    .unwrap();
    bytes
}

fn question6(rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; AT + 20 + 44];
    bytes.extend_from_slice(rest);
    Question6::fill(&mut bytes, |q| {
        q.eth.set_source(Mac([2, 0, 0, 0, 0, 0x99]));
        q.eth.set_destination(Mac([2, 0, 0, 0, 0, 0x10]));
        q.ip.set_source(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
        q.ip.set_destination(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2));
        q.ip.set_hop_limit(64);
        q.udp.set_source_port(40_000);
        q.sent.set_sequence(9);
        q.sent.set_error(ErrorEstimate(0x4101));
    })
    .unwrap();
    bytes
}

/// Makes lengths and checksums of a test packet over IPv4 right, whatever its payload is.
pub(crate) fn mend(bytes: &mut [u8]) {
    let len = u16::try_from(bytes.len() - 14).unwrap();
    bytes[16..18].copy_from_slice(&len.to_be_bytes());
    bytes[38..40].copy_from_slice(&(len - 20).to_be_bytes());
    checksum::fill(bytes).unwrap();
}

fn start(config: &str) -> Host<StampReflector> {
    let mut host = Host::start(config).unwrap();
    host.set_time(5_000_000_500);
    host
}

/// The answer to a question that has one.
fn answer(host: &mut Host<StampReflector>, question: &[u8]) -> Vec<u8> {
    let out = host.process([Input::new(question)]);
    assert_eq!(out[0].verdict, Verdict::tx(0));
    assert_eq!(checksum::check(&out[0].bytes), Ok(()));
    out[0].bytes.clone()
}

#[test]
fn an_answer_has_its_fields_where_rfc_8762_has_them() {
    let mut host = start("{}");
    let out = host.process([Input::new(&question(77, &[])).time(5_000_000_100)]);
    let bytes = &out[0].bytes;
    assert_eq!((out[0].verdict, bytes.len()), (Verdict::tx(0), AT + 44));
    assert_eq!(checksum::check(bytes), Ok(()));
    assert_eq!(bytes[..12], [2, 0, 0, 0, 0, 0x99, 2, 0, 0, 0, 0, 0x10]);
    let ip = Ipv4::parse(&bytes[14..]).unwrap();
    assert_eq!((ip.source(), ip.destination(), ip.ttl(), ip.dscp(), ip.ecn()), (US, THEM, 255, 0x2e, 0));
    assert_eq!(bytes[34..38], [862_u16.to_be_bytes(), 40_000_u16.to_be_bytes()].concat());

    // By the figure, byte for byte: section 4.3.1.
    let clock = Clock { start: START, tai_offset: 37 };
    let mut expected = Vec::new();
    expected.extend(77_u32.to_be_bytes());
    expected.extend(clock.stamp(Format::Ntp, 5_000_000_500).to_be_bytes());
    expected.extend(ErrorEstimate::new(1_000_000, false, Format::Ntp).0.to_be_bytes());
    expected.extend(7_u16.to_be_bytes());
    expected.extend(clock.stamp(Format::Ntp, 5_000_000_100).to_be_bytes());
    expected.extend(77_u32.to_be_bytes());
    expected.extend(STAMP.to_be_bytes());
    expected.extend([1, 1, 0, 0, 251, 0, 0, 0]);
    assert_eq!(bytes[AT..], expected);
    assert_eq!((host.counter("reflected"), host.counter("port_time")), (1, 1));
}

#[test]
fn ipv6_and_ptp_work_and_tags_stay() {
    let mut host = start(r#"{"sync": "ptp"}"#);
    let bytes = answer(&mut host, &question6(&[]));
    let sent = Reflected::parse(&bytes[AT + 20..]).unwrap();
    // Seconds since 1970 by atomic time, and nanoseconds.
    assert_eq!(sent.timestamp(), (1_700_000_005 + 37) << 32 | 500);
    assert_eq!((sent.receive_timestamp(), sent.sender_ttl(), sent.sequence()), (sent.timestamp(), 64, 9));
    assert_eq!((sent.error().format(), sent.error().is_synchronized()), (Format::Ptp, true));
    let mut tagged = question(1, &[]);
    tagged.splice(12..12, [0x88, 0xa8, 0, 5, 0x81, 0, 0, 6]);
    let bytes = answer(&mut host, &tagged);
    assert_eq!((bytes.len(), &bytes[12..20]), (tagged.len(), &tagged[12..20]));
    let mut host = start(r#"{"timestamps": "ntp"}"#);
    let bytes = answer(&mut host, &question6(&[]));
    assert_eq!(Reflected::parse(&bytes[AT + 20..]).unwrap().error().format(), Format::Ntp);
}

#[test]
fn twamp_light_is_answered_by_a_whole_packet() {
    let mut host = start("{}");
    for len in 14..44 {
        let mut short = question(5, &[]);
        short.truncate(AT + len);
        short[AT + 14..].fill(0xaa);
        mend(&mut short);
        // Padded to Ethernet's shortest frame.
        short.resize(short.len().max(60), 0);
        let bytes = answer(&mut host, &short);
        let sent = Reflected::parse(&bytes[AT..]).unwrap();
        assert_eq!((bytes.len(), sent.sender_sequence(), sent.sender_timestamp()), (AT + 44, 5, STAMP));
        assert_eq!((sent.ssid(), sent.reserved(), sent.reserved2()), (0, 0, [0; 3]));
    }
    assert_eq!((host.counter("twamp"), host.counter("reflected")), (30, 30));
    // A longer one comes back as long, with its padding.
    let bytes = answer(&mut host, &question(1, &[0; 100]));
    assert_eq!((bytes.len(), &bytes[AT + 44..]), (AT + 144, &[0; 100][..]));
    let mut host = start(r#"{"extensions": false}"#);
    assert_eq!(answer(&mut host, &question(1, &[0x5a; 99]))[AT + 44..], [0x5a; 99]);
}

#[test]
fn a_stateful_reflector_counts_by_itself() {
    let mut host = start(r#"{"mode": "stateful", "sessions": 2, "idle_s": 10}"#);
    let number = |bytes: &[u8]| Reflected::parse(&bytes[AT..]).map(|sent| sent.sequence()).unwrap();
    for expected in 0..3 {
        // The sender's numbers have a gap: its packets were lost.
        assert_eq!(number(&answer(&mut host, &question(expected * 10, &[]))), expected);
    }
    let mut other = question(0, &[]);
    other[AT + 15] = 8;
    mend(&mut other);
    assert_eq!(number(&answer(&mut host, &other)), 0);
    assert_eq!((host.counter("sessions"), host.counter("evicted")), (2, 0));
    host.set_time(30_000_000_000);
    host.process([[0; 60].to_vec()]);
    assert_eq!(number(&answer(&mut host, &question(0, &[]))), 0);
    assert_eq!(host.counter("sessions"), 3);
}

#[test]
fn what_is_no_question_stays_as_it_is() {
    let mut host = start(r#"{"addresses": ["10.0.0.2", "fd00::2"], "other": "next"}"#);
    let spoil = |at: usize, to: u8, mended: bool| {
        let mut bytes = question(1, &[]);
        bytes[at] = to;
        if mended {
            mend(&mut bytes);
        }
        bytes
    };
    let mut short = question(1, &[]);
    short.truncate(AT + 13);
    mend(&mut short);
    let cases = [
        (spoil(33, 3, true), "other"),         // to another host
        (spoil(37, 80, true), "other"),        // to another port
        (spoil(23, 6, false), "other"),        // no UDP
        (spoil(0, 1, false), "other"),         // to a group
        (spoil(26, 224, true), "other"),       // from a group
        (spoil(24, 1, false), "bad_checksum"), // IPv4's
        (spoil(AT, 1, false), "bad_checksum"), // UDP's
        (spoil(20, 0x20, false), "fragment"),  // the first one
        (spoil(39, 7, false), "malformed"),    // UDP's length
        (spoil(39, 60, false), "malformed"),   // longer than IP's
        (spoil(39, 51, false), "malformed"),   // shorter
        (spoil(17, 255, false), "malformed"),  // IP's length
        (short, "short"),
    ];
    for (packet, counter) in &cases {
        let before = host.counter(counter);
        let out = host.process([packet.clone()]);
        assert_eq!((out[0].verdict, &out[0].bytes), (Verdict::NEXT, packet), "{counter}");
        assert_eq!(host.counter(counter), before + 1, "{counter}: {packet:x?}");
    }
    // What the port has checked is not checked again; without a checksum it is right over IPv4 only.
    let known = rx_flags::IP_CHECKSUM_GOOD | rx_flags::L4_CHECKSUM_GOOD;
    assert_eq!(host.process([Input::new(&spoil(AT, 1, false)).flags(known)])[0].verdict, Verdict::tx(0));
    let mut none = question(1, &[]);
    none[40..42].fill(0);
    assert_eq!(host.process([none])[0].verdict, Verdict::tx(0));
    let mut none = question6(&[]);
    none[60..62].fill(0);
    assert_eq!(host.process([none])[0].verdict, Verdict::NEXT);
}

#[test]
fn answers_are_not_answered() {
    let mut from_862 = question(1, &[]);
    from_862[34..36].copy_from_slice(&862_u16.to_be_bytes());
    mend(&mut from_862);
    let mut host = start("{}");
    assert!(host.process([from_862.clone()])[0].verdict.is_drop());
    assert_eq!(host.counter("from_reflector"), 1);
    let mut host = start(r#"{"same_port": true}"#);
    answer(&mut host, &from_862);
}

#[test]
fn without_room_there_is_no_answer() {
    let mut short = question(1, &[]);
    short.truncate(AT + 14);
    mend(&mut short);
    let run = perigee_guest::testing::Run { room_len: 64, ..Default::default() };
    let mut host = Host::<StampReflector>::start_in(run, "{}").unwrap();
    assert!(host.process([short])[0].verdict.is_drop());
    assert_eq!(host.counter("no_room"), 1);
}

#[test]
fn every_cut_and_every_bit_is_survived() {
    let extensions = [0x80, 2, 0, 8, 0, 0, 0, 0, 0x80, 1, 0, 0, 0x80, 4, 0, 4, 1, 2, 3, 4];
    for good in [question(1, &extensions), question6(&extensions)] {
        let mut host = start(r#"{"mode": "stateful"}"#);
        for len in 14..good.len() {
            host.process([good[..len].to_vec()]);
        }
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            host.process([Input::new(&bytes).flags(rx_flags::IP_CHECKSUM_GOOD | rx_flags::L4_CHECKSUM_GOOD)]);
            host.process([bytes]);
        }
    }
}

#[test]
fn configurations_are_refused() {
    let cases = [
        (r#"{"addresses": ["224.0.0.1"]}"#, "addresses"),
        (r#"{"addresses": ["::1"]}"#, "addresses"),
        (r#"{"port": 0}"#, "port"),
        (r#"{"sessions": 5}"#, "stateful"),
        (r#"{"mode": "stateful", "sessions": 0}"#, "sessions"),
        (r#"{"mode": "stateful", "idle_s": 0}"#, "idle_s"),
        (r#"{"tai_offset": 4000}"#, "tai_offset"),
        (r#"{"timestamps": "utc"}"#, "timestamps"),
        (r#"{"key": "secret"}"#, "key"),
    ];
    for (config, expected) in cases {
        let error = Host::<StampReflector>::start(config).map(|_| ()).unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
}
