//! Rules beside frames, and beside each other.

use super::Rule;
use perigee_config::flow::key::Key;
use perigee_config::{FlowMatch, FlowRule};

/// An Ethernet frame: tags, type, payload.
fn frame(tags: &[u16], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2; 12];
    for tci in tags {
        bytes.extend(0x8100_u16.to_be_bytes());
        bytes.extend(tci.to_be_bytes());
    }
    bytes.extend(ether_type.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// IPv4 from 10.1.2.3 to 192.0.2.9, with so many words of options.
fn ipv4(protocol: u8, fragment: u16, options: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x45 + options, 0, 0, 0, 0, 0];
    bytes.extend(fragment.to_be_bytes());
    bytes.extend([64, protocol, 0, 0, 10, 1, 2, 3, 192, 0, 2, 9]);
    bytes.resize(bytes.len() + usize::from(options) * 4, 0);
    bytes.extend(payload);
    bytes
}

/// IPv6 from 2001:db8::1 to fe80::2.
fn ipv6(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0, 0, 8, protocol, 64];
    bytes.extend("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    bytes.extend("fe80::2".parse::<std::net::Ipv6Addr>().unwrap().octets());
    bytes.extend(payload);
    bytes
}

/// Ports 1000 and 53.
const PORTS: [u8; 8] = [0x03, 0xe8, 0, 53, 0, 8, 0, 0];

fn rule(matches: &str) -> Rule {
    let text = format!("action = \"drop\"\nmatch = {{ {matches} }}");
    let rule: FlowRule = toml::from_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    Rule::new(&rule.matches)
}

fn meets(matches: &str, frame: &[u8]) -> bool {
    rule(matches).meets(&Key::of(&Bytes(frame)))
}

/// A frame that is a slice of bytes.
struct Bytes<'a>(&'a [u8]);

impl perigee_core::frame::Frame for Bytes<'_> {
    fn len(&self) -> u32 {
        perigee_core::frame::Frame::len(self.0)
    }

    fn bytes<const N: usize>(&self, at: u32) -> Option<[u8; N]> {
        perigee_core::frame::Frame::bytes(self.0, at)
    }
}

#[test]
fn all_that_is_named_must_be_so() {
    let udp = frame(&[], 0x0800, &ipv4(17, 0x4000, 0, &PORTS));
    for yes in [
        "",
        "ether_type = 0x0800",
        "src = \"10.0.0.0/8\"",
        "src = \"10.1.2.3/32\"",
        "dst = \"192.0.2.0/24\"",
        "protocol = \"udp\"",
        "protocol = 17",
        "protocol = \"udp\", dst_port = 53",
        "protocol = \"udp\", src_port = \"1000-2000\"",
        "src = \"10.1.0.0/16\", dst = \"192.0.2.9/32\", protocol = \"udp\", src_port = 1000, dst_port = \"1-100\"",
        "src = \"0.0.0.0/0\"",
    ] {
        assert!(meets(yes, &udp), "{yes}");
    }
    for no in [
        "ether_type = 0x86dd",
        "vlan = 0",
        "src = \"11.0.0.0/8\"",
        "dst = \"192.0.3.0/24\"",
        "protocol = \"tcp\"",
        "protocol = \"udp\", dst_port = 54",
        "protocol = \"tcp\", dst_port = 53",
        "protocol = \"udp\", src_port = \"1001-2000\"",
        "src = \"::/0\"",
        "protocol = \"udp\", src_port = 53",
    ] {
        assert!(!meets(no, &udp), "{no}");
    }
}

#[test]
fn a_tag_is_met_by_its_vlan_alone() {
    let tagged = frame(&[0x602a], 0x0800, &ipv4(17, 0, 0, &PORTS));
    assert!(meets("vlan = 42", &tagged) && meets("vlan = 42, protocol = \"udp\", dst_port = 53", &tagged));
    assert!(meets("", &tagged) && !meets("protocol = \"udp\"", &tagged) && !meets("vlan = 43", &tagged));
    let twice = frame(&[42, 7], 0x0800, &ipv4(17, 0, 0, &PORTS));
    assert!(
        meets("vlan = 42", &twice) && !meets("vlan = 42, protocol = \"udp\"", &twice) && !meets("vlan = 7", &twice)
    );
}

#[test]
fn ports_are_those_of_whole_packets() {
    let ports = "protocol = \"udp\", dst_port = 53";
    assert!(meets(ports, &frame(&[], 0x0800, &ipv4(17, 0, 5, &PORTS))), "behind options");
    assert!(meets(ports, &frame(&[], 0x86dd, &ipv6(17, &PORTS))));
    for fragment in [0x2000, 0x0001, 0x1fff] {
        let cut = frame(&[], 0x0800, &ipv4(17, fragment, 0, &PORTS));
        assert!(!meets(ports, &cut) && meets("protocol = \"udp\"", &cut), "{fragment:#x}");
    }
    assert!(!meets(ports, &frame(&[], 0x0800, &ipv4(17, 0, 0, &PORTS[..3]))), "cut off");
}

#[test]
fn ipv6_networks_are_compared_in_all_their_bits() {
    let packet = frame(&[], 0x86dd, &ipv6(58, &[128, 0, 0, 0]));
    for yes in
        ["src = \"2001:db8::/32\"", "dst = \"fe80::2/128\"", "protocol = \"icmp6\"", "src = \"::/0\", protocol = 58"]
    {
        assert!(meets(yes, &packet), "{yes}");
    }
    for no in ["src = \"2001:db9::/32\"", "dst = \"fe80::3/128\"", "src = \"0.0.0.0/0\"", "protocol = \"icmp\""] {
        assert!(!meets(no, &packet), "{no}");
    }
}

#[test]
fn frames_that_are_cut_anywhere_are_read_as_far_as_they_go() {
    for whole in [frame(&[42], 0x0800, &ipv4(17, 0, 5, &PORTS)), frame(&[], 0x86dd, &ipv6(17, &PORTS))] {
        for len in 0..whole.len() {
            let key = Key::of(&Bytes(&whole[..len]));
            assert!(key.ip.is_none_or(|ip| ip.ports.is_none() || len >= whole.len() - 4), "{len}: {key:?}");
        }
    }
    // An IPv4 header that says that it is shorter than it can be.
    assert_eq!(Key::of(&Bytes(&frame(&[], 0x0800, &[0x44; 40]))).ip, None);
}

#[test]
fn rules_that_take_all_of_anothers_packets_cover_it() {
    let covers = |a: &str, b: &str| rule(a).covers(&rule(b));
    for (wide, narrow) in [
        ("", "vlan = 7"),
        ("ether_type = 0x0800", "src = \"10.0.0.0/8\""),
        ("src = \"10.0.0.0/8\"", "src = \"10.1.0.0/16\", protocol = \"tcp\""),
        ("protocol = \"tcp\"", "protocol = \"tcp\", dst_port = 80"),
        ("protocol = \"tcp\", dst_port = \"1-100\"", "protocol = \"tcp\", dst_port = \"80-90\", src_port = 5"),
        ("vlan = 7", "vlan = 7, src = \"::/0\""),
    ] {
        assert!(covers(wide, narrow), "{wide} {narrow}");
        assert!(!covers(narrow, wide), "{narrow} {wide}");
        assert!(rule(wide).overlaps(&rule(narrow)) && rule(narrow).overlaps(&rule(wide)), "{wide} {narrow}");
    }
    assert!(!covers("ether_type = 0x0800", ""), "every packet, tagged or not");
    assert!(!covers("protocol = \"tcp\"", "vlan = 7, protocol = \"tcp\""));
}

#[test]
fn rules_overlap_where_one_packet_may_meet_both() {
    let overlap = |a: &str, b: &str| rule(a).overlaps(&rule(b)) && rule(b).overlaps(&rule(a));
    for (a, b) in [
        ("src = \"10.0.0.0/8\"", "dst = \"192.0.2.0/24\""),
        ("src = \"10.0.0.0/8\"", "protocol = \"udp\", dst_port = 53"),
        ("protocol = \"udp\", dst_port = \"1-60\"", "protocol = \"udp\", dst_port = \"53-99\""),
        ("protocol = \"udp\", dst_port = 53", "protocol = \"udp\", src_port = 53"),
    ] {
        assert!(overlap(a, b), "{a} {b}");
    }
    for (a, b) in [
        ("src = \"10.0.0.0/8\"", "src = \"11.0.0.0/8\""),
        ("src = \"10.0.0.0/8\"", "src = \"::/0\""),
        ("protocol = \"udp\"", "protocol = \"tcp\""),
        ("vlan = 7", "protocol = \"tcp\""),
        ("ether_type = 0x0806", "protocol = \"tcp\""),
        ("protocol = \"udp\", dst_port = \"1-52\"", "protocol = \"udp\", dst_port = 53"),
    ] {
        assert!(!rule(a).overlaps(&rule(b)) && !rule(b).overlaps(&rule(a)), "{a} {b}");
    }
}

#[test]
fn rules_are_told_in_words() {
    let told = |text: &str| toml::from_str::<FlowRule>(text).unwrap();
    let rule =
        told("match = { vlan = 7, dst = \"10.0.0.0/8\", protocol = 6, dst_port = \"80-90\" }\naction = { queue = 1 }");
    assert_eq!(
        format!("{} -> {}", rule.matches, rule.action),
        "vlan 7, dst 10.0.0.0/8, protocol tcp, dst_port 80-90 -> queue 1"
    );
    let rule = told("action = { mark = 9 }");
    assert_eq!(format!("{} -> {}", rule.matches, rule.action), "every packet -> mark 9");
    assert_eq!(rule.matches, FlowMatch::default());
}
