//! Configurations that are refused, and what is told of others.

use super::{start, try_start};

fn refusal(keys: &str, rules: &[&str]) -> String {
    try_start(keys, rules).err().unwrap()
}

#[test]
fn a_bad_rule_is_refused_with_its_number() {
    for (rule, said) in [
        (r#"{"src":"10.0.0.1/8","action":"drop"}"#, "src: \"10.0.0.1/8\" has bits set behind the prefix's length"),
        (r#"{"dst":"10.0.0/8","action":"drop"}"#, "dst: \"10.0.0/8\" not a prefix"),
        (r#"{"dst":7,"action":"drop"}"#, "dst: 7 is no prefix"),
        (r#"{"proto":"tcp","dport":"90-80","action":"drop"}"#, "dport: \"90-80\" is backwards"),
        (r#"{"proto":"tcp","sport":65536,"action":"drop"}"#, "sport: 65536 is no number or range"),
        (r#"{"dport":80,"action":"drop"}"#, "sport and dport need proto"),
        (r#"{"proto":["tcp","icmp"],"dport":80,"action":"drop"}"#, "sport and dport need proto"),
        (r#"{"proto":"udp","flags":"syn","action":"drop"}"#, "flags need proto"),
        (r#"{"proto":"tcp","flags":"syn/ack","action":"drop"}"#, "flags: \"syn/ack\" are no flags"),
        (r#"{"icmp":8,"action":"drop"}"#, "icmp needs proto"),
        (r#"{"proto":"icmp","icmp":"8/256","action":"drop"}"#, "icmp: \"8/256\" is no type"),
        (r#"{"proto":"tpc","action":"drop"}"#, "proto: \"tpc\" is no protocol"),
        (r#"{"vlan":4096,"action":"drop"}"#, "vlan: 4096 is no number"),
        (r#"{"in":"c","action":"drop"}"#, "there is no port \"c\""),
        (r#"{"state":"new","action":"drop"}"#, "without `stateful = true`"),
        (r#"{"src":"10.0.0.0/8","dst":"::/0","action":"drop"}"#, "not of one family"),
        (r#"{"family":"ipv4","src":"::/0","action":"drop"}"#, "not of one family"),
        (r#"{"src":"::/0","proto":"icmp","action":"drop"}"#, "of another family than its addresses"),
        (r#"{"src":"10.0.0.0/8"}"#, "the key \"action\" is missing"),
        (r#"{"action":"next"}"#, "does nothing"),
        (r#"{"action":"drop","with":"tcp-reset"}"#, "with needs action"),
        (r#"{"action":"reject","with":"tcp-reset"}"#, "needs proto = \"tcp\""),
        (r#"{"rate":{"packets":1,"burst":0},"action":"drop"}"#, "rate: a burst is 1 to"),
        (r#"{"log":"a prefix of more than 24 bytes","action":"drop"}"#, "24 bytes at most"),
    ] {
        let told = refusal("", &[r#"{"action":"accept"}"#, rule]);
        assert!(told.starts_with("rule 2: ") && told.contains(said), "{rule}: {told}");
    }
}

#[test]
fn words_that_nobody_knows_are_refused_with_their_rule() {
    for (rule, said) in [
        (r#"{"action":"allow"}"#, "unknown word \"allow\"; known: accept, drop, reject, next"),
        (r#"{"action":"drop","sorce":"10.0.0.0/8"}"#, "unknown key \"sorce\""),
        (r#"{"action":"drop","src":[]}"#, "a list of nothing"),
    ] {
        let told = refusal("", &[r#"{"action":"accept"}"#, rule]);
        assert!(told.contains("number 2: ") && told.contains(said), "{rule}: {told}");
    }
}

#[test]
fn other_keys_are_refused_by_name() {
    for (keys, said) in [
        (r#""policy":"reject""#, "policy: unknown word \"reject\""),
        (r#""stateful":true,"connections":524289"#, "connections: 1 to 524288"),
        (r#""stateful":true,"new_rate":{"per_second":1,"burst":1,"v4":33}"#, "new_rate: a prefix of IPv4 has 0 to 32"),
        (r#""stateful":true,"new_rate":{"per_second":1,"burst":0}"#, "new_rate: a burst"),
        (r#""log_rate":{"per_second":1,"burst":0}"#, "log_rate: a burst"),
    ] {
        let told = refusal(keys, &[]);
        assert!(told.contains(said), "{keys}: {told}");
    }
}

#[test]
fn there_are_only_so_many() {
    let many = |rule: &str, count| vec![rule.to_owned(); count].join(",");
    let ports = (1..300).map(|port| port.to_string()).collect::<Vec<_>>().join(",");
    let told = refusal("", &[&format!(r#"{{"proto":"tcp","dport":[{ports}],"sport":[{ports}],"action":"drop"}}"#)]);
    assert!(told.contains("rule 1: its lists make too many combinations"), "{told}");
    let told = refusal("", &[&many(r#"{"action":"next","mark":1}"#, 257)]);
    assert!(told.contains("rule 257: there may be 256 rules"), "{told}");
    let names: Vec<_> = (0..40).map(|number| format!(r#"{{"action":"drop","count":"c{number}"}}"#)).collect();
    let told = refusal("", &[&names.join(",")]);
    assert!(told.contains("rule 40: count: a name, and at most 39 different ones"), "{told}");
}

#[test]
fn rules_that_are_never_met_are_told_with_who_covers_them() {
    let host = start(
        "",
        &[
            r#"{"src":"10.0.0.0/8","proto":"tcp","dport":"80-90","action":"accept"}"#,
            r#"{"src":"10.1.0.0/16","proto":"tcp","dport":[80,"85-90"],"action":"drop"}"#,
            r#"{"src":"10.1.0.0/16","proto":"tcp","dport":[80,91],"action":"drop"}"#,
            r#"{"src":"10.1.0.0/16","count":"n","action":"next"}"#,
            r#"{"src":"10.1.2.0/24","action":"accept"}"#,
            r#"{"action":"drop"}"#,
            r#"{"dst":"2001:db8::/32","action":"accept"}"#,
        ],
    );
    let told: Vec<_> = host.log().iter().map(String::as_str).collect();
    assert_eq!(
        told,
        [
            "rule 2 is never met: rule 1 is met by all of its packets before",
            "rule 7 is never met: rule 6 is met by all of its packets before"
        ]
    );
}

#[test]
fn messages_tell_sizes() {
    let mut host = start("", &[r#"{"src":["10.0.0.0/8","10.1.0.0/16"],"action":"accept"}"#]);
    let told = String::from_utf8(host.message(b"rules").unwrap()).unwrap();
    assert!(told.starts_with(r#"{"rules":1,"patterns":2,"groups":2,"entries":2,"probes":2,"bytes":"#), "{told}");
    assert_eq!(host.message(b"x").unwrap_err(), "known messages: connections, rules");
}
