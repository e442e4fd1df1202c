//! Each check holds where it should, and fails where it should.

mod parts;
mod rates;
mod rules;
mod translated;

use crate::Observer;
use crate::seen::{ACK, IP, SYN, Seen, TCP, UDP};
use crate::stamp::{Kind, LEN, Stamp};
use core::net::IpAddr;
use perigee_guest::Verdict;
use perigee_guest::testing::Host;
use std::panic::{AssertUnwindSafe, catch_unwind};

const MS: u64 = 1_000_000;
const NOTHING: [Vec<u8>; 0] = [];

fn start(config: &str) -> Host<Observer> {
    Host::start(config).unwrap()
}

/// A packet without a stamp, from port 1024 to this address and port.
fn packet(protocol: u8, to: [u8; 4], port: u16) -> Vec<u8> {
    let header = if protocol == TCP { 20 } else { 8 };
    let len = u16::try_from(20 + header + LEN).unwrap();
    let mut bytes = [&[2, 0, 0, 0, 0, 0x12, 2, 0, 0, 0, 0, 0x99, 8, 0, 0x45, 0][..], &len.to_be_bytes()].concat();
    bytes.extend([0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 9]);
    bytes.extend(to);
    bytes.extend(1024_u16.to_be_bytes());
    bytes.extend(port.to_be_bytes());
    bytes.resize(IP + usize::from(len), 0);
    if protocol == TCP {
        bytes[IP + 32] = 0x50;
    } else {
        let len = len - 20;
        bytes[IP + 24..IP + 26].copy_from_slice(&len.to_be_bytes());
    }
    bytes
}

/// Stamped packets, one a millisecond.
fn stamped(packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut stamp = start(r#"{"mode": "stamp"}"#);
    let one = |(time, packet): (u64, &Vec<u8>)| {
        stamp.set_time(time * MS);
        stamp.process([packet.clone()]).remove(0).bytes
    };
    (1..).zip(packets).map(one).collect()
}

fn some(count: usize) -> Vec<Vec<u8>> {
    stamped(&vec![packet(UDP, [10, 77, 1, 2], 53); count])
}

/// Changes a packet, and makes its checksums right again.
fn changed(packet: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = packet.to_vec();
    change(&mut bytes);
    Seen::read(&bytes).unwrap().fill_checksums(&mut bytes);
    bytes
}

/// One hop less, as behind a router.
fn routed(packet: &[u8]) -> Vec<u8> {
    changed(packet, |bytes| bytes[IP + 8] -= 1)
}

/// What is said about these packets, which come at this time.
fn broken(host: &mut Host<Observer>, time: u64, packets: &[Vec<u8>]) -> Option<String> {
    host.set_time(time * MS);
    let calls = catch_unwind(AssertUnwindSafe(|| _ = host.process(packets.to_vec())));
    calls.err().map(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_default())
}

fn ended(host: &mut Host<Observer>) -> Option<String> {
    let call = catch_unwind(AssertUnwindSafe(|| _ = host.message(b"end")));
    call.err().map(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_default())
}

const ROUTER: &str = r#"{"mode": "router", "stale": 5, "routes": ["10.80.0.0/16 via 10.77.1.2"], "hosts": [
    {"address": "10.77.1.2", "mac": "02:00:00:00:00:12"}, {"address": "10.77.1.3", "mac": "02:00:00:00:00:13"}]"#;

#[test]
fn a_stamp_says_what_a_packet_was() {
    let sent = stamped(&[packet(TCP, [10, 0, 0, 1], 80), packet(TCP, [10, 0, 0, 1], 80)]);
    let seen = Seen::read(&sent[1]).unwrap();
    let stamp = Stamp::read(&sent[1], &seen).unwrap();
    assert_eq!((stamp.kind, stamp.ttl, stamp.number, stamp.time), (Kind::Question, 64, 2, 2 * MS));
    assert_eq!(stamp.flow.destination, (IpAddr::from([10, 0, 0, 1]), 80));
    assert_eq!((seen.flags, Seen::read(&sent[0]).unwrap().flags, seen.bad_checksum(&sent[1])), (ACK, SYN, None));
}

#[test]
fn what_a_router_must_keep_to() {
    let sent: Vec<_> = some(4).iter().map(|packet| routed(packet)).collect();
    let mut host = start(&format!("{ROUTER}, \"order\": true}}"));
    assert_eq!(broken(&mut host, 9, &sent), None);
    let said = |packets: &[Vec<u8>]| {
        let config = format!("{ROUTER}, \"order\": {}}}", packets.len() == 3);
        broken(&mut start(&config), 9, packets).expect("nothing was said")
    };
    assert!(said(&some(1)).contains("had 64 hops left and has 64"));
    assert!(said(&[sent[0].clone(), sent[0].clone()]).contains("comes twice"));
    assert!(said(&[sent[0].clone(), sent[2].clone(), sent[1].clone()]).contains("packet 2 comes after packet 3"));
    let elsewhere = changed(&sent[0], |bytes| bytes[5] = 0x13);
    assert!(said(&[elsewhere]).contains("which is no next hop"));
    let mut spoilt = sent[0].clone();
    *spoilt.last_mut().unwrap() ^= 1;
    assert!(said(&[spoilt]).contains("checksum"));
    let other = changed(&sent[0], |bytes| bytes[IP + 19] = 3);
    assert!(said(&[other]).contains("is another now"));
}

#[test]
fn a_packet_may_go_where_it_might_while_it_was_under_way() {
    let far: Vec<_> = stamped(&vec![packet(UDP, [10, 80, 0, 1], 53); 8]).iter().map(|packet| routed(packet)).collect();
    let new = |packet: &Vec<u8>| changed(packet, |bytes| bytes[5] = 0x13);
    let mut host = start(&format!("{ROUTER}}}"));
    host.message(b"route replace 10.80.0.0/16 via 10.77.1.3").unwrap();
    assert_eq!(broken(&mut host, 4, &[far[2].clone(), new(&far[1])]), None, "sent before 4 ms: both are right");
    assert!(broken(&mut host, 9, &[far[6].clone()]).unwrap().contains("no next hop"), "sent at 7 ms");
    let mut host = start(&format!("{ROUTER}}}"));
    host.message(b"host 10.77.1.2 lladdr 02:00:00:00:00:22").unwrap();
    assert_eq!(broken(&mut host, 1, &[far[0].clone()]), None);
    assert_eq!(broken(&mut host, 9, &[far[4].clone()]), None, "sent at 5 ms, and its old card is known until 6 ms");
    assert!(broken(&mut host, 9, &[far[6].clone()]).unwrap().contains("no next hop"));
    assert_eq!(host.counter("late"), 2);
}

#[test]
fn nothing_may_be_missing() {
    let sent: Vec<_> = some(8).iter().map(|packet| routed(packet)).collect();
    let run = |packets: &[Vec<u8>]| {
        let mut host = start(&format!("{ROUTER}, \"whole\": [3, 8], \"flows\": 1, \"quiet\": 2}}"));
        assert_eq!(broken(&mut host, 9, packets), None);
        ended(&mut host)
    };
    assert_eq!(run(&sent[1..]), None);
    assert!(run(&[&sent[..4], &sent[5..]].concat()).unwrap().contains("1 of 5 packets are missing"));
    assert!(run(&sent[..5]).unwrap().contains("nothing that was sent after 5000000 ns came"));
    assert!(run(&sent[..2]).unwrap().contains("0 flows came, and 1 must"));
}

#[test]
fn what_a_translator_must_keep_to() {
    const NAT: &str = r#"{"mode": "nat", "pools": ["198.51.100.2/32"], "idle": 100, "answers": true}"#;
    let out = |packet: &Vec<u8>, port: u16| {
        changed(packet, |bytes| {
            bytes[IP + 12..IP + 16].copy_from_slice(&[198, 51, 100, 2]);
            bytes[IP + 20..IP + 22].copy_from_slice(&port.to_be_bytes());
        })
    };
    let one = packet(UDP, [192, 0, 2, 1], 53);
    let other = changed(&one, |bytes| bytes[IP + 15] = 8);
    let sent = stamped(&[one.clone(), other, one]);
    let run = |time, packets: &[Vec<u8>]| broken(&mut start(NAT), time, packets);
    assert_eq!(run(9, &[out(&sent[0], 5), out(&sent[1], 6), out(&sent[2], 5)]), None);
    assert!(run(9, &[out(&sent[0], 5), out(&sent[1], 5)]).unwrap().contains("behind"));
    assert!(run(9, &[out(&sent[0], 5), out(&sent[2], 6)]).unwrap().contains("in front of"));
    assert_eq!(run(200, &[out(&sent[0], 5), out(&sent[1], 5)]), None, "its time may be over");
    assert!(run(9, &sent[..1]).unwrap().contains("in no pool"));

    // What comes back: as the world sends it, and as it should come in.
    let mut world = start(NAT);
    world.set_time(9 * MS);
    let back = world.process([out(&sent[0], 5)]).remove(0);
    assert_eq!(back.verdict, Verdict::tx(0));
    let inside = changed(&back.bytes, |bytes| {
        bytes[IP + 16..IP + 20].copy_from_slice(&[10, 0, 0, 9]);
        bytes[IP + 22..IP + 24].copy_from_slice(&1024_u16.to_be_bytes());
    });
    assert_eq!(run(10, &[inside]), None);
    assert!(run(10, &[back.bytes]).unwrap().contains("answer 1 comes to"));
}

#[test]
fn what_a_firewall_must_keep_to() {
    let config =
        |rule: &str| format!(r#"{{"mode": "firewall", "from": "a", "answers": true, "stray": 2, "rules": [{rule}]}}"#);
    let sent = some(2);
    let run = |rule: &str, packets: &[Vec<u8>]| broken(&mut start(&config(rule)), 9, packets);
    let open = r#"{"in": "a", "dst": "10.77.0.0/16", "proto": "udp", "dport": [53], "action": "accept"}"#;
    assert_eq!(run(open, &sent), None);
    for shut in ["", r#"{"in": "b", "action": "accept"}"#, r#"{"dport": [54], "action": "accept"}"#] {
        assert!(run(shut, &sent).unwrap().contains("no rule lets it"), "{shut}");
    }
    assert!(run(&format!(r#"{{"src": "10.0.0.9", "action": "drop"}}, {open}"#), &sent).is_some(), "the first one says");
    let stranger = packet(UDP, [10, 0, 0, 1], 53);
    assert!(run(open, &[changed(&stranger, |_| ())]).unwrap().contains("nobody here has sent"));
    let mut servers = start(&config(open));
    let back: Vec<_> = servers.process(sent).into_iter().map(|answer| answer.bytes).collect();
    let clients = |packet: &Vec<u8>| {
        let config = config(open).replace(r#""from": "a""#, r#""from": "b""#);
        broken(&mut start(&config), 9, std::slice::from_ref(packet))
    };
    assert_eq!(clients(&back[0]), None);
    assert!(clients(&back[1]).unwrap().contains("from a port that was not asked"));
}

#[test]
fn what_a_balancer_must_keep_to() {
    const CONFIG: &str = r#"{"mode": "balancer", "idle": 100, "backends": [
        {"name": "s1", "mac": "02:00:00:00:00:12"}, {"name": "s2", "mac": "02:00:00:00:00:13"}]}"#;
    let sent = some(8);
    let other = |packet: &Vec<u8>| changed(packet, |bytes| bytes[5] = 0x13);
    let mut host = start(CONFIG);
    assert!(broken(&mut host, 9, &[sent[0].clone(), other(&sent[1])]).unwrap().contains(r#"goes to "s2", not "s1""#));
    let mut host = start(CONFIG);
    assert_eq!(broken(&mut host, 4, &sent[..2]), None);
    host.message(b"backend s1 down").unwrap();
    assert_eq!(broken(&mut host, 5, &[other(&sent[4])]), None, "its server is down");
    assert!(broken(&mut host, 9, &[sent[6].clone()]).unwrap().contains("which is down"));
    let mut host = start(CONFIG);
    host.message(b"backend s1 drain").unwrap();
    assert_eq!(broken(&mut host, 0, &NOTHING), None);
    assert!(broken(&mut host, 9, &sent[..1]).unwrap().contains("takes no new ones"));
    let nobody = changed(&sent[0], |bytes| bytes[5] = 0x77);
    assert!(broken(&mut start(CONFIG), 9, &[nobody]).unwrap().contains("no server"));
}

#[test]
fn connections_of_tcp_open_and_hosts_say_where_they_are() {
    let sent: Vec<_> = stamped(&[packet(TCP, [10, 77, 1, 2], 80)]).iter().map(|packet| routed(packet)).collect();
    let mut host = start(&format!("{ROUTER}, \"answers\": true}}"));
    let answer = host.process(sent).remove(0).bytes;
    assert_eq!(Seen::read(&answer).unwrap().flags, SYN | ACK);
    let client = r#"{"mode": "router", "hosts": [{"address": "10.0.0.9", "mac": "02:00:00:00:00:99"}]}"#;
    let ack = start(client).process([routed(&answer)]).remove(0);
    assert_eq!((ack.verdict, Seen::read(&ack.bytes).unwrap().flags), (Verdict::tx(0), ACK));

    let mut ask = vec![0xff; 6];
    ask.extend([
        2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 77, 1, 1, 0, 0, 0, 0, 0, 0, 10, 77, 1, 2,
    ]);
    let reply = host.process([ask.clone()]).remove(0);
    assert_eq!(
        (reply.verdict, &reply.bytes[..6], &reply.bytes[20..28]),
        (Verdict::tx(0), &[2, 0, 0, 0, 0, 1][..], &[0, 2, 2, 0, 0, 0, 0, 0x12][..])
    );
    host.message(b"host 10.77.1.2 silent").unwrap();
    assert_eq!(host.process([ask]).remove(0).verdict, Verdict::DROP);
    for wrong in ["host 10.9.9.9 silent", "host 10.77.1.2 gone", "route", "backend s1 down", "route set x", "x"] {
        assert!(host.message(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn errors_are_counted_and_limited() {
    let reset = changed(&packet(TCP, [10, 0, 0, 9], 80), |bytes| bytes[IP + 33] = 0x14);
    let mut host = start(&format!("{ROUTER}, \"errors\": {{\"rate\": 100, \"burst\": 2, \"least\": 3}}}}"));
    assert_eq!(broken(&mut host, 1, &[reset.clone(), reset.clone()]), None);
    assert!(ended(&mut host).unwrap().contains("2 errors came, and 3 must"));
    assert_eq!(broken(&mut host, 11, std::slice::from_ref(&reset)), None);
    assert_eq!(ended(&mut host), None);
    assert!(broken(&mut host, 12, &[reset]).unwrap().contains("more errors"));
}

#[test]
fn faults_are_done() {
    let fault = |what: &str| format!(r#"{{"mode": "fault", "fault": {{"what": "{what}", "every": 2, "port": 7}}}}"#);
    let sent = some(4);
    for (what, same) in [("ttl", false), ("checksum", false), ("port", false), ("mac", false), ("lose", true)] {
        let mut host = start(&fault(what));
        let out = host.process(sent.clone());
        assert_eq!((out[0].verdict, &out[0].bytes), (Verdict::NEXT, &sent[0]), "{what}");
        assert_eq!(out[1].bytes == sent[1], same, "{what}");
    }
    let mut host = start(&fault("double"));
    host.process(sent.clone());
    assert_eq!(host.outputs().len(), 4);
    let mut host = start(&fault("order"));
    host.process(sent[..2].to_vec());
    (0..15).for_each(|_| _ = host.process(sent.clone()));
    assert!(host.outputs().is_empty(), "60 have come since");
    host.process(sent.clone());
    assert_eq!(host.outputs()[0].bytes, sent[1]);
}
