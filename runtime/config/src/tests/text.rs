//! What is read from a text, and the messages about texts that cannot be read.

use super::super::*;
use super::{GOOD, refused, refused_with};
use std::time::Duration;

#[test]
fn good_is_good() {
    let config = Config::parse(GOOD, "perigee.toml").unwrap();
    assert_eq!(config.validate(), []);
    assert_eq!(config.chains[1].name, "chain1");
    assert_eq!(config.chains[0].when_full(), WhenFull::Wait);
    assert_eq!(config.chains[1].when_full(), WhenFull::Drop);
    assert_eq!(config.run.tick, Duration::from_millis(1));
    assert_eq!(config.modules[0].grants.memory, 256 << 20);
    assert_eq!((config.rx_queues(0), config.rx_queues(1)), (1, 1));
    assert_eq!((config.port_pool(0), config.port_pool(1)), (511, 4095));
    assert!(config.all_virtual());
}

#[test]
fn the_jail_is_read() {
    let with = |run: &str| Config::parse(&format!("[run]\n{run}\n{GOOD}"), "perigee.toml");
    let config = with("jail = \"log\"\nuser = \"7:8\"").unwrap();
    assert_eq!((config.run.jail, config.run.user.as_deref()), (Some(crate::JailMode::Log), Some("7:8")));
    let refused = with("user = \"who-is-that\"").unwrap_err().to_string();
    assert!(refused.contains("user \"who-is-that\" is no name in /etc/passwd and no UID:GID"), "{refused}");
}

#[test]
fn every_key_is_read() {
    let text = r#"
[run]
duration = "1m 30s"
seed = 7
burst = 32
tick = "500us"
idle = "nap"
huge_pages = "off"
eal_memory = "0.5G"
eal_args = ["--log-level=8"]
[[port]]
name = "a"
device = "0000:01:00.0"
mtu = 9000
promiscuous = false
vlan_strip = true
offload = false
observe = false
rx_descriptors = 512
tx_descriptors = 256
rx_queues = 2
tx_queues_per_lcore = 2
pool = 8191
[[module]]
name = "m"
file = "m.wasm"
domain = "third"
config = { rate = 1.5, on = true, list = ["x", 1], day = 2026-11-22 }
[module.grants]
tx = ["a"]
rings = ["r"]
memory = 1048576
deadline = "1ms"
hold = 10
hold_age = "2s"
[[ring]]
name = "r"
size = 64
[[chain]]
name = "c"
lcores = [0, 1]
source = { port = "a", queue = 0 }
stages = ["m"]
tx = ["a"]
when_full = "wait"
[[chain]]
source = { ring = "r" }
"#;
    let config = Config::parse(text, "x").unwrap();
    assert_eq!(config.validate(), []);
    assert_eq!(config.run.duration, Some(Duration::from_secs(90)));
    assert_eq!((config.run.idle, config.run.huge_pages), (Some(Idle::Nap), HugePages::Off));
    assert_eq!(config.run.eal_memory, 512 << 20);
    assert!(!config.ports[0].is_virtual());
    assert_eq!(config.port_pool(0), 8191);
    assert_eq!(config.domains(), ["third"]);
    assert_eq!(config.chains[0].when_full(), WhenFull::Wait);
    let bytes = config.modules[0].config.as_ref().unwrap().bytes();
    assert_eq!(String::from_utf8(bytes).unwrap(), r#"{"day":"2026-11-22","list":["x",1],"on":true,"rate":1.5}"#);
}

#[test]
fn a_text_config_stays_as_it_is() {
    let config =
        Config::parse(&GOOD.replace("file = \"gen.wasm\"", "file = \"g\"\nconfig = \"a = 1\\n\""), "x").unwrap();
    assert_eq!(config.modules[0].config.as_ref().unwrap().bytes(), b"a = 1\n");
}

#[test]
fn broken_text_is_shown() {
    refused(
        "[[port]]\nname = a\n",
        &[
            "perigee.toml:2:8: string values must be quoted, expected literal string",
            "  2 | name = a",
            "    |        ^",
        ],
    );
    refused_with(
        "tx = [\"a\"]",
        "tx = [\"a\"",
        &["perigee.toml:23:1: missing comma between array elements, expected `,`", "  23 | [[chain]]", "     | ^"],
    );
}

#[test]
fn unknown_keys_are_shown_with_what_was_meant() {
    refused(
        "[run]\nburts = 3\n",
        &[
            "perigee.toml:2:1: unknown key `burts`; did you mean `burst`? known keys: duration, seed, burst, tick, idle, huge_pages, eal_memory, evidence, watchdog, watchdog_abort, eal_args, jail, user, control, capture_memory, metrics, web, web_insecure, web_control, web_origin",
            "  2 | burts = 3",
            "    | ^^^^^",
        ],
    );
    refused(
        "[[chian]]\n",
        &[
            "perigee.toml:1:3: unknown key `chian`; did you mean `chain`? known keys: run, load, sim, port, module, ring, chain, stream, path, capture, history, trigger",
            "  1 | [[chian]]",
            "    |   ^^^^^",
        ],
    );
}

#[test]
fn values_of_the_wrong_kind_are_shown() {
    refused("[[ring]]\nsize = 4\n", &["perigee.toml:1:1: missing key `name`", "  1 | [[ring]]", "    | ^^^^^^^^"]);
    refused(
        "[run]\ntick = \"1 parsec\"\n",
        &[
            "perigee.toml:2:8: \"1 parsec\" is no duration (unknown time unit \"parsec\", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months, years (and few variations)); write for example \"10s\" or \"1ms\", or a number of seconds",
            "  2 | tick = \"1 parsec\"",
            "    |        ^^^^^^^^^^",
        ],
    );
    refused(
        "[run]\ntick = \"5M\"\n",
        &[
            "perigee.toml:2:8: \"5M\" is no duration (M may be minutes or months: 5min, or 5months); write for example \"10s\" or \"1ms\", or a number of seconds",
            "  2 | tick = \"5M\"",
            "    |        ^^^^",
        ],
    );
    refused(
        "[run]\neal_memory = \"much\"\n",
        &[
            "perigee.toml:2:14: \"much\" is no size (invalid digit found in string); write for example \"256M\"",
            "  2 | eal_memory = \"much\"",
            "    |              ^^^^^^",
        ],
    );
    refused(
        "[run]\nburst = 70000\n",
        &[
            "perigee.toml:2:9: invalid value: integer `70000`, expected u16",
            "  2 | burst = 70000",
            "    |         ^^^^^",
        ],
    );
    refused(
        "[run]\nidle = \"doze\"\n",
        &[
            "perigee.toml:2:8: unknown variant `doze`, expected `spin` or `nap`",
            "  2 | idle = \"doze\"",
            "    |        ^^^^^^",
        ],
    );
}

#[test]
fn a_source_is_one_thing() {
    let one = "a source is exactly one of: port, module, ring";
    for (source, what) in [
        ("{ port = \"a\", ring = \"r\" }", one),
        ("{ }", one),
        ("{ ring = \"r\", queue = 1 }", "`queue` is a queue of a port: it belongs to a source with `port`"),
        (
            "{ port = \"a\", pool = 1 }",
            "`pool` is a generator's pool: it belongs to a source with `module` (a port's pool is set at the port)",
        ),
    ] {
        let marks = "^".repeat(source.len());
        let expected = [
            format!("perigee.toml:2:10: {what}"),
            format!("  2 | source = {source}"),
            format!("    |          {marks}"),
        ];
        refused(&format!("[[chain]]\nsource = {source}\n"), &expected.each_ref().map(String::as_str));
    }
}

#[test]
fn sizes_are_binary() {
    for (text, bytes) in [("4096", 4096), ("1K", 1024), ("2 MiB", 2 << 20), ("1GB", 1 << 30)] {
        assert_eq!(parse_size(text), Ok(bytes), "{text}");
    }
}

#[test]
fn rates_are_decimal() {
    let good = [
        ("14880952", 14_880_952),
        ("1M", 1_000_000),
        ("2.5G", 2_500_000_000),
        ("64 kbit/s", 64_000),
        ("10 Gbps", 10_000_000_000),
        ("14.88 Mpps", 14_880_000),
        ("1_000", 1_000),
        ("0", 0),
    ];
    for (text, rate) in good {
        assert_eq!(parse_rate(text), Ok(rate), "{text}");
    }
    for text in ["", "M", ".5M", "1.5", "1.2345k", "1MB", "1Mi", "-1", "1e6", "1 m", "10000000T", "9223372036854775808"]
    {
        let said = format!("{text:?} is no rate; write a number, or for example \"1M\" or \"2.5G\"");
        assert_eq!(parse_rate(text), Err(said), "{text}");
    }
}

#[test]
fn a_number_alone_is_seconds() {
    for (text, ms) in [("10", 10_000), ("0.5", 500), ("10s", 10_000), ("1ms", 1), ("1m 1s", 61_000)] {
        assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
    }
    for text in ["", "-1", "ten", "NaN", "inf", "1e40", "5 parsecs"] {
        let said = parse_duration(text).unwrap_err();
        assert!(said.starts_with(&format!("{text:?} is no duration (")), "{said}");
        assert!(said.ends_with("; write for example \"10s\" or \"1ms\", or a number of seconds"), "{said}");
    }
}

/// Keys of all kinds, each as a text and as a number.
#[test]
fn values_with_units_are_texts_or_numbers() {
    let config = |values: [&str; 5]| {
        let [duration, tick, deadline, packets, bits] = values;
        let text = format!(
            "[run]\nduration = {duration}\ntick = {tick}\n[[module]]\nname = \"m\"\nfile = \"m.wasm\"\n[module.grants]\n\
             deadline = {deadline}\npackets_per_second = {packets}\nbits_per_second = {bits}\n"
        );
        Config::read(&text, "a.toml").unwrap()
    };
    let numbers = config(["10", "0.25", "1", "1_000_000", "1_500_000_000"]);
    let texts = config([r#""10s""#, r#""250ms""#, r#""1s""#, r#""1M""#, r#""1.5 Gbit/s""#]);
    assert_eq!(numbers, texts);
    assert_eq!(texts.modules[0].grants.packets_per_second, Some(1_000_000));
}
