//! Connections.

use super::build::{ACK, FIN, RST, SYN, echo, error, ip, tcp, tcp_numbered, udp};
use super::{passes, start};
use crate::Firewall;
use perigee_guest::testing::Host;

const A: &str = "10.0.0.1:1000";
const B: &str = "192.0.2.1:80";
const SECOND: u64 = 1_000_000_000;

/// What comes from port a may begin a connection.
fn from_a(keys: &str) -> Host<Firewall> {
    start(&format!(r#""stateful":true{keys}"#), &[r#"{"in":"a","action":"accept"}"#])
}

/// Opens a connection.
fn open(host: &mut Host<Firewall>) {
    assert!(passes(host, &tcp_numbered(A, B, SYN, (100, 0))));
    assert!(passes(host, &tcp_numbered(B, A, SYN | ACK, (500, 101)).by_b()));
    assert!(passes(host, &tcp_numbered(A, B, ACK, (101, 501))));
}

#[test]
fn answers_pass_and_what_nobody_asked_for_does_not() {
    let mut host = from_a("");
    assert!(!passes(&mut host, &tcp(B, A, SYN).by_b()));
    assert!(!passes(&mut host, &tcp(B, A, SYN | ACK).by_b()));
    open(&mut host);
    assert!(passes(&mut host, &tcp_numbered(B, A, ACK, (501, 101)).by_b()));
    // Another port is another connection.
    assert!(!passes(&mut host, &tcp(B, "10.0.0.1:1001", ACK).by_b()));
    assert!(!passes(&mut host, &tcp(B, A, ACK).by_b().tagged(5)));
    assert_eq!(["connections.new", "accepted", "accepted.established"].map(|name| host.counter(name)), [1, 1, 3]);
    assert_eq!(["dropped.invalid", "dropped.policy"].map(|name| host.counter(name)), [3, 1]);
}

#[test]
fn udp_and_others_are_followed_until_their_time_is_over() {
    for (packet, answer) in [
        (udp(A, B), udp(B, A)),
        (udp("[2001:db8::1]:9", "[2001:db8::2]:53"), udp("[2001:db8::2]:53", "[2001:db8::1]:9")),
        (ip("10.0.0.1", "10.0.0.2", 50, &[7; 16]), ip("10.0.0.2", "10.0.0.1", 50, &[8; 16])),
    ] {
        let mut host = from_a(r#","timeouts":{"other":30}"#);
        let answer = answer.by_b();
        assert!(!passes(&mut host, &answer));
        assert!(passes(&mut host, &packet));
        host.set_time(30 * SECOND - 1);
        assert!(passes(&mut host, &answer));
        host.set_time(59 * SECOND);
        assert!(passes(&mut host, &answer));
        host.set_time(59 * SECOND + 120 * SECOND);
        assert!(!passes(&mut host, &answer));
    }
}

#[test]
fn echo_replies_need_their_request() {
    for (a, b, request, reply) in [("10.0.0.1", "10.0.0.2", 8, 0), ("2001:db8::1", "2001:db8::2", 128, 129)] {
        let mut host = from_a("");
        assert!(!passes(&mut host, &echo(b, a, reply, 5).by_b()));
        assert!(passes(&mut host, &echo(a, b, request, 5)));
        assert!(passes(&mut host, &echo(b, a, reply, 5).by_b()));
        assert!(!passes(&mut host, &echo(b, a, reply, 6).by_b()));
        // Their own question is another one.
        assert!(!passes(&mut host, &echo(b, a, request, 5).by_b()));
        // Not even from a, an answer to nothing.
        assert!(!passes(&mut host, &echo(a, b, reply, 9)));
    }
}

#[test]
fn errors_pass_that_quote_a_packet_of_a_connection() {
    let mut host = from_a("");
    let sent = tcp_numbered(A, B, SYN, (100, 0));
    assert!(passes(&mut host, &sent));
    let router = "203.0.113.1";
    assert!(passes(&mut host, &error(router, "10.0.0.1", 3, 1, &sent).by_b()));
    assert!(passes(&mut host, &error(router, "10.0.0.1", 11, 0, &sent).by_b()));
    // To somebody else than who sent it.
    assert!(!passes(&mut host, &error(router, "10.0.0.9", 3, 1, &sent).by_b()));
    // About a packet that was not sent.
    assert!(!passes(&mut host, &error(router, "10.0.0.1", 3, 1, &tcp("10.0.0.1:1001", B, SYN)).by_b()));
    let sent = udp("[2001:db8::1]:9", "[2001:db8::2]:53");
    assert!(passes(&mut host, &sent));
    assert!(passes(&mut host, &error("2001:db8::99", "2001:db8::1", 1, 4, &sent).by_b()));
    assert!(!passes(&mut host, &error("2001:db8::99", "2001:db8::2", 1, 4, &sent).by_b()));
    assert_eq!(["accepted.related", "dropped.invalid"].map(|name| host.counter(name)), [3, 3]);
}

#[test]
fn with_rules_for_all_states_nothing_passes_by_itself() {
    let rules =
        [r#"{"state":["established","related"],"action":"accept"}"#, r#"{"state":"new","in":"a","action":"accept"}"#];
    let mut host = start(r#""stateful":true,"established":"rules","invalid":"rules""#, &rules);
    open(&mut host);
    assert!(!passes(&mut host, &tcp(B, A, SYN).by_b()));
    assert_eq!(["accepted", "dropped.policy", "accepted.established"].map(|name| host.counter(name)), [3, 1, 0]);
}

#[test]
fn a_reset_ends_a_connection_only_if_it_may_be_real() {
    let mut host = from_a("");
    open(&mut host);
    assert!(!passes(&mut host, &tcp_numbered(B, A, RST, (90_000_000, 0)).by_b()));
    assert!(passes(&mut host, &tcp_numbered(B, A, ACK, (501, 101)).by_b()));
    assert!(passes(&mut host, &tcp_numbered(B, A, RST, (501, 0)).by_b()));
    host.set_time(11 * SECOND);
    assert!(!passes(&mut host, &tcp_numbered(B, A, ACK, (501, 101)).by_b()));
}

#[test]
fn a_closed_connection_is_forgotten_and_may_begin_again() {
    let mut host = from_a("");
    open(&mut host);
    for (from, to, flags) in [(A, B, FIN | ACK), (B, A, FIN | ACK), (A, B, ACK)] {
        let packet = tcp_numbered(from, to, flags, if from == A { (101, 501) } else { (501, 101) });
        assert!(passes(&mut host, &if from == A { packet } else { packet.by_b() }));
    }
    assert!(!passes(&mut host, &tcp(A, B, SYN | FIN)));
    open(&mut host);
    assert_eq!(host.counter("connections.new"), 2);
    host.set_time(8_000 * SECOND);
    for _ in 0..300 {
        host.tick();
    }
    assert_eq!(host.counter("connections.expired"), 1);
    assert_eq!(host.message(b"connections").unwrap(), br#"{"half_open":0,"closing":0,"alive":0}"#);
}

/// A flood from forged sources goes round in the places of those that nobody answers.
#[test]
fn a_flood_of_syns_leaves_established_connections_alone() {
    let mut host = from_a(r#","connections":256"#);
    open(&mut host);
    for number in 0..20_000_u32 {
        let [_, b, c, d] = number.to_be_bytes();
        assert!(passes(&mut host, &tcp(&format!("11.{b}.{c}.{d}:{}", 1024 + number % 60_000), B, SYN)));
    }
    assert!(host.counter("connections.ousted") > 19_000);
    assert!(passes(&mut host, &tcp_numbered(B, A, ACK, (501, 101)).by_b()));
    assert!(passes(&mut host, &tcp_numbered(A, B, ACK, (101, 501))));
    let census = String::from_utf8(host.message(b"connections").unwrap()).unwrap();
    assert!(census.ends_with(r#""closing":0,"alive":1}"#), "{census}");
}

#[test]
fn no_connection_that_is_alive_goes_for_a_new_one() {
    let mut host = from_a(r#","connections":16"#);
    let pair = |number: u32| (format!("10.0.1.{number}:5"), "192.0.2.1:53");
    for number in 0..16 {
        let (from, to) = pair(number);
        assert!(passes(&mut host, &udp(&from, to)) && passes(&mut host, &udp(to, &from).by_b()));
    }
    assert!(!passes(&mut host, &udp("10.0.2.1:5", "192.0.2.1:53")));
    assert_eq!(host.counter("dropped.full"), 1);
    assert!((0..16).all(|number| passes(&mut host, &udp(pair(number).1, &pair(number).0).by_b())));
}

#[test]
fn a_source_begins_only_so_many() {
    let mut host = from_a(r#","new_rate":{"per_second":10,"burst":3,"v4":24}"#);
    let from = |host: &mut Host<Firewall>, number: u16| passes(host, &udp(&format!("10.0.0.{number}:5"), B));
    assert_eq!([1, 2, 3, 4].map(|number| from(&mut host, number)), [true, true, true, false]);
    // Those that it has go on.
    assert!(from(&mut host, 1));
    assert!(passes(&mut host, &udp("10.0.1.1:5", B)));
    host.set_time(SECOND / 10);
    assert!(from(&mut host, 4) && !from(&mut host, 5));
    assert_eq!(host.counter("dropped.new_rate"), 2);
}

#[test]
fn connections_outlive_a_change_of_rules() {
    let mut old = from_a(r#","connections":64"#);
    open(&mut old);
    assert!(passes(&mut old, &udp(A, B)) && passes(&mut old, &udp(B, A).by_b()));
    let state = old.save().unwrap();
    let mut new = start(r#""stateful":true,"connections":64"#, &[]);
    new.restore(&state).unwrap();
    assert!(passes(&mut new, &tcp_numbered(A, B, ACK, (101, 501))));
    assert!(passes(&mut new, &udp(B, A).by_b()));
    assert!(!passes(&mut new, &udp(A, "192.0.2.2:80")));
    // To one that follows none it is nothing, and from one that followed none nothing comes.
    start("", &[]).restore(&state).unwrap();
    new.restore(&start("", &[]).save().unwrap()).unwrap();
    assert!(!passes(&mut new, &udp(B, A).by_b()));
    assert!(new.restore(&state[..9]).unwrap_err().contains("no state"));
    assert!(new.restore(&[0xff; 16]).unwrap_err().contains("larger table"));
}

#[test]
fn with_loose_a_connection_is_taken_up_in_its_middle() {
    let mut host = from_a(r#","loose":true"#);
    assert!(passes(&mut host, &tcp_numbered(A, B, ACK, (101, 501))));
    assert!(passes(&mut host, &tcp_numbered(B, A, ACK, (501, 101)).by_b()));
}
