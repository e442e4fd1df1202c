//! Each mistake of a configuration is refused in words that say how to mend it.

use super::*;

const BACKEND: &str = r#"{"name": "a", "mac": "02:00:00:00:00:01"}"#;
const SERVICE: &str = r#"{"address": "192.0.2.1", "protocol": "tcp", "port": 80}"#;

fn refusal(backends: &str, services: &str, more: &str) -> String {
    let config = format!(r#"{{"backends": [{backends}], "services": [{services}]{more}}}"#);
    Host::<Balancer>::start(&config).err().unwrap_or_default()
}

/// A backend or service with one more key, or another value.
fn with(table: &str, more: &str) -> String {
    format!("{}, {more}}}", table.trim_end_matches('}'))
}

#[test]
fn mistakes_are_named() {
    assert_eq!(refusal(BACKEND, SERVICE, ""), "");
    let two = format!("{BACKEND}, {BACKEND}");
    let tunnel = with(SERVICE, r#""forward": "ipip""#);
    let cases = [
        (refusal("", SERVICE, ""), "backends: 1 to 1024"),
        (refusal(BACKEND, "", ""), "services: 1 to 64"),
        (refusal(&two, SERVICE, ""), "backends: two have the name \"a\""),
        (refusal(BACKEND, &format!("{SERVICE}, {SERVICE}"), ""), "services: two have the same address"),
        (refusal(BACKEND, SERVICE, r#", "table_size": 65536"#), "the next one is 65537"),
        (
            refusal(BACKEND, SERVICE, r#", "table_size": 2"#),
            "table_size: a prime from 251 to 1048573; the next one is 251",
        ),
        (refusal(BACKEND, SERVICE, r#", "table_size": 2000000"#), "table_size: a prime from 251 to 1048573"),
        (refusal(BACKEND, SERVICE, r#", "hash_key": "xyz""#), "hash_key: 1 to 16 hexadecimal digits"),
        (refusal(BACKEND, SERVICE, r#", "connections": {"tcp": 0}"#), "connections, idle_s: at least 1"),
        (refusal(BACKEND, SERVICE, r#", "connections": {"http": 9}"#), "unknown key \"http\""),
        (refusal(BACKEND, SERVICE, r#", "conections": {}"#), "unknown key \"conections\""),
        (refusal(&with(BACKEND, r#""weight": 0"#), SERVICE, ""), "\"a\": weight is 1 to 1000"),
        (refusal(&with(BACKEND, r#""port": 9"#), SERVICE, ""), "\"a\": port: a port's number"),
        (refusal(r#"{"name": "a b", "mac": "02:00:00:00:00:01"}"#, SERVICE, ""), "a name is one word"),
        (
            refusal(r#"{"name": "a", "mac": "ff:00:00:00:00:01"}"#, SERVICE, ""),
            "\"a\": mac: not the address of one station",
        ),
        (refusal(BACKEND, &with(SERVICE, r#""backends": ["b"]"#), ""), "\"b\" is not the name of a backend"),
        (refusal(BACKEND, &with(SERVICE, r#""vni": 5"#), ""), "vni has 24 bits, and is for forward = \"geneve\""),
        (refusal(BACKEND, &SERVICE.replace("192.0.2.1", "224.0.0.1"), ""), "address is that of one host"),
        (refusal(BACKEND, &SERVICE.replace("tcp", "sctp"), ""), "unknown"),
        (refusal(BACKEND, &tunnel, ""), "\"a\": address is missing"),
        (refusal(&with(BACKEND, r#""address": "10.0.0.1""#), &tunnel, ""), "needs source4"),
        (refusal(&with(BACKEND, r#""address": "fd00::1""#), &tunnel, ""), "needs source6"),
        (refusal(BACKEND, &SERVICE.replace("192.0.2.1", "fd00::9"), r#", "mtu": 1279"#), "mtu: too short"),
    ];
    for (said, expected) in cases {
        assert!(said.contains(expected), "{said:?} for {expected:?}");
    }
}

#[test]
fn a_module_that_may_not_send_is_refused() {
    let mut run = Run::default();
    run.ports.iter_mut().for_each(|port| port.may_tx = 0);
    let config = format!(r#"{{"backends": [{BACKEND}], "services": [{SERVICE}]}}"#);
    let said = Host::<Balancer>::start_in(run, &config).err().unwrap_or_default();
    assert!(said.contains("`tx` of its grants"), "{said}");
}

#[test]
fn two_ways_for_fragments_are_refused() {
    let backend = with(BACKEND, r#""address": "10.0.0.1""#);
    let other = with(&SERVICE.replace("80", "81"), r#""forward": "ipip""#);
    let said = refusal(&backend, &format!("{SERVICE}, {other}"), r#", "source4": "10.0.0.9""#);
    assert!(said.contains("reach a backend in different ways"), "{said}");
}
