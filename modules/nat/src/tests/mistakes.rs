//! Each mistake of a configuration has one text.

use super::*;

fn error(config: &str) -> String {
    refused(&format!(r#"{{"inside": ["10.0.0.0/8"], {config}}}"#))
}

#[test]
fn prefixes_must_be_prefixes_apart() {
    let pools = |pools: &str| error(&format!(r#""pools": [{pools}]"#));
    assert_eq!(
        pools(r#""198.51.100.1/24""#),
        "pools: \"198.51.100.1/24\": has bits set behind the prefix's length: shorten the address or lengthen the prefix"
    );
    assert_eq!(
        pools(r#""198.51.100.0/24", "198.51.100.8/29""#),
        "pools: \"198.51.100.8/29\" overlaps the prefix that begins with 198.51.100.0: name each address once"
    );
    assert_eq!(
        pools(r#""10.1.0.0/24""#),
        "pools: the prefix that begins with 10.1.0.0 overlaps one of `inside`: an address is on one side"
    );
    assert_eq!(pools(r#""100.0.0.0/8""#), "pools: 16777216 addresses; at most 65534");
    assert_eq!(pools(""), "pools: which addresses stand for those inside? Such as \"198.51.100.0/28\"");
    assert_eq!(refused("{}"), "inside: which addresses are inside? At least one prefix, such as \"10.0.0.0/8\"");
}

#[test]
fn a_forward_keeps_out_of_the_dynamic_ports() {
    let forward = |outside: &str, inside: &str| {
        let one = format!(r#"{{"protocol": "tcp", "outside": "{outside}", "inside": "{inside}"}}"#);
        error(&format!(r#""pools": ["198.51.100.0/24"], "forwards": [{one}, {one}]"#))
    };
    assert_eq!(
        forward("198.51.100.1:8080", "10.0.0.1:80"),
        "forwards: 198.51.100.1:8080 lies among the dynamic ports 1024 to 65535: choose another port, or other `ports`"
    );
    assert_eq!(forward("198.51.100.1:80", "192.0.2.1:80"), "forwards: 192.0.2.1:80 is in no prefix of `inside`");
    assert_eq!(
        forward("10.0.0.2:80", "10.0.0.1:80"),
        "forwards: 10.0.0.2:80 is an address of `inside`: the first one is outside"
    );
    assert_eq!(forward("198.51.100.1:80", "10.0.0.1:80"), "forwards: 198.51.100.1:80 stands twice");
    assert_eq!(
        forward("198.51.100.1:0", "10.0.0.1:80"),
        "forwards: 198.51.100.1:0 to 10.0.0.1:80: a port is 1 to 65535"
    );
}

#[test]
fn blocks_must_fit() {
    let blocks = |ports: &str, blocks: &str| {
        error(&format!(r#""pools": ["198.51.100.0/24"], "ports": [{ports}], "blocks": {{{blocks}}}"#))
    };
    assert_eq!(
        blocks("1024, 65535", r#""size": 1000"#),
        "blocks.size: 1000 does not divide the 64512 ports of each address: choose one that does, or other `ports`"
    );
    assert_eq!(blocks("1024, 65535", r#""size": 512, "most": 9"#), "blocks.most: 9; 1 to 8");
    assert_eq!(
        blocks("1024, 65535", r#""size": 512, "deterministic": true"#),
        "blocks.deterministic: `inside` has 16777216 addresses, and the pools have 32256 blocks: smaller blocks, more addresses \
         outside, or fewer inside"
    );
    assert_eq!(blocks("5, 5", r#""size": 1"#), "ports: [5, 5]: the first must be at least 1 and below the last");
}

#[test]
fn numbers_have_their_ranges() {
    let with = |more: &str| error(&format!(r#""pools": ["198.51.100.0/24"], {more}"#));
    assert_eq!(with(r#""sessions": 3"#), "sessions: 3; 4 to 16777216");
    assert_eq!(with(r#""timers": {"udp": 0}"#), "timers.udp: 0 seconds; 1 to 2592000");
    assert_eq!(with(r#""limits": {"half_open": 0}"#), "limits: sessions and half_open must be at least 1");
    assert_eq!(with(r#""fragments": {"ms": 0}"#), "fragments.ms: 1 to 60000");
    assert_eq!(
        with(r#""slice": {"index": 2, "of": 2}"#),
        "slice: 2 of 2: `of` must be 1 to 16, and `index` less than it"
    );
    assert_eq!(
        with(r#""slice": {"index": 0, "of": 5}"#),
        "ports: 64512 ports cannot be divided among 5 instances in even parts: make it a multiple of 10"
    );
    assert_eq!(with(r#""rings": [0, 1]"#), "rings: 2 of them for 1 instances: one for each");
    assert_eq!(with(r#""rings": [2]"#), "rings: 2: this run has 2 rings, which are counted from 0");
    assert_eq!(with(r#""steer": true"#), "steer: needs `rings`, one for each instance that translates, and no `slice`");
    assert!(with(r#""filter": 1"#).starts_with("unknown key \"filter\"; known: inside, pools, "));
}

#[test]
fn links_and_logs_say_what_is_wrong() {
    let side = |inside: &str| {
        let link =
            format!(r#""link": {{"inside": {{{inside}}}, "outside": {{"port": 1, "address": "198.51.100.1/24"}}}}"#);
        error(&format!(r#""pools": ["198.51.100.0/24"], {link}"#))
    };
    let address = "link.inside.address: our address there with the length of its prefix, such as \"10.0.0.1/24\"";
    assert_eq!(side(r#""port": 0, "address": "10.0.0.1""#), address);
    assert_eq!(side(r#""port": 9, "address": "10.0.0.1/8""#), "link.inside.port: this run has no such port");
    assert_eq!(
        side(r#""port": 0, "address": "10.0.0.1/24", "gateway": "10.0.1.1""#),
        "link.inside.gateway: not a neighbour: an address of the prefix of `address`, and not our own"
    );
    assert_eq!(
        side(r#""port": 1, "address": "10.0.0.1/24""#),
        "link: inside and outside are on one port: put a router there, and leave `link` away"
    );
    let log = r#""log": {"collector": "192.0.2.9:4739", "source": "192.0.2.1:4739", "mac": "02:00:00:00:00:09"}"#;
    assert_eq!(
        error(&format!(r#""pools": ["198.51.100.0/24"], {log}"#)),
        "log: records leave by one `port` or one `ring` of this run: its number, counted from 0"
    );
}
