//! The functions, each with configurations that leave nothing of it out.

/// From whom, to whom, and by which port.
pub(super) type Talk = ([u8; 4], [u8; 4], u8);

/// A module, and what it is tried with.
#[derive(Debug)]
pub struct Function {
    /// Its file in `target/modules`.
    pub module: &'static str,
    /// For `init`.
    pub config: &'static str,
    /// Addresses that mean something to it, and to whom others are strangers.
    pub(super) v4: &'static [[u8; 4]],
    pub(super) talks: &'static [Talk],
    pub(super) v6: &'static [&'static str],
    pub(super) messages: &'static [&'static str],
}

const ROUTER4: &[[u8; 4]] = &[
    [10, 0, 0, 1],
    [10, 0, 0, 2],
    [10, 0, 0, 77],
    [10, 0, 1, 1],
    [10, 0, 1, 2],
    [10, 0, 1, 3],
    [10, 0, 1, 255],
    [192, 168, 7, 7],
    [172, 16, 0, 1],
    [172, 31, 0, 1],
    [203, 0, 113, 9],
    [224, 0, 0, 1],
    [255, 255, 255, 255],
    [127, 0, 0, 1],
    [0, 0, 0, 0],
];
const ROUTER6: &[&str] = &[
    "2001:db8::1",
    "2001:db8::2",
    "2001:db8::77",
    "2001:db8:1::1",
    "2001:db8:1::2",
    "2001:db8:f000::1",
    "fe80::10ff:fe00:10",
    "ff02::1",
    "ff02::2",
    "ff02::1:ff00:1",
    "::",
    "::1",
    "2001:db9::1",
];
const ROUTES: &[&str] = &[
    "routes?",
    "routes? 10.0.0.0/8",
    "route? 192.168.0.1",
    "neighbours?",
    "neighbours? 1 10.0.1.2",
    "interfaces?",
    "version?",
    "feeds?",
    "route add 10.9.0.0/16 via 10.0.1.2 via 10.0.1.3",
    "route replace default via 10.0.1.3",
    "route del 10.9.0.0/16",
    "route add 2001:db8:9::/48 via fe80::7 dev 1",
    "feed x stale 1",
    "feed x end",
    "batch 3 feed x\nroute add 203.0.113.0/24 blackhole\nroute del 203.0.113.0/24",
    "batch 1\nroute add 198.51.100.0/24 dev 1",
];
const NAT4: &[[u8; 4]] = &[
    [10, 0, 0, 1],
    [10, 0, 0, 2],
    [10, 0, 0, 5],
    [192, 0, 2, 1],
    [198, 51, 100, 1],
    [198, 51, 100, 2],
    [198, 51, 100, 3],
    [203, 0, 113, 9],
];
const WALL4: &[[u8; 4]] = &[[10, 0, 0, 1], [10, 0, 0, 2], [10, 0, 0, 9], [192, 0, 2, 1], [224, 0, 0, 1]];
const SIX: &[&str] = &["2001:db8::1", "2001:db8::2", "2001:db8:1::2", "ff02::1", "::"];
const BALANCED: &[&str] =
    &["backend s1 up", "backend s1 down", "backend s2 drain", "backends?", "services?", "connections?"];
const BALANCED4: &[[u8; 4]] = &[[192, 0, 2, 1], [10, 0, 0, 2], [10, 0, 0, 3], [10, 9, 0, 1]];
const BALANCED6: &[&str] = &["2001:db8::1", "2001:db8:1::2"];

const ROUTED: &[Talk] = &[
    ([10, 0, 0, 2], [10, 0, 1, 2], 0),
    ([10, 0, 0, 2], [192, 168, 7, 7], 0),
    ([10, 0, 0, 2], [203, 0, 113, 9], 0),
    ([10, 0, 1, 2], [10, 0, 0, 2], 1),
    ([10, 0, 1, 9], [10, 0, 1, 1], 1),
    ([10, 0, 0, 2], [10, 0, 0, 1], 0),
];
const TRANSLATED: &[Talk] = &[
    ([10, 0, 0, 1], [192, 0, 2, 1], 0),
    ([10, 0, 0, 2], [198, 51, 100, 2], 0),
    ([10, 0, 0, 5], [192, 0, 2, 1], 0),
    ([10, 0, 0, 1], [10, 0, 0, 254], 0),
    ([192, 0, 2, 1], [198, 51, 100, 2], 1),
    ([192, 0, 2, 1], [198, 51, 100, 3], 1),
    ([198, 51, 100, 254], [198, 51, 100, 1], 1),
];
const ASKED: &[Talk] = &[([10, 0, 0, 1], [192, 0, 2, 1], 0), ([192, 0, 2, 1], [10, 0, 0, 1], 1)];

/// All that are tried.
pub const FUNCTIONS: &[Function] = &[
    Function {
        module: "router",
        config: r#"{"interfaces": [{"port": 0, "addresses": ["10.0.0.1/24", "2001:db8::1/64"], "advertise": true},
            {"port": 1, "addresses": ["10.0.1.1/24", "2001:db8:1::1/64"], "mtu": 1300}],
            "routes": ["default via 10.0.1.9", "192.168.0.0/16 via 10.0.1.2 via 10.0.1.3", "172.16.0.0/12 blackhole",
            "172.31.0.0/16 unreachable", "2001:db8:f000::/36 via 2001:db8:1::2"],
            "neighbours": ["10.0.1.2 lladdr 02:00:00:00:00:b1 dev 1"], "neighbour": {"max": 32, "unresolved": 8}}"#,
        v4: ROUTER4,
        talks: ROUTED,
        v6: ROUTER6,
        messages: ROUTES,
    },
    Function {
        module: "router",
        config: r#"{"role": "slow", "interfaces": [{"port": 0, "addresses": ["10.0.0.1/24", "2001:db8::1/64"]},
            {"port": 1, "addresses": ["10.0.1.1/24", "2001:db8:1::1/64"]}], "routes": ["default via 10.0.1.9"], "ecmp": "addresses"}"#,
        v4: ROUTER4,
        talks: ROUTED,
        v6: ROUTER6,
        messages: ROUTES,
    },
    Function {
        module: "nat",
        config: r#"{"inside": ["10.0.0.0/24"], "pools": ["198.51.100.2/31"], "ports": [1024, 5100], "sessions": 64, "hosts": 16,
            "forwards": [{"protocol": "tcp", "outside": "198.51.100.2:80", "inside": "10.0.0.5:80"},
            {"protocol": "udp", "outside": "198.51.100.2:53", "inside": "10.0.0.5:53"}], "fragments": {"packets": 16, "held": 8, "ms": 50},
            "timers": {"udp": 1, "icmp": 1}, "link": {"unsolicited_syn": "answer", "inside": {"port": 0, "address": "10.0.0.254/24"},
            "outside": {"port": 1, "address": "198.51.100.1/24", "gateway": "198.51.100.254"}}}"#,
        v4: NAT4,
        talks: TRANSLATED,
        v6: SIX,
        messages: &["summary"],
    },
    Function {
        module: "nat",
        config: r#"{"inside": ["10.0.0.0/24"], "pools": ["198.51.100.2/31"], "sessions": 64, "hosts": 16, "filtering": "address-dependent",
            "blocks": {"size": 8, "most": 2}, "log": {"collector": "10.0.0.9:4739", "source": "10.0.0.8:4739",
            "mac": "02:00:00:00:00:77", "port": 0, "queue": 16}, "limits": {"sessions": 20, "half_open": 5}}"#,
        v4: NAT4,
        talks: TRANSLATED,
        v6: SIX,
        messages: &["summary"],
    },
    Function {
        module: "nat",
        config: r#"{"inside": ["10.0.0.0/24"], "pools": ["198.51.100.2/31"], "steer": true, "rings": [0, 1]}"#,
        v4: NAT4,
        talks: TRANSLATED,
        v6: SIX,
        messages: &[],
    },
    Function {
        module: "firewall",
        config: r#"{"ports": ["a", "b"], "bridge": ["a", "b"], "stateful": true, "established": "rules", "invalid": "rules", "loose": true,
            "connections": 64, "new_rate": {"per_second": 50, "burst": 20}, "reject_rate": {"per_second": 50, "burst": 20}, "rules": [
            {"state": "invalid", "log": "invalid ", "action": "drop"}, {"state": ["established", "related"], "action": "accept"},
            {"proto": "tcp", "dport": [80, 443], "action": "accept"}, {"proto": "udp", "dport": "50-60", "rate": {"packets": 9, "burst": 9},
            "action": "accept"}, {"proto": ["icmp", "icmpv6"], "count": "pings", "action": "accept"}, {"action": "reject"}]}"#,
        v4: WALL4,
        talks: ASKED,
        v6: SIX,
        messages: &["rules", "connections"],
    },
    Function {
        module: "firewall",
        config: r#"{"ports": ["a", "b"], "bridge": ["a", "b"], "policy": "accept", "non_ip": "accept", "rules": [
            {"proto": "tcp", "flags": "syn", "mark": 7, "action": "next"}, {"src": ["10.0.0.0/30", "2001:db8::/64"], "action": "reject"},
            {"vlan": 5, "action": "drop"}]}"#,
        v4: WALL4,
        talks: ASKED,
        v6: SIX,
        messages: &["rules", "connections"],
    },
    Function {
        module: "balancer",
        config: r#"{"backends": [{"name": "s1", "mac": "02:00:00:00:01:01"}, {"name": "s2", "mac": "02:00:00:00:01:02", "weight": 2}],
            "table_size": 251, "connections": {"new": 16, "tcp": 16, "udp": 16, "closing": 8, "fragments": 8}, "services": [
            {"address": "192.0.2.1", "protocol": "tcp", "port": 80}, {"address": "192.0.2.1", "protocol": "udp", "port": 53},
            {"address": "2001:db8::1", "protocol": "tcp", "port": 80}]}"#,
        v4: BALANCED4,
        talks: ASKED,
        v6: BALANCED6,
        messages: BALANCED,
    },
    Function {
        module: "balancer",
        config: r#"{"backends": [{"name": "s1", "mac": "02:00:00:00:01:01", "address": "10.9.0.1"},
            {"name": "s2", "mac": "02:00:00:00:01:02", "address": "10.9.0.2"}], "source4": "10.9.0.254", "source6": "fd00::fe",
            "table_size": 251, "services": [{"address": "192.0.2.1", "protocol": "tcp", "port": 80, "forward": "ipip"},
            {"address": "192.0.2.1", "protocol": "udp", "port": 53, "forward": "geneve"}]}"#,
        v4: BALANCED4,
        talks: ASKED,
        v6: BALANCED6,
        messages: BALANCED,
    },
    Function {
        module: "policer",
        config: r#"{"flows": 32, "classes": [
            {"name": "a", "prefixes": ["10.0.0.0/31"], "cir": "80k", "cbs": 2000, "ebs": 1000, "yellow": "dscp 3", "red": "dscp 5"},
            {"name": "b", "prefixes": ["0.0.0.0/0", "::/0"], "per": "flow", "cir": "800k", "cbs": 2000, "counts": "wire", "aware": true},
            {"name": "c", "prefixes": ["10.0.0.2/32", "2001:db8::/64"], "shape": "1M", "queue": 20, "counts": "frame"}]}"#,
        v4: WALL4,
        talks: ASKED,
        v6: SIX,
        messages: &["classes?", "class a cir=90k cbs=1900", "class c shape=2M queue=5"],
    },
];
