//! Each mistake of a configuration is refused in words that say how to mend it.

use super::*;

fn refusal(more: &str) -> String {
    let class = format!(r#"{{"name": "a", "prefixes": ["10.0.0.0/8"]{more}}}"#);
    start(&class, "").err().unwrap_or_default()
}

#[test]
fn mistakes_are_named() {
    assert_eq!(refusal(""), "");
    let cases = [
        (start("", "").err().unwrap(), "classes: 1 to 256"),
        (refusal(r#", "cbs": 999"#), "\"a\": no burst is as long as the longest packet"),
        (refusal(r#", "cir": "1M""#), "\"a\": cir needs cbs"),
        (refusal(r#", "cir": "fast", "cbs": 2000"#), "bits per second, as"),
        (refusal(r#", "cir": "1M", "cbs": 2000, "ebs": 1, "pir": "2M", "pbs": 2000"#), "RFC 2698"),
        (refusal(r#", "cir": "2M", "cbs": 2000, "pir": "1M", "pbs": 2000"#), "pir is not below cir"),
        (refusal(r#", "cir": "2M", "cbs": 3000000000"#), "a burst is at most 2305843009 bytes"),
        (refusal(r#", "shape": "11T", "queue": 9"#), "a rate is at most 10T"),
        (refusal(r#", "shape": "1M""#), "shape and queue belong together"),
        (refusal(r#", "queue": 9"#), "shape and queue belong together"),
        (refusal(r#", "shape": "1M", "queue": 70000"#), "queue is at most 65536"),
        (refusal(r#", "burst": 9"#), "burst is for shape"),
        (refusal(r#", "yellow": "red""#), "\"dscp \" and a code point"),
        (refusal(r#", "yellow": "dscp 64""#), "\"dscp \" and a code point"),
        (refusal(r#", "yellow_from": ["af12"]"#), "need aware = true"),
        (refusal(r#", "aware": true, "yellow_from": ["af99"]"#), "a code point is 0 to 63"),
        (refusal(r#", "aware": true, "yellow_from": ["1"], "red_from": ["1"]"#), "is in yellow_from and in red_from"),
        (refusal(r#", "per": "port""#), "unknown"),
        (refusal(r#", "colour": "red""#), "unknown key \"colour\""),
        (start(r#"{"name": "a", "prefixes": []}"#, "").err().unwrap(), "each has prefixes"),
        (
            start(r#"{"name": "a", "prefixes": ["10.0.0.1/8"]}"#, "").err().unwrap(),
            "\"10.0.0.1/8\": has bits set behind",
        ),
        (start(r#"{"name": "a", "prefixes": ["::/0", "::/0"]}"#, "").err().unwrap(), "a prefix stands twice"),
        (start(r#"{"name": "a b", "prefixes": ["::/0"]}"#, "").err().unwrap(), "a name is one word"),
        (
            start(r#"{"name": "a", "prefixes": ["::/0"]}, {"name": "a", "prefixes": ["0.0.0.0/0"]}"#, "")
                .err()
                .unwrap(),
            "two have the name \"a\"",
        ),
    ];
    for (said, expected) in cases {
        assert!(said.contains(expected), "{said:?} for {expected:?}");
    }
}
