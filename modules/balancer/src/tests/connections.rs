//! Connections stay where they are while backends come and go.

use super::*;
use perigee_guest::testing::Input;
use perigee_guest::wire::{Fragment, Header as _, Icmp, Icmpv6};

const S: u64 = 1_000_000_000;
/// A call without packets.
const NOTHING: [Input; 0] = [];

#[test]
fn all_packets_of_a_connection_go_to_one_backend() {
    let mut host = host("");
    let mut seen = [0; 4];
    for client in 0..300 {
        let first = send(&mut host, tcp(client, SYN)).unwrap();
        for flags in [ACK, ACK, ACK | FIN, ACK] {
            assert_eq!(send(&mut host, tcp(client, flags)), Some(first), "{client}");
        }
        seen[usize::from(first)] += 1;
    }
    assert!(seen[1..].iter().all(|count| (70..130).contains(count)), "{seen:?}");
    assert_eq!((host.counter("packets"), host.counter("connections.made")), (1_500, 300));
}

#[test]
fn instances_with_other_seeds_agree_without_knowing_of_each_other() {
    let mut one = host("");
    let run = Run { seed: 77, ..Run::default() };
    // The order of the configuration does not matter either.
    let turned = config("").replacen("s1", "sX", 1).replacen("s3", "s1", 1).replacen("sX", "s3", 1);
    let turned = turned.replacen(":01:01", ":01:0X", 1).replacen(":01:03", ":01:01", 1).replacen(":01:0X", ":01:03", 1);
    let mut other = Host::<Balancer>::start_in(run, &turned).unwrap();
    for client in 0..500 {
        assert_eq!(send(&mut one, tcp(client, SYN)), send(&mut other, tcp(client, ACK)), "{client}");
    }
}

#[test]
fn a_drained_backend_keeps_its_connections_and_gets_no_new_ones() {
    let mut host = host("");
    let before: Vec<_> = (0..200).map(|client| send(&mut host, tcp(client, SYN)).unwrap()).collect();
    (0..200).for_each(|client| assert_eq!(send(&mut host, tcp(client, ACK)), Some(before[client as usize])));
    message(&mut host, "backend s2 drain");
    for client in 0..200 {
        assert_eq!(send(&mut host, tcp(client, ACK)), Some(before[client as usize]), "{client}");
    }
    assert!((1_000..1_300).all(|client| send(&mut host, tcp(client, SYN)) != Some(2)));
    assert_eq!(host.counter("connections.moved"), 0);
}

#[test]
fn connections_of_a_backend_that_is_down_move_and_no_others() {
    let mut host = host("");
    let before: Vec<_> = (0..300).map(|client| send(&mut host, tcp(client, SYN)).unwrap()).collect();
    (0..300).for_each(|client| _ = send(&mut host, tcp(client, ACK)));
    let told = message(&mut host, "backend s2 down");
    assert!(told.starts_with("{\"moved\":") && told.contains("\"needless\":"), "{told}");
    let mut lost = 0;
    for client in 0..300 {
        let now = send(&mut host, tcp(client, ACK)).unwrap();
        let was = before[client as usize];
        assert!(now == was || was == 2 && now != 2, "{client}: {was} {now}");
        lost += u64::from(was == 2);
    }
    assert_eq!(host.counter("connections.moved"), lost);
    // It comes back for new connections; those that moved stay.
    message(&mut host, "backend s2 up");
    assert!((0..300).all(|client| send(&mut host, tcp(client, ACK)) != Some(2)));
    assert!((1_000..1_100).any(|client| send(&mut host, tcp(client, SYN)) == Some(2)));
}

#[test]
fn without_backends_packets_are_dropped_and_counted() {
    let mut host = host("");
    for name in ["s1", "s2", "s3"] {
        message(&mut host, &format!("backend {name} down"));
    }
    assert_eq!(send(&mut host, tcp(1, SYN)), None);
    assert_eq!((host.counter("no_backend"), host.counter("packets")), (1, 0));
}

/// Established connections outlive ten times as many forged packets as all tables have places, of any kind.
#[test]
fn floods_push_out_each_other() {
    let small = r#", "connections": {"new": 256, "tcp": 512, "closing": 256, "udp": 256}"#;
    for flags in [SYN, ACK, FIN | ACK, RST] {
        let mut host = host(small);
        let before: Vec<_> = (0..200).map(|client| send(&mut host, tcp(client, SYN)).unwrap()).collect();
        (0..200).for_each(|client| _ = send(&mut host, tcp(client, ACK)));
        // So that the hash would no longer lead where the table does.
        message(&mut host, "backend s3 drain");
        message(&mut host, "backend s1 drain");
        for burst in 0..60 {
            host.process((0..200).map(|number| tcp(100_000 + burst * 200 + number, flags)));
        }
        for client in 0..200 {
            assert_eq!(send(&mut host, tcp(client, ACK)), Some(before[client as usize]), "{client}, flags {flags}");
        }
    }
}

#[test]
fn a_connection_is_forgotten_after_the_time_of_its_state() {
    let mut host = host(r#", "idle_s": {"new": 10, "tcp": 300, "closing": 60, "udp": 30}"#);
    let entries = |host: &mut Host<Balancer>| {
        let all: serde_json::Value = serde_json::from_str(&message(host, "connections?")).unwrap();
        ["new", "tcp", "closing", "udp"].map(|name| all[name]["entries"].as_u64().unwrap())
    };
    send(&mut host, tcp(1, SYN));
    for flags in [SYN, ACK] {
        send(&mut host, tcp(2, flags));
    }
    for flags in [SYN, ACK, FIN | ACK, ACK] {
        send(&mut host, tcp(3, flags));
    }
    (0..2).for_each(|_| _ = send(&mut host, udp(4, 10)));
    assert_eq!(entries(&mut host), [1, 1, 1, 1]);
    for (seconds, expected) in
        [(9, [1, 1, 1, 1]), (12, [0, 1, 1, 1]), (32, [0, 1, 1, 0]), (65, [0, 1, 0, 0]), (310, [0; 4])]
    {
        host.set_time(seconds * S);
        host.tick();
        assert_eq!(entries(&mut host), expected, "{seconds}");
    }
    assert_eq!(host.counter("connections.expired"), 4);
}

/// Parts of one UDP packet: the first with the ports, the others without.
fn fragments(id: u16) -> [Vec<u8>; 3] {
    let whole = udp(4_000 + id, 600);
    [0, 1, 2].map(|part: u16| {
        let (from, to) = (34 + usize::from(part) * 200, 34 + usize::from(part) * 200 + 200);
        let mut frame = [&whole[..34], &whole[from..to]].concat();
        let (_, packet) = Ethernet::split_mut(&mut frame).unwrap();
        let (ip, _) = Ipv4::split_mut(packet).unwrap();
        ip.set_total_length(220);
        ip.set_identification(id);
        ip.set_fragment_offset(part * 25);
        ip.set_more_fragments(part < 2);
        ip.fill_checksum(&[]);
        frame
    })
}

#[test]
fn fragments_follow_the_first_one() {
    let mut host = host("");
    for id in 0..50 {
        let [first, second, third] = fragments(id);
        let whole = send(&mut host, udp(4_000 + id, 10)).unwrap();
        assert_eq!(send(&mut host, first), Some(whole));
        assert_eq!((send(&mut host, third), send(&mut host, second)), (Some(whole), Some(whole)));
    }
    assert_eq!(host.counter("fragments.steered"), 100);
    let [_, later, _] = fragments(99);
    assert_eq!((send(&mut host, later), host.counter("fragments.unknown")), (None, 1));
}

#[test]
fn fragments_of_ipv6_do_the_same() {
    perigee_guest::stack! { struct Part { eth: Ethernet, ip: Ipv6, fragment: Fragment, udp: Udp } }
    let mut host = host("");
    let part = |client: u16, offset: u16| {
        let mut frame = vec![0; Part::LEN + 40];
        Part::fill(&mut frame, |p| {
            p.ip.set_source("2001:db8:9::9".parse().unwrap());
            p.ip.set_destination("2001:db8::1".parse().unwrap());
            p.fragment.set_identification(u32::from(client) << 16 | 7);
            p.fragment.set_offset(offset);
            p.fragment.set_more(offset == 0);
            p.udp.set_source_port(client);
            p.udp.set_destination_port(80);
        })
        .unwrap();
        frame
    };
    for client in 0..60 {
        let first = send(&mut host, part(client, 0)).unwrap();
        // Behind the fragment header of a later one there are no ports, whatever it looks like.
        let mut later = part(client, 6);
        later[62..66].fill(0xee);
        assert_eq!(send(&mut host, later), Some(first), "{client}");
    }
    assert_eq!(send(&mut host, part(99, 6)), None);
    assert_eq!((host.counter("fragments.steered"), host.counter("fragments.unknown")), (60, 1));
}

/// An ICMP error to the service about a packet that it sent to a client, of which `quoted` bytes come back.
fn error4(client: u32, kind: u8, quoted: usize) -> Vec<u8> {
    let mut answer = tcp(client, ACK).split_off(14);
    let (from, to): ([u8; 4], [u8; 4]) = (answer[12..16].try_into().unwrap(), answer[16..20].try_into().unwrap());
    answer[12..16].copy_from_slice(&to);
    answer[16..20].copy_from_slice(&from);
    let (one, other): ([u8; 2], [u8; 2]) = (answer[20..22].try_into().unwrap(), answer[22..24].try_into().unwrap());
    answer[20..22].copy_from_slice(&other);
    answer[22..24].copy_from_slice(&one);
    perigee_guest::stack! { struct Error4 { eth: Ethernet, ip: Ipv4, icmp: Icmp, rest: perigee_guest::wire::IcmpError } }
    let mut frame = vec![0; Error4::LEN];
    frame.extend(&answer[..quoted]);
    Error4::fill(&mut frame, |p| {
        p.eth.set_destination(OWN);
        p.ip.set_source([172, 16, 0, 1].into());
        p.ip.set_destination([192, 0, 2, 1].into());
        p.icmp.set_kind(kind);
    })
    .unwrap();
    frame
}

#[test]
fn errors_go_to_the_backend_that_sent_what_they_are_about() {
    let mut host = host("");
    for client in 0..100 {
        let own = send(&mut host, tcp(client, SYN)).unwrap();
        for kind in [Icmp::UNREACHABLE, Icmp::TIME_EXCEEDED, Icmp::PARAMETER_PROBLEM] {
            assert_eq!(send(&mut host, error4(client, kind, 28)), Some(own), "{client} {kind}");
        }
    }
    // Without state too; and not what has no ports, or is no error.
    assert!(send(&mut host, error4(5_000, Icmp::UNREACHABLE, 28)).is_some());
    assert_eq!(host.counter("icmp.steered"), 301);
    let (cut, echo) = (error4(1, Icmp::UNREACHABLE, 22), error4(1, Icmp::ECHO_REQUEST, 28));
    let out = host.process([cut, echo]);
    assert!(out[0].verdict.is_drop() && out[1].verdict == Verdict::NEXT);
    assert_eq!((host.counter("malformed"), host.counter("other")), (1, 1));
}

#[test]
fn errors_of_ipv6_do_the_same() {
    let mut host = host("");
    perigee_guest::stack! {
        struct Error6 { eth: Ethernet, ip: Ipv6, icmp: Icmpv6, rest: perigee_guest::wire::Icmpv6Error, quoted: Ipv6, tcp: Tcp }
    }
    for client in 1_000..1_100 {
        let own = send(&mut host, tcp6(client, SYN, 0)).unwrap();
        let mut frame = vec![0; Error6::LEN];
        Error6::fill(&mut frame, |p| {
            p.ip.set_source("2001:db8:5::1".parse().unwrap());
            p.ip.set_destination("2001:db8::1".parse().unwrap());
            p.icmp.set_kind(Icmpv6::TOO_BIG);
            p.quoted.set_source("2001:db8::1".parse().unwrap());
            p.quoted.set_destination("2001:db8:9::9".parse().unwrap());
            p.quoted.set_payload_length(1_400);
            p.tcp.set_source_port(80);
            p.tcp.set_destination_port(client);
        })
        .unwrap();
        assert_eq!(send(&mut host, frame), Some(own), "{client}");
    }
}

#[test]
fn connections_and_health_outlive_a_swap() {
    let mut old = host("");
    let before: Vec<_> = (0..200).map(|client| send(&mut old, tcp(client, SYN)).unwrap()).collect();
    (0..200).for_each(|client| _ = send(&mut old, tcp(client, ACK)));
    message(&mut old, "backend s1 drain");
    let state = old.save().unwrap();
    // The new one has another seed, and another backend whose name comes first: all numbers are other ones.
    let more = r#"{"backends": [{"name": "a0", "mac": "02:00:00:00:01:07"}, "#;
    let run = Run { seed: 5, ..Run::default() };
    let mut new = Host::<Balancer>::start_in(run, &config("").replacen(r#"{"backends": ["#, more, 1)).unwrap();
    new.set_time(5 * S);
    new.process(NOTHING);
    new.restore(&state).unwrap();
    assert!(message(&mut new, "backends?").contains(r#"{"name":"s1","health":"drain""#));
    for client in 0..200 {
        assert_eq!(send(&mut new, tcp(client, ACK)), Some(before[client as usize]), "{client}");
    }
    assert_eq!((new.counter("connections.made"), new.counter("connections.moved")), (0, 0));
    for at in 0..state.len().min(400) {
        // Only between two connections of 49 bytes, behind time, number, and three backends, it is whole.
        let is_whole = at.checked_sub(8 + 2 + 3 * 4).is_some_and(|behind| behind % 49 == 0);
        assert_eq!(new.restore(&state[..at]).is_ok(), is_whole, "cut at {at}");
    }
}

/// An instance that takes over has had no batch, and the time of a batch is all that it knows of time.
#[test]
fn a_swap_makes_no_connection_older() {
    let mut old = host("");
    old.set_time(20 * S);
    send(&mut old, tcp(1, SYN));
    let state = old.save().unwrap();
    old.set_time(0);
    let mut new = host("");
    new.restore(&state).unwrap();
    new.set_time(21 * S);
    new.process(NOTHING);
    assert_eq!(new.counter("connections.expired"), 0, "after one second of ten");
    new.set_time(31 * S);
    new.process(NOTHING);
    assert_eq!(new.counter("connections.expired"), 1);
}

#[test]
fn messages_tell_who_has_what() {
    let mut host = host("");
    (0..100).for_each(|client| _ = send(&mut host, tcp(client, SYN)));
    let backends: serde_json::Value = serde_json::from_str(&message(&mut host, "backends?")).unwrap();
    let sum = |key: &str| backends.as_array().unwrap().iter().map(|one| one[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("connections"), sum("packets"), sum("bytes")), (100, 100, 6_400));
    let services: serde_json::Value = serde_json::from_str(&message(&mut host, "services?")).unwrap();
    let places = services[0]["places"].as_object().unwrap().values().map(|count| count.as_u64().unwrap());
    assert_eq!((services.as_array().unwrap().len(), places.sum::<u64>()), (4, 65_537));
    for wrong in ["backend", "backend s1", "backend s1 up now", "backend s9 up", "backend s1 away", "", "backends? x"] {
        assert!(host.message(wrong.as_bytes()).is_err(), "{wrong}");
    }
}
