//! The port in a test host: frames in, frames out.

use super::*;
use perigee_guest::testing::{Host, Input};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const PARTNER: Mac = Mac([2, 0, 0, 0, 0, 0x99]);

fn tick(host: &mut Host<LacpPort>, now: u64) -> Option<Vec<u8>> {
    host.set_time(now);
    host.tick();
    host.outputs().first().map(|output| output.bytes.clone())
}

/// What a partner answers to our LACPDU.
fn answer(ours: &[u8], state: u8) -> Vec<u8> {
    let (frame, _) = Frame::parse(ours).unwrap();
    let mut bytes = vec![0; FRAME_LEN.into()];
    Frame::fill(&mut bytes, |answer| {
        answer.eth.set_destination(SlowProtocol::GROUP);
        answer.eth.set_source(PARTNER);
        let partner = Participant { system_priority: 1, system: PARTNER, key: 3, port_priority: 2, port: 4, state };
        partner.write_actor(&mut answer.lacp);
        Participant::actor_of(&frame.lacp).write_partner(&mut answer.lacp);
    })
    .unwrap();
    bytes
}

/// A host whose port has come into a group.
fn joined(config: &str) -> Host<LacpPort> {
    let mut host = Host::<LacpPort>::start(config).unwrap();
    for step in 0..400 {
        if let Some(ours) = tick(&mut host, step * 10 * MS) {
            host.process([answer(&ours, 0x3f)]);
        }
    }
    host
}

#[test]
fn lacpdus_are_as_the_standard_wants_them() {
    let mut host = Host::<LacpPort>::start(r#"{"key": 13, "number": 22}"#).unwrap();
    let frame = tick(&mut host, MS).unwrap();
    let expected = "0180c2000002 020000000011 8809 01 01
        0114 8000 020000000011 000d 8000 0016 87 000000
        0214 0000 000000000000 0000 0000 0000 02 000000
        0310 0000 000000000000000000000000 0000";
    let digits: String = expected.split_whitespace().collect();
    let mut bytes: Vec<u8> =
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
    bytes.resize(124, 0);
    assert_eq!(frame, bytes);
    assert_eq!((host.outputs()[0].verdict, host.counter("sent")), (Verdict::tx(1), 1));
}

#[test]
fn frames_pass_once_the_port_is_in_a_group() {
    let mut host = Host::<LacpPort>::start("").unwrap();
    let frame = vec![2; 60];
    assert!(host.process([frame.clone()])[0].verdict.is_drop());
    assert_eq!(host.counter("not_collecting"), 1);
    let mut host = joined("");
    assert_eq!(host.log(), ["the port is in a group: partner 02:00:00:00:00:99, key 3, port 4"]);
    assert_eq!(host.process([frame.clone()])[0].verdict, Verdict::NEXT);
    assert_eq!((host.counter("joined"), host.counter("left"), host.counter("passed")), (1, 0, 1));
    for step in 0..40 {
        tick(&mut host, 4 * SECOND + step * 100 * MS);
    }
    assert!(host.process([frame.clone()])[0].verdict.is_drop());
    assert_eq!((host.counter("left"), host.log().len()), (1, 2));
    let mut open = Host::<LacpPort>::start(r#"{"gate": false}"#).unwrap();
    assert_eq!(open.process([frame])[0].verdict, Verdict::NEXT);
}

#[test]
fn markers_are_answered() {
    perigee_guest::stack! { struct Ask { eth: Ethernet, slow: SlowProtocol, marker: Marker } }
    let mut host = joined("");
    let mut ask = vec![0; 124];
    Ask::fill(&mut ask, |ask| {
        ask.eth.set_destination(SlowProtocol::GROUP);
        ask.eth.set_source(PARTNER);
        ask.marker.set_requester_system(PARTNER);
        ask.marker.set_transaction_id(0x1234);
    })
    .unwrap();
    let out = host.process([Input::new(&ask).port(1)]);
    let mut expected = ask.clone();
    expected[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 0x11]);
    expected[16] = Marker::RESPONSE;
    assert_eq!((&out[0].bytes, out[0].verdict), (&expected, Verdict::tx(1)));
    // An answer is not answered.
    assert!(host.process([expected])[0].verdict.is_drop());
    assert_eq!((host.counter("markers"), host.counter("malformed")), (1, 0));
}

#[test]
fn our_own_lacpdus_and_other_slow_protocols_are_left_alone() {
    let mut host = Host::<LacpPort>::start("").unwrap();
    let ours = tick(&mut host, MS).unwrap();
    let mut oam = ours.clone();
    oam[14] = SlowProtocol::OAM;
    let out = host.process([ours, oam]);
    assert!(out.iter().all(|output| output.verdict.is_drop()));
    assert_eq!((host.counter("own"), host.counter("other_slow"), host.counter("received")), (1, 1, 0));
}

#[test]
fn every_cut_and_every_bit_is_survived() {
    let mut host = joined("");
    let ours = tick(&mut host, 5 * SECOND).unwrap();
    let good = answer(&ours, 0x3f);
    for len in 14..good.len() {
        for subtype in [1, 2, 0xff] {
            let mut bytes = good[..len].to_vec();
            if len > 14 {
                bytes[14] = subtype;
            }
            assert!(host.process([bytes])[0].verdict.is_drop());
        }
    }
    assert!(host.counter("malformed") > 50);
    for bit in 12 * 8..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        host.process([bytes]);
    }
    host.process([vec![0; 14]]);
}

#[test]
fn configurations_are_refused() {
    let cases = [
        (r#"{"port": 9}"#, "port"),
        (r#"{"key": 0}"#, "key"),
        (r#"{"number": 0}"#, "number"),
        (r#"{"system": "01:00:00:00:00:00"}"#, "system"),
        (r#"{"mode": "loud"}"#, "mode"),
        (r#"{"bond": 1}"#, "bond"),
    ];
    for (config, expected) in cases {
        let error = Host::<LacpPort>::start(config).map(|_| ()).unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
    }
}
