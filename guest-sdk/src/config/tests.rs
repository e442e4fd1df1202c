//! What operators write, and what they are told.

use super::*;
use crate::text::Text;
use crate::wire::Mac;
use core::net::{IpAddr, Ipv4Addr};
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
struct Config {
    size: u16,
    offset: i32,
    rate: f64,
    on: bool,
    name: Text<8>,
    mac: Option<Mac>,
    source: Option<Ipv4Addr>,
    addresses: List<IpAddr, 3>,
    mode: Mode,
    inner: Inner,
}

#[derive(Deserialize, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    #[default]
    One,
    TwoFields,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
struct Inner {
    depth: u8,
}

#[derive(Deserialize, Debug)]
struct Needed {
    #[allow(dead_code, reason = "only the error is looked at")]
    size: u16,
}

fn error(json: &str) -> String {
    from_json::<Config>(json.as_bytes()).unwrap_err().to_string()
}

#[test]
fn every_kind_of_value_is_read() {
    let json = br#" { "size": 64, "offset": -3, "rate": 1.5, "on": true, "name": "a\n\u0007\"", "mode": "two-fields",
        "mac": "02:00:00:00:00:01", "source": null, "addresses": ["10.0.0.1", "fe80::1"], "inner": {"depth": 2} } "#;
    let config: Config = from_json(json).unwrap();
    assert_eq!((config.size, config.offset, config.rate, config.on), (64, -3, 1.5, true));
    assert_eq!((config.name.as_str(), config.mode, config.inner.depth), ("a\n\u{7}\"", Mode::TwoFields, 2));
    assert_eq!((config.mac, config.source), (Some(Mac([2, 0, 0, 0, 0, 1])), None));
    assert_eq!(config.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.1", "fe80::1"]);
}

#[test]
fn nothing_is_an_empty_table() {
    assert_eq!(from_json::<Config>(b"").unwrap().size, 0);
    assert_eq!(from_json::<Needed>(b"").unwrap_err().to_string(), "the key \"size\" is missing");
}

#[test]
fn an_error_names_the_key_and_what_was_found() {
    let cases = [
        (
            r#"{"sise": 1}"#,
            "unknown key \"sise\"; known: size, offset, rate, on, name, mac, source, addresses, mode, inner",
        ),
        (r#"{"size": "x"}"#, "size: expected a whole number, found \"x\""),
        (r#"{"size": 70000}"#, "size: expected u16, found 70000"),
        (r#"{"size": -1}"#, "size: expected u16, found -1"),
        (r#"{"size": 1.5}"#, "size: expected a whole number, found 1.5"),
        (r#"{"size": 1, "size": 2}"#, "the key \"size\" is there twice"),
        (r#"{"on": 1}"#, "on: expected true or false, found 1"),
        (r#"{"name": 1}"#, "name: expected a string, found 1"),
        (r#"{"name": "too long for it"}"#, "name: the string is too long for this module"),
        (r#"{"mac": "02"}"#, "mac: expected a MAC address such as \"02:00:00:00:00:01\", found \"02\""),
        (r#"{"source": "10.0.0"}"#, "source: invalid IPv4 address syntax"),
        (r#"{"addresses": "10.0.0.1"}"#, "addresses: expected a list, found \"10.0.0.1\""),
        (r#"{"addresses": ["::", "::", "::", "::"]}"#, "addresses: the list is too long for this module"),
        (r#"{"mode": "three"}"#, "mode: unknown word \"three\"; known: one, two-fields"),
        (r#"{"mode": 3}"#, "mode: expected one of the words one two-fields"),
        (r#"{"inner": {"depht": 1}}"#, "inner: unknown key \"depht\"; known: depth"),
        (r#"{"inner": {"depth": []}}"#, "inner.depth: expected a whole number, found a list"),
        ("[]", "expected a table, found a list"),
        ("{} x", "something follows the configuration"),
        (r#"{"size" 1}"#, "the configuration is not JSON at byte 8"),
        (r#"{"name": "abc"#, "name: the configuration is not JSON at byte 13"),
    ];
    for (json, text) in cases {
        assert_eq!(error(json), text, "{json}");
    }
}

#[test]
fn cut_and_changed_json_is_an_error_but_never_a_panic() {
    let json = r#"{"size":64,"name":"a\u0041\\","mac":"02:00:00:00:00:01","addresses":["::1"],"inner":{"depth":2}}"#;
    for cut in 0..json.len() {
        let _ = from_json::<Config>(&json.as_bytes()[..cut]);
        for byte in [b'"', b'\\', b'{', b'[', b'9', 0xff] {
            let mut changed = json.as_bytes().to_vec();
            changed[cut] = byte;
            let _ = from_json::<Config>(&changed);
        }
    }
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Hidden {
    secrets: Keys,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Keys {
    stamp: Secret<4>,
}

#[test]
fn a_secret_is_read_and_not_shown() {
    let hidden: Hidden = from_json(br#"{"secrets": {"stamp": "00ff4A"}}"#).unwrap();
    assert_eq!(hidden.secrets.stamp.bytes(), [0, 255, 0x4a]);
    assert_eq!(std::format!("{hidden:?}"), "Hidden { secrets: Keys { stamp: Secret } }");
    let cases = [
        (r#"{"secrets": {"stamp": "0011223344"}}"#, "secrets.stamp: the secret is too long for this module"),
        (r#"{"secrets": {"stamp": "001"}}"#, "secrets.stamp: the secret is no hexadecimal digits"),
        (r#"{"secrets": {"stamp": "0g"}}"#, "secrets.stamp: the secret is no hexadecimal digits"),
        (r#"{"secrets": {"other": "00"}}"#, "secrets: unknown key \"other\"; known: stamp"),
        ("{}", "the key \"secrets\" is missing"),
    ];
    for (text, said) in cases {
        let refusal = from_json::<Hidden>(text.as_bytes()).map(|_| ()).unwrap_err();
        assert_eq!(refusal.text().as_str(), said);
    }
}

#[cfg(feature = "state")]
#[test]
fn a_list_of_many_values_has_any_length() {
    let text = format!("[{}]", (0..5_000).map(|number| number.to_string()).collect::<Vec<_>>().join(","));
    let list: Many<u16> = from_json(text.as_bytes()).unwrap();
    assert!(list.0.iter().copied().eq(0..5_000));
    let wrong = from_json::<Many<u16>>(b"[1, 2, 70000]").unwrap_err();
    assert!(wrong.to_string().contains("70000"), "{wrong}");
    assert!(from_json::<Many<u16>>(b"{}").is_err());
}
