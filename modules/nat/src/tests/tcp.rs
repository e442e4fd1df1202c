//! TCP: how long sessions live, and what begins one.

use super::*;

const CLIENT: &str = "10.0.0.1:5000";
const SERVER: &str = "192.0.2.1:80";

/// Opens a connection, and gives the endpoint outside.
fn open(host: &mut Host<Nat>) -> String {
    let own = outside(host, &tcp(CLIENT, SERVER, "S"));
    assert_eq!(send(host, &tcp(SERVER, &own, "SA")), format!("{SERVER} > {CLIENT}"));
    assert_eq!(outside(host, &tcp(CLIENT, SERVER, "A")), own);
    own
}

/// Whether a session is there after so many seconds without packets.
fn lives(host: &mut Host<Nat>, seconds: u64) -> bool {
    host.set_time(seconds * SECOND);
    host.process(Vec::<Vec<u8>>::new());
    host.counter("sessions.ended") == 0
}

#[test]
fn an_open_connection_lives_two_hours() {
    let mut host = start("");
    open(&mut host);
    assert!(lives(&mut host, 7_439));
    assert!(!lives(&mut host, 7_600));
}

#[test]
fn one_that_opens_or_closes_lives_four_minutes() {
    let mut host = start("");
    outside(&mut host, &tcp(CLIENT, SERVER, "S"));
    assert!(lives(&mut host, 239));
    assert!(!lives(&mut host, 250));
    for end in [["FA", "FA"], ["R", "R"]] {
        let mut host = start("");
        let own = open(&mut host);
        send(&mut host, &tcp(CLIENT, SERVER, end[0]));
        send(&mut host, &tcp(SERVER, &own, end[1]));
        assert!(lives(&mut host, 239));
        assert!(!lives(&mut host, 250));
    }
}

#[test]
fn both_ends_may_open_at_once() {
    let mut host = start("");
    let own = outside(&mut host, &tcp(CLIENT, SERVER, "S"));
    assert_eq!(send(&mut host, &tcp(SERVER, &own, "S")), format!("{SERVER} > {CLIENT}"), "RFC 5382, REQ-2");
    outside(&mut host, &tcp(CLIENT, SERVER, "SA"));
    send(&mut host, &tcp(SERVER, &own, "A"));
    assert!(lives(&mut host, 7_000));
}

#[test]
fn an_unsolicited_syn_is_dropped_and_one_from_inside_opens_later() {
    let mut host = start("");
    let own = open(&mut host);
    assert_eq!(send(&mut host, &tcp("203.0.113.1:80", &own, "S")), "drop");
    assert_eq!(host.counter("drop.unsolicited_syn"), 1);
    assert_eq!(outside(&mut host, &tcp(CLIENT, "203.0.113.1:80", "S")), own);
    assert_eq!(send(&mut host, &tcp("203.0.113.1:80", &own, "S")), format!("203.0.113.1:80 > {CLIENT}"));
}

#[test]
fn a_segment_without_a_connection() {
    let mut host = start("");
    assert_eq!(send(&mut host, &tcp(CLIENT, SERVER, "R")), "drop");
    assert_eq!(host.counter("drop.no_session"), 1);
    // One that is open already is taken over, half-open until it is answered.
    let own = outside(&mut host, &tcp(CLIENT, SERVER, "A"));
    assert!(super::filtering::summary(&mut host).contains(r#""half_open":1,"#));
    send(&mut host, &tcp(SERVER, &own, "A"));
    assert!(super::filtering::summary(&mut host).contains(r#""established":1,"#));
    let mut host = start(r#""loose": false"#);
    assert_eq!(send(&mut host, &tcp(CLIENT, SERVER, "A")), "drop");
}

#[test]
fn a_forward_takes_connections_from_outside() {
    let mut host =
        start(r#""forwards": [{"protocol": "tcp", "outside": "198.51.100.1:80", "inside": "10.0.0.5:8080"}]"#);
    assert_eq!(send(&mut host, &tcp("192.0.2.1:777", "198.51.100.1:80", "S")), "192.0.2.1:777 > 10.0.0.5:8080");
    assert_eq!(send(&mut host, &tcp("10.0.0.5:8080", "192.0.2.1:777", "SA")), "198.51.100.1:80 > 192.0.2.1:777");
    send(&mut host, &tcp("192.0.2.1:777", "198.51.100.1:80", "A"));
    assert!(super::filtering::summary(&mut host).contains(r#""established":1,"#));
    assert_eq!(send(&mut host, &tcp("192.0.2.1:778", "198.51.100.1:80", "A")), "drop", "no connection, no SYN");
    assert_eq!(host.counter("drop.no_session"), 1);
}
