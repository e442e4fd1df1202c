//! Rule sets as nft 1.0.6 writes them.

use super::*;
use serde_json::{Value, json};

/// A rule set with this chain at the hook forward, other objects, and rules of the chains named.
fn ruleset(others: Value, rules: &[(&str, Value)]) -> String {
    let mut all = vec![
        json!({"metainfo": {"version": "1.0.6"}}),
        json!({"table": {"family": "inet", "name": "filter", "handle": 1}}),
        json!({"chain": {"family": "inet", "table": "filter", "name": "forward", "handle": 1, "type": "filter",
            "hook": "forward", "prio": 0, "policy": "drop"}}),
    ];
    all.extend(others.as_array().unwrap().clone());
    for (handle, (chain, expr)) in (10..).zip(rules) {
        all.push(
            json!({"rule": {"family": "inet", "table": "filter", "chain": chain, "handle": handle, "expr": expr}}),
        );
    }
    json!({"nftables": all}).to_string()
}

fn chain(name: &str) -> Value {
    json!({"chain": {"family": "inet", "table": "filter", "name": name, "handle": 2}})
}

fn payload(protocol: &str, field: &str, operation: &str, right: &Value) -> Value {
    json!({"match": {"op": operation, "left": {"payload": {"protocol": protocol, "field": field}}, "right": right}})
}

/// The rules that come of it, without comments.
fn converted(others: Value, rules: &[(&str, Value)]) -> Vec<String> {
    let text = convert(&ruleset(others, rules)).unwrap().text;
    assert!(toml::from_str::<toml::Table>(&text).is_ok(), "{text}");
    let lines = text.lines().filter_map(|line| line.strip_prefix("    { "));
    lines.map(|line| line.trim_end_matches(" },").to_owned()).collect()
}

/// The only rule that comes of one.
fn one(expr: &[Value]) -> String {
    let mut all = converted(json!([]), &[("forward", Value::from(expr))]);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn refusal(expr: &[Value]) -> String {
    convert(&ruleset(json!([]), &[("forward", Value::from(expr))])).unwrap_err()
}

#[test]
fn matches_become_keys() {
    let accept = json!({"accept": null});
    for (expr, keys) in [
        (payload("ip", "saddr", "==", &json!({"prefix": {"addr": "10.1.0.0", "len": 16}})), r#"src = "10.1.0.0/16""#),
        (payload("ip6", "daddr", "==", &json!("2001:db8::1")), r#"dst = "2001:db8::1/128""#),
        (
            payload("ip", "daddr", "==", &json!({"range": ["10.0.0.1", "10.0.0.3"]})),
            r#"dst = ["10.0.0.1/32", "10.0.0.2/31"]"#,
        ),
        (
            payload("tcp", "dport", "==", &json!({"set": [80, {"range": [8000, 8010]}]})),
            r#"proto = "tcp", dport = [80, "8000-8010"]"#,
        ),
        (payload("udp", "sport", "!=", &json!(5)), r#"proto = "udp", sport = ["0-4", "6-65535"]"#),
        (payload("th", "dport", "==", &json!(53)), r#"proto = ["tcp", "udp", "sctp"], dport = 53"#),
        (payload("tcp", "flags", "in", &json!(["syn", "ack"])), r#"proto = "tcp", flags = ["syn/syn", "ack/ack"]"#),
        (payload("icmpv6", "type", "==", &json!("packet-too-big")), r#"proto = "icmpv6", icmp = 2"#),
        (payload("ip", "protocol", "==", &json!("icmp")), r#"family = "ipv4", proto = "icmp""#),
        (payload("vlan", "id", "==", &json!(5)), "vlan = 5"),
        (
            json!({"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}),
            r#"state = ["established", "related"]"#,
        ),
        (json!({"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth0"}}), r#"in = "eth0""#),
        (
            json!({"match": {"op": "==", "left": {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, ["syn", "ack"]]},
                "right": "syn"}}),
            r#"proto = "tcp", flags = "syn/syn,ack""#,
        ),
    ] {
        assert_eq!(one(&[expr, accept.clone()]), format!("{keys}, action = \"accept\""));
    }
}

#[test]
fn what_stands_together_must_be_met_together() {
    let udp = payload("udp", "dport", "==", &json!({"range": [1, 100]}));
    let kind = payload("icmp", "type", "==", &json!("destination-unreachable"));
    let code = payload("icmp", "code", "==", &json!("frag-needed"));
    assert_eq!(one(&[kind, code, json!({"drop": null})]), r#"proto = "icmp", icmp = "3/4", action = "drop""#);
    // No packet is of both.
    let tcp = payload("tcp", "dport", "==", &json!(80));
    assert_eq!(converted(json!([]), &[("forward", json!([udp, tcp, {"accept": null}]))]), [""; 0]);
}

#[test]
fn statements_become_keys() {
    let limit = json!({"limit": {"rate": 10, "burst": 5, "per": "minute", "inv": true}});
    for (expr, keys) in [
        (
            vec![limit, json!({"drop": null})],
            r#"rate = { packets = 10, seconds = 60, burst = 5, over = true }, action = "drop""#,
        ),
        (vec![json!({"counter": {"packets": 0, "bytes": 0}})], r#"count = "nft.1", action = "next""#),
        (vec![json!({"log": {"prefix": "a "}}), json!({"accept": null})], r#"log = "a ", action = "accept""#),
        (vec![json!({"mangle": {"key": {"meta": {"key": "mark"}}, "value": 7}})], r#"mark = 7, action = "next""#),
        (vec![json!({"reject": {"type": "tcp reset"}})], r#"proto = "tcp", action = "reject", with = "tcp-reset""#),
        (vec![json!({"reject": null})], r#"action = "reject", with = "port-unreachable""#),
        (
            vec![json!({"reject": {"type": "icmpv6", "expr": "no-route"}})],
            r#"family = "ipv6", action = "reject", with = "net-unreachable""#,
        ),
    ] {
        assert_eq!(one(&expr), keys);
    }
}

#[test]
fn chains_stand_in_place_of_jumps() {
    let from = |name: &str| json!({"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": name}});
    let port = |port: u16| payload("tcp", "dport", "==", &json!(port));
    let rules = [
        ("forward", json!([from("a"), {"jump": {"target": "lan"}}])),
        ("forward", json!([{"accept": null}])),
        ("lan", json!([port(80), {"accept": null}])),
        ("lan", json!([from("b"), {"drop": null}])),
        (
            "lan",
            json!([{"vmap": {"key": {"payload": {"protocol": "tcp", "field": "dport"}},
            "data": {"set": [[22, {"accept": null}], [{"range": [90, 99]}, {"goto": {"target": "web"}}]]}}}]),
        ),
        ("web", json!([port(95), {"drop": null}])),
    ];
    assert_eq!(
        converted(json!([chain("lan"), chain("web")]), &rules),
        [
            r#"proto = "tcp", dport = 80, in = "a", action = "accept""#,
            r#"proto = "tcp", dport = 22, in = "a", action = "accept""#,
            r#"proto = "tcp", dport = 95, in = "a", action = "drop""#,
            r#"action = "accept""#,
        ]
    );
}

#[test]
fn sets_and_concatenations_are_written_out() {
    let set = json!({"set": {"family": "inet", "name": "good", "table": "filter", "type": "ipv4_addr", "handle": 5,
        "elem": ["10.0.0.1", {"elem": {"val": "10.0.0.5", "comment": "five"}}]}});
    let named = payload("ip", "saddr", "==", &json!("@good"));
    let pairs = json!({"match": {"op": "==", "left": {"concat": [
        {"payload": {"protocol": "ip", "field": "saddr"}}, {"payload": {"protocol": "udp", "field": "dport"}}]},
        "right": {"set": [{"concat": ["10.0.0.1", 53]}, {"concat": ["10.0.0.2", 123]}]}}});
    assert_eq!(
        converted(
            json!([set]),
            &[("forward", json!([named, {"accept": null}])), ("forward", json!([pairs, {"drop": null}]))]
        ),
        [
            r#"src = ["10.0.0.1/32", "10.0.0.5/32"], action = "accept""#,
            r#"src = "10.0.0.1/32", proto = "udp", dport = 53, action = "drop""#,
            r#"src = "10.0.0.2/32", proto = "udp", dport = 123, action = "drop""#,
        ]
    );
}

#[test]
fn what_has_no_counterpart_is_refused_with_its_rule() {
    for (expr, said) in [
        (vec![json!({"masquerade": null})], "the statement masquerade"),
        (vec![json!({"match": {"op": "==", "left": {"ct": {"key": "mark"}}, "right": 1}})], "has no counterpart"),
        (
            vec![json!({"match": {"op": "!=", "left": {"meta": {"key": "iifname"}}, "right": "a"}})],
            "all interfaces but one",
        ),
        (vec![json!({"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "a*"}})], "the interface"),
        (vec![json!({"counter": null}), payload("tcp", "dport", "==", &json!(1))], "a match behind a statement"),
        (vec![json!({"limit": {"rate": 1, "per": "second", "rate_unit": "kbytes"}})], "the limit"),
        (
            vec![json!({"limit": {"rate": 1, "per": "second"}}), payload("tcp", "dport", "==", &json!(1))],
            "a match behind a statement",
        ),
        (vec![json!({"log": {"group": 1}})], "log to a group"),
        (vec![payload("ip", "saddr", "==", &json!("@none"))], "there is no set none"),
        (vec![json!({"jump": {"target": "none"}})], "there is no chain none"),
    ] {
        let told = refusal(&expr);
        assert!(told.starts_with("chain filter forward, handle 10: ") && told.contains(said), "{told}");
    }
    let early = [
        ("forward", json!([{"jump": {"target": "lan"}}])),
        ("lan", json!([payload("tcp", "dport", "==", &json!(1)), {"return": null}])),
        ("lan", json!([{"drop": null}])),
    ];
    let told = convert(&ruleset(json!([chain("lan")]), &early)).unwrap_err();
    assert!(told.starts_with("chain filter lan, handle 11: it leaves a chain"), "{told}");
    // A chain that jumps to itself.
    let round = [("forward", json!([{"jump": {"target": "forward"}}]))];
    assert!(convert(&ruleset(json!([]), &round)).unwrap_err().contains("more than 16 jumps"));
}

#[test]
fn rule_sets_without_one_chain_to_convert_are_refused() {
    assert!(convert("{").unwrap_err().contains("no JSON"));
    assert!(convert("{}").unwrap_err().contains("nft -j list ruleset"));
    assert!(convert(r#"{"nftables": []}"#).unwrap_err().contains("no chain with the hook forward"));
    let other = json!([{"chain": {"family": "ip", "table": "raw", "name": "more", "handle": 2, "type": "filter",
        "hook": "forward", "prio": 1, "policy": "drop"}}]);
    assert!(convert(&ruleset(other, &[])).unwrap_err().contains("both at the hook forward"));
}

#[test]
fn a_limit_in_two_places_is_told() {
    let limited = json!([{"limit": {"rate": 1, "burst": 5, "per": "second"}}, {"accept": null}]);
    let from = |name: &str| json!([{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": name}}, {"jump": {"target": "lan"}}]);
    let rules = [("forward", from("a")), ("forward", from("b")), ("lan", limited)];
    let told = convert(&ruleset(json!([chain("lan")]), &rules)).unwrap().told;
    assert_eq!(
        told,
        ["chain filter lan, handle 12: it stands in several places, and its limit counts in each by itself"]
    );
}

#[test]
fn what_is_left_out_is_told() {
    let nat = json!([{"chain": {"family": "inet", "table": "filter", "name": "post", "handle": 2, "type": "nat",
        "hook": "postrouting", "prio": 100, "policy": "accept"}}]);
    let told = convert(&ruleset(nat, &[("post", json!([{"masquerade": null}]))])).unwrap().told;
    assert_eq!(told, ["chain filter post is at the hook postrouting: addresses stay as they are"]);
}

#[test]
fn a_set_without_elements_is_met_by_no_packet() {
    let set = json!([{"set": {"family": "inet", "name": "bad", "table": "filter", "type": "ipv4_addr", "handle": 5}}]);
    let named = |operation: &str| payload("ip", "saddr", operation, &json!("@bad"));
    assert_eq!(converted(set.clone(), &[("forward", json!([named("=="), {"accept": null}]))]), [""; 0]);
    assert_eq!(
        converted(set, &[("forward", json!([named("!="), {"drop": null}]))]),
        [r#"src = "0.0.0.0/0", action = "drop""#]
    );
    // Nor is what is outside of all addresses.
    let all = payload("ip", "daddr", "!=", &json!({"prefix": {"addr": "0.0.0.0", "len": 0}}));
    assert_eq!(converted(json!([]), &[("forward", json!([all, {"accept": null}]))]), [""; 0]);
}

#[test]
fn a_set_that_rules_change_is_refused_where_it_counts() {
    // nft 1.0.6 writes no flag `dynamic`; what adds to the set may stand in any chain.
    let set = |flags: Value| json!({"set": {"family": "inet", "name": "seen", "table": "filter", "type": "ipv4_addr", "handle": 5, "flags": flags}});
    let add =
        json!([{"set": {"op": "add", "elem": {"payload": {"protocol": "ip", "field": "saddr"}}, "set": "@seen"}}]);
    let asked = json!([payload("ip", "daddr", "==", &json!("@seen")), {"accept": null}]);
    let told = |flags: Value, rules: &[(&str, Value)]| {
        convert(&ruleset(json!([set(flags), chain("other")]), rules)).map(|_| ()).unwrap_err()
    };
    let by_rule = told(Value::Null, &[("other", add.clone()), ("forward", asked.clone())]);
    assert!(
        by_rule.contains("the set seen changes while packets flow (the rule with handle 10 in chain other changes it)"),
        "{by_rule}"
    );
    // Later versions write one flag as a word.
    for flags in [json!(["interval", "timeout"]), json!("timeout")] {
        let by_flag = told(flags, &[("forward", asked.clone())]);
        assert!(by_flag.contains("the set seen changes while packets flow (its flags have timeout)"), "{by_flag}");
    }
    // Where no rule asks for it, it may change.
    assert_eq!(converted(json!([set(json!(["dynamic"])), chain("other")]), &[("other", add)]), [""; 0]);
}

#[test]
fn what_nft_has_no_json_for_is_refused() {
    let told =
        refusal(&[payload("ip", "saddr", "==", &json!("10.0.0.1")), json!("jump {\n\t\ttcp dport 80 accept\n}")]);
    assert!(told.starts_with("chain filter forward, handle 10: nft has no JSON for \"jump {"), "{told}");
}

#[test]
fn a_table_of_one_family_leaves_the_other_alone() {
    let rules = [("forward", json!([payload("tcp", "dport", "==", &json!(80)), {"accept": null}]))];
    for (family, mine, other) in [("ip", "ipv4", "ipv6"), ("ip6", "ipv6", "ipv4")] {
        let text = convert(&ruleset(json!([]), &rules).replace("\"inet\"", &format!("\"{family}\""))).unwrap().text;
        let passes = text.find(&format!("{{ family = \"{other}\", action = \"accept\" }}")).unwrap();
        let asked =
            text.find(&format!("{{ family = \"{mine}\", proto = \"tcp\", dport = 80, action = \"accept\" }}")).unwrap();
        assert!(passes < asked && text.contains("policy = \"drop\""), "{text}");
    }
}

#[test]
fn a_dormant_table_sees_no_packet() {
    let with = |flags: Value| {
        let off = json!([
            {"table": {"family": "inet", "name": "off", "handle": 2, "flags": flags}},
            {"chain": {"family": "inet", "table": "off", "name": "f", "handle": 1, "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}},
        ]);
        convert(&ruleset(off, &[]))
    };
    for flags in [json!("dormant"), json!(["dormant"])] {
        assert_eq!(with(flags).unwrap().told, ["table inet off is dormant: its chains are left out"]);
    }
    assert!(with(json!("owner")).unwrap_err().contains("both at the hook forward"));
    // As nft 1.0.6 writes it.
    let told = with(json!("off")).unwrap_err();
    assert!(told.starts_with("table inet off: its flags are \"off\", as nft 1.0 writes"), "{told}");
}

#[test]
fn protocols_have_the_names_of_the_system() {
    for (name, number) in [("ospf", 89), ("ipencap", 4), ("ipip", 94), ("ipv6", 41), ("vrrp", 112)] {
        let expr = json!({"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": name}});
        assert_eq!(one(&[expr, json!({"drop": null})]), format!("proto = {number}, action = \"drop\""));
    }
}
