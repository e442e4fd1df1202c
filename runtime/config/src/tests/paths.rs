//! What paths say, and the messages about those that make no sense.

use super::super::*;
use super::GOOD;
use crate::path::{FieldStart, Identity, MeasuredPath, Sighting};
use std::time::Duration;

const PLACES: &str = "first = { sent_by = [\"load\"] }\nthen = { received_by = [\"chain1\"] }\n";

fn with(lines: &str) -> String {
    format!("{GOOD}[[path]]\nname = \"p\"\n{lines}\n")
}

fn path(lines: &str) -> MeasuredPath {
    let text = with(lines);
    Config::parse(&text, "perigee.toml").unwrap_or_else(|e| panic!("{e}\n{text}")).paths[0].clone()
}

fn told(lines: &str) -> String {
    Config::parse(&with(lines), "perigee.toml").expect_err(lines).to_string()
}

#[test]
fn a_path_has_defaults() {
    let plain = path(PLACES);
    assert_eq!(plain.first, Sighting::Sent { by: vec!["load".into()], to: None });
    assert_eq!(plain.then, Sighting::Received { by: vec!["chain1".into()] });
    assert_eq!((plain.identity, plain.timeout, plain.places), (Identity::Ip, Duration::from_millis(100), 1 << 18));
    let all = path(
        "first = { received_by = [\"chain1\"] }\nthen = { sent_by = [\"chain1\"], to = \"b\" }\n\
         identity = \"frame\"\ntimeout = \"1s\"\nplaces = 1024",
    );
    assert_eq!((all.identity, all.timeout, all.places), (Identity::Frame, Duration::from_secs(1), 1_024));
    let config = Config::parse(&with(PLACES), "perigee.toml").unwrap();
    assert_eq!(config.seen_leaving_by("load", &config.paths[0].first), Some(0));
    assert_eq!(config.seen_leaving_by("chain1", &config.paths[0].first), None);
    assert_eq!(config.seen_leaving_by("chain1", &config.paths[0].then), None);
}

#[test]
fn every_identity_is_read_and_shown() {
    let of = |identity: &str| path(&format!("{PLACES}identity = {identity}")).identity;
    assert_eq!(of("\"ip\"").to_string(), "ip");
    assert_eq!((of("\"payload\""), of("\"frame\"")), (Identity::Payload, Identity::Frame));
    let field = |from, offset, len| Identity::Field { from, offset, len };
    assert_eq!(of("{ offset = 42, len = 8 }"), field(FieldStart::Start, 42, 8));
    assert_eq!(of("{ from = \"end\", offset = 32, len = 32 }"), field(FieldStart::End, 32, 32));
    let payload = of("{ from = \"payload\", offset = 4, len = 8 }");
    assert_eq!((payload, &*payload.to_string()), (field(FieldStart::Payload, 4, 8), "8 bytes at 4 from payload"));
}

#[test]
fn what_makes_no_sense_is_told() {
    let first = "first = { sent_by = [\"load\"] }\n";
    let then = "then = { received_by = [\"chain1\"] }\n";
    let identity = |text: &str| format!("{PLACES}identity = {text}");
    let both = |first: &str, then: &str| format!("first = {first}\nthen = {then}");
    let received = "{ received_by = [\"chain1\"] }";
    for (lines, said) in [
        (first.to_owned(), "missing key `then`"),
        (both("{}", received), "exactly one of: received_by, sent_by"),
        (both("{ received_by = [\"load\"], sent_by = [\"load\"] }", received), "exactly one of: received_by, sent_by"),
        (both("{ received_by = [\"chain1\"], to = \"a\" }", received), "`to` is a port that packets are sent to"),
        (both("{ sent_by = [\"laod\"] }", received), "unknown chain \"laod\"; did you mean \"load\"?"),
        (format!("{first}then = {{ received_by = [] }}"), "path \"p\": no chain is named"),
        (format!("{first}then = {{ received_by = [\"load\"] }}"), "chain \"load\" reads no port"),
        (format!("{first}then = {{ received_by = [\"chain1\", \"chain1\"] }}"), "chain \"chain1\" is named twice"),
        (
            both("{ sent_by = [\"load\"], to = \"b\" }", received),
            "chain \"load\" does not send to port \"b\"; it sends to a",
        ),
        (both("{ sent_by = [\"load\"], to = \"c\" }", received), "unknown port \"c\""),
        (both(received, received), "chain \"chain1\" is at both places"),
        (both("{ sent_by = [\"load\"] }", "{ sent_by = [\"load\"], to = \"a\" }"), "chain \"load\" is at both places"),
        (identity("\"id\""), "\"id\" is no identity; it is \"ip\", \"payload\", \"frame\""),
        (identity("3"), "not of type integer"),
        (identity("{ offset = 3 }"), "an identity's table is as { offset = 42, len = 8 }: missing key `len`"),
        (identity("{ offset = -1, len = 3 }"), "an identity's table is as"),
        (identity("{ from = \"tail\", offset = 3, len = 3 }"), "unknown variant `tail`"),
        (identity("{ offset = 0, len = 0 }"), "an identity of 0 bytes; 1 to 256"),
        (identity("{ offset = 0, len = 257 }"), "an identity of 257 bytes"),
        (identity("{ from = \"end\", offset = 3, len = 4 }"), "4 bytes do not lie 3 before a frame's end"),
        (identity("{ offset = 16020, len = 4 }"), "no frame has a byte at 16024; the longest have 16022"),
        (format!("{PLACES}places = 0"), "0 places are no power of two from 1024 to 67108864"),
        (format!("{PLACES}places = 3000"), "3000 places are no power of two"),
        (format!("{PLACES}timeout = 0"), "the time-out is 0 or longer than an hour"),
        (format!("{PLACES}timeout = \"2h\""), "the time-out is 0 or longer than an hour"),
        (format!("{first}{then}[[path]]\nname = \"p\"\n{PLACES}"), "duplicate path name \"p\""),
        (format!("{first}{then}rate = 1"), "unknown key `rate`"),
    ] {
        let told = told(&lines);
        assert!(told.starts_with("perigee.toml:2") || told.starts_with("perigee.toml:3"), "{lines}: {told}");
        assert!(told.contains(said), "{lines}: {told}");
    }
    let several = with(&both("{ sent_by = [\"load\"] }", received)).replacen("tx = [\"a\"]", "tx = [\"a\", \"b\"]", 1);
    let told = Config::parse(&several, "perigee.toml").expect_err("two ports").to_string();
    assert!(told.contains("chain \"load\" sends to several ports: a, b; say which by `to`"), "{told}");
}

#[test]
fn a_change_of_a_path_needs_a_restart() {
    let read = |text: &str| Config::parse(text, "perigee.toml").unwrap();
    let old = read(&with(PLACES));
    let told = |lines: &str| old.diff(&read(&with(lines))).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(told(PLACES), [""; 0]);
    let lines = format!("{PLACES}identity = \"frame\"\nplaces = 2048\ntimeout = \"1s\"");
    assert_eq!(
        told(&lines),
        ["timeout 100ms -> 1s", "places 262144 -> 2048", "identity ip -> frame"]
            .map(|what| format!("path p: {what} needs a restart"))
    );
    let other = PLACES.replace("sent_by = [\"load\"]", "sent_by = [\"chain1\"]");
    assert_eq!(told(&other), ["path p: other `first` needs a restart"]);
    assert_eq!(old.diff(&read(GOOD))[0].to_string(), "path p: taking it out needs a restart");
}
