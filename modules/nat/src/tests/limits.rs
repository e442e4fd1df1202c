//! What is full, and who has to go for whom.

use super::*;

/// Opens a connection from inside.
fn open(host: &mut Host<Nat>, from: &str) {
    let own = outside(host, &tcp(from, "192.0.2.1:80", "S"));
    send(host, &tcp("192.0.2.1:80", &own, "SA"));
    send(host, &tcp(from, "192.0.2.1:80", "A"));
}

fn established(host: &mut Host<Nat>) -> bool {
    super::filtering::summary(host).contains(r#""established":8,"#)
}

#[test]
fn a_flood_of_half_open_ones_from_forged_sources_takes_no_open_one() {
    let mut host = start(r#""sessions": 64, "hosts": 32"#);
    (1..=8).for_each(|n| open(&mut host, &format!("10.0.0.{n}:5000")));
    assert!(established(&mut host));
    for n in 0..2_000_u32 {
        let from = format!("10.7.{}.{}:{}", n / 200, n % 200 + 1, 1_024 + n);
        assert_ne!(send(&mut host, &tcp(&from, "192.0.2.1:80", "S")), "drop", "{n}");
    }
    assert!(established(&mut host));
    assert!(host.counter("sessions.evicted") > 1_900);
    // The same for UDP that nobody answers.
    for n in 0..2_000_u32 {
        send(&mut host, &udp(&format!("10.8.{}.{}:{}", n / 200, n % 200 + 1, 1_024 + n), "192.0.2.1:80"));
    }
    assert!(established(&mut host));
}

#[test]
fn a_table_full_of_open_ones_refuses_new_ones() {
    let mut host = start(r#""sessions": 8"#);
    (1..=8).for_each(|n| open(&mut host, &format!("10.0.0.{n}:5000")));
    assert_eq!(send(&mut host, &tcp("10.0.0.9:5000", "192.0.2.1:80", "S")), "drop");
    assert_eq!((host.counter("drop.table_full"), host.counter("sessions.evicted")), (1, 0));
}

#[test]
fn a_host_has_as_many_as_it_may() {
    let mut host = start(r#""limits": {"sessions": 4, "half_open": 2}"#);
    for port in [5_000, 5_001, 5_002, 5_003] {
        send(&mut host, &tcp(&format!("10.0.0.1:{port}"), "192.0.2.1:80", "S"));
    }
    assert_eq!(host.counter("sessions.evicted"), 2, "its own oldest half-open ones go");
    assert_ne!(send(&mut host, &tcp("10.0.0.2:5000", "192.0.2.1:80", "S")), "drop", "another host has its own limit");
    let mut host = start(r#""limits": {"sessions": 4}"#);
    (0..4).for_each(|n| assert_ne!(send(&mut host, &udp(&format!("10.0.0.1:{}", 5_000 + n), "192.0.2.1:80")), "drop"));
    assert_eq!(send(&mut host, &udp("10.0.0.1:6000", "192.0.2.1:80")), "drop");
    assert_eq!(host.counter("drop.host_limit"), 1);
}

#[test]
fn as_many_hosts_as_there_is_room_for() {
    let mut host = start(r#""hosts": 4"#);
    (1..=4).for_each(|n| open(&mut host, &format!("10.0.0.{n}:5000")));
    assert_eq!(send(&mut host, &udp("10.0.0.5:5000", "192.0.2.1:80")), "drop");
    assert_eq!(host.counter("drop.hosts_full"), 1);
}

#[test]
fn ports_that_are_all_taken_are_told() {
    let mut host =
        Host::start(r#"{"inside": ["10.0.0.0/8"], "pools": ["198.51.100.7/32"], "ports": [2000, 2003]}"#).unwrap();
    let mut taken: Vec<String> =
        (1..=4).map(|n| outside(&mut host, &udp(&format!("10.0.0.{n}:5000"), "192.0.2.1:80"))).collect();
    taken.sort();
    assert_eq!(taken, ["198.51.100.7:2000", "198.51.100.7:2001", "198.51.100.7:2002", "198.51.100.7:2003"]);
    assert_eq!(send(&mut host, &udp("10.0.0.9:5000", "192.0.2.1:80")), "drop");
    assert_eq!(host.counter("drop.ports_exhausted"), 1);
    assert!(super::filtering::summary(&mut host).contains(r#""hosts":4,"#), "who got nothing takes no place");
    host.set_time(400 * SECOND);
    host.process(Vec::<Vec<u8>>::new());
    assert_ne!(send(&mut host, &udp("10.0.0.9:5000", "192.0.2.1:80")), "drop", "they come back after their time");
}
