//! What rules are met by, and what they do.

use super::build::{ACK, Frame, RST, SYN, echo, icmp, ip, tcp, udp};
use super::{one, passes, start};
use perigee_guest::Verdict;

/// Says for each packet whether one accepting rule lets it pass.
fn check(rule: &str, packets: &[(Frame, bool)]) {
    let mut host = start("", &[rule]);
    for (frame, expected) in packets {
        assert_eq!(passes(&mut host, frame), *expected, "{rule}: {frame:x?}");
    }
}

#[test]
fn prefixes_are_met_at_their_borders() {
    let from = |source: &str| udp(&format!("{source}:5"), "192.0.2.1:53");
    check(
        r#"{"src":"10.1.0.0/16","action":"accept"}"#,
        &[
            (from("10.1.0.0"), true),
            (from("10.1.255.255"), true),
            (from("10.0.255.255"), false),
            (from("10.2.0.0"), false),
            (udp("[::ffff:10.1.0.1]:5", "[2001:db8::1]:53"), false),
        ],
    );
    let six = |destination: &str| udp("[2001:db8::1]:5", &format!("[{destination}]:53"));
    check(
        r#"{"dst":["2001:db8:1::/48","2001:db8:5::7"],"action":"accept"}"#,
        &[
            (six("2001:db8:1::"), true),
            (six("2001:db8:1:ffff:ffff:ffff:ffff:ffff"), true),
            (six("2001:db8:2::"), false),
            (six("2001:db8:5::7"), true),
            (six("2001:db8:5::8"), false),
        ],
    );
}

#[test]
fn ports_are_met_at_their_borders() {
    let to = |port: u16| tcp("10.0.0.1:1024", &format!("10.0.0.2:{port}"), SYN);
    check(
        r#"{"proto":"tcp","dport":["80-443",8080],"sport":"1024-65535","action":"accept"}"#,
        &[
            (to(79), false),
            (to(80), true),
            (to(443), true),
            (to(444), false),
            (to(8080), true),
            (udp("10.0.0.1:1024", "10.0.0.2:80"), false),
            (tcp("10.0.0.1:1023", "10.0.0.2:80", SYN), false),
            (tcp("[2001:db8::1]:65535", "[2001:db8::2]:443", SYN), true),
        ],
    );
}

#[test]
fn flags_types_and_protocols_are_met() {
    let with = |flags| tcp("10.0.0.1:5", "10.0.0.2:80", flags);
    check(
        r#"{"proto":"tcp","flags":"syn/syn,ack,rst","action":"accept"}"#,
        &[(with(SYN), true), (with(SYN | ACK), false), (with(SYN | 8), true), (with(ACK), false)],
    );
    let kind = |kind, code| icmp("10.0.0.1", "10.0.0.2", kind, code, &[0; 4]);
    check(
        r#"{"proto":"icmp","icmp":["echo-request","3/4"],"action":"accept"}"#,
        &[(kind(8, 0), true), (kind(8, 9), true), (kind(3, 4), true), (kind(3, 3), false), (kind(0, 0), false)],
    );
    check(
        r#"{"proto":["icmpv6",47],"action":"accept"}"#,
        &[
            (echo("2001:db8::1", "2001:db8::2", 128, 5), true),
            (kind(8, 0), false),
            (ip("10.0.0.1", "10.0.0.2", 47, &[0; 8]), true),
            (ip("10.0.0.1", "10.0.0.2", 50, &[0; 8]), false),
        ],
    );
}

#[test]
fn vlans_and_ports_of_the_run_are_met() {
    let plain = || udp("10.0.0.1:5", "10.0.0.2:53");
    check(
        r#"{"vlan":["5-6","none"],"in":"a","action":"accept"}"#,
        &[
            (plain(), true),
            (plain().tagged(5), true),
            (plain().tagged(7), false),
            (plain().by_b(), false),
            (plain().tagged(6).tagged(9), false),
        ],
    );
    check(r#"{"out":"a","action":"accept"}"#, &[(plain(), false), (plain().by_b(), true)]);
}

/// A tag that the port took off counts as one in the packet.
#[test]
fn stripped_tags_are_met() {
    let mut host = start("", &[r#"{"vlan":5,"action":"accept"}"#]);
    let frame = udp("10.0.0.1:5", "10.0.0.2:53");
    let outputs = host.process([frame.input().vlan(0x6005), frame.input().vlan(6), frame.input()]);
    assert_eq!(outputs.iter().map(|output| output.verdict.is_drop()).collect::<Vec<_>>(), [false, true, true]);
}

#[test]
fn the_first_rule_that_decides_counts() {
    let rules = [
        r#"{"mark":7,"count":"all","action":"next"}"#,
        r#"{"proto":"udp","dport":53,"action":"drop"}"#,
        r#"{"proto":"udp","mark":9,"log":"dns ","action":"accept","count":"udp"}"#,
        r#"{"action":"drop","count":"rest"}"#,
    ];
    let mut host = start("", &rules);
    let accepted = one(&mut host, &udp("10.0.0.1:5", "10.0.0.2:54"));
    assert_eq!((accepted.verdict, accepted.desc.mark), (Verdict::tx(1), 9));
    assert!(!passes(&mut host, &udp("10.0.0.1:5", "10.0.0.2:53")));
    assert!(!passes(&mut host, &tcp("10.0.0.1:5", "10.0.0.2:53", RST)));
    assert_eq!(["all", "udp", "rest"].map(|name| host.counter(name)), [3, 1, 1]);
    assert_eq!(["packets", "accepted", "dropped"].map(|name| host.counter(name)), [3, 1, 2]);
    let lines: Vec<_> = host.log().iter().filter(|line| line.starts_with("dns ")).collect();
    assert_eq!(lines, ["dns rule 3: accept untracked 10.0.0.1:5 > 10.0.0.2:54 protocol 17 port 0"]);
}

#[test]
fn rates_are_kept() {
    let rules = [
        r#"{"proto":"udp","rate":{"packets":2,"burst":2},"action":"accept"}"#,
        r#"{"proto":"tcp","rate":{"packets":60,"seconds":60,"burst":1,"over":true},"action":"drop"}"#,
        r#"{"proto":"tcp","action":"accept"}"#,
    ];
    let mut host = start("", &rules);
    let packet = udp("10.0.0.1:5", "10.0.0.2:53");
    assert_eq!([0; 3].map(|_| passes(&mut host, &packet)), [true, true, false]);
    host.set_time(500_000_000);
    assert_eq!([0; 2].map(|_| passes(&mut host, &packet)), [true, false]);
    let packet = tcp("10.0.0.1:5", "10.0.0.2:53", SYN);
    assert_eq!([0; 2].map(|_| passes(&mut host, &packet)), [true, false]);
    host.set_time(1_500_000_000);
    assert_eq!([0; 2].map(|_| passes(&mut host, &packet)), [true, false]);
}

#[test]
fn log_lines_are_limited() {
    let mut host = start(r#""log_rate":{"per_second":1,"burst":2}"#, &[r#"{"log":"","action":"drop"}"#]);
    for _ in 0..5 {
        one(&mut host, &echo("10.0.0.1", "10.0.0.2", 8, 1));
    }
    assert_eq!((host.log().len(), host.counter("log.limited")), (2, 3));
    assert_eq!(host.log()[0], "rule 1: drop untracked 10.0.0.1 > 10.0.0.2 protocol 1 type 8 code 0 port 0");
}

#[test]
fn what_is_not_ip_has_a_switch_of_its_own() {
    let frame = |number: [u8; 2]| Frame { port: 0, bytes: [&[2; 12], &number[..], &[0; 46]].concat() };
    let (arp, other) = (frame([8, 6]), frame([0x88, 0xcc]));
    for (keys, expected) in [
        ("", [true, false]),
        (r#""non_ip":"accept""#, [true, true]),
        (r#""non_ip":"drop","policy":"accept""#, [false, false]),
    ] {
        let mut host = start(keys, &[]);
        assert_eq!([passes(&mut host, &arp), passes(&mut host, &other)], expected, "{keys}");
    }
    let solicitation = icmp("fe80::1", "ff02::1:ff00:2", 135, 0, &[0; 20]).with(21, &[255]);
    for (keys, expected) in [("", true), (r#""neighbours":false"#, false)] {
        assert_eq!(passes(&mut start(keys, &[]), &solicitation), expected);
    }
    // It came over a router: it is none.
    assert!(!passes(&mut start("", &[]), &solicitation.with(21, &[254])));
}

#[test]
fn without_a_bridge_the_chain_says_where_packets_go() {
    let mut host = perigee_guest::testing::Host::<crate::Firewall>::start(r#"{"policy":"accept"}"#).unwrap();
    assert_eq!(one(&mut host, &udp("10.0.0.1:5", "10.0.0.2:53")).verdict, Verdict::NEXT);
    assert_eq!(host.counter("accepted.policy"), 1);
}
