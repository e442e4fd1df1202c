//! `perigee conformance`: modules that keep the contract pass, and each way to break it fails with a message that says so.

use crate::modules::{Bench, Said};
use std::path::PathBuf;

/// A reflector in text; each test of a wrong one breaks one thing of it.
const REFLECTOR: &str = r#"(module
  (import "perigee" "counter" (func $counter (param i32 i32 i32)))
  (memory (export "memory") 1100)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 65536))
  (global (export "perigee_mailbox") i32 (i32.const 131072))
  (global (export "perigee_mailbox_len") i32 (i32.const 4096))
  (global (export "perigee_window") i32 (i32.const 196608))
  (global (export "perigee_window_len") i32 (i32.const 69206016))
  (data (i32.const 1024) "packetsbytesshort")
  (func (export "init") (param i32) (result i32)
    (call $counter (i32.const 0) (i32.const 1024) (i32.const 7))
    (call $counter (i32.const 1) (i32.const 1031) (i32.const 5))
    (call $counter (i32.const 2) (i32.const 1036) (i32.const 5))
    (i32.const 0))
  (func $add (param $at i32) (param $n i64)
    (i64.store (local.get $at) (i64.add (i64.load (local.get $at)) (local.get $n))))
  (func (export "process") (param $n i32) (local $d i32) (local $i i32) (local $at i32) (local $a i64) (local $len i32)
    (local.set $d (i32.const 67200))
    (block (loop
      (br_if 1 (i32.ge_u (local.get $i) (local.get $n)))
      (local.set $at (i32.load (local.get $d)))
      (local.set $len (i32.load16_u offset=4 (local.get $d)))
      (if (i32.lt_u (local.get $len) (i32.const 14))
        (then (call $add (i32.const 66704) (i64.const 1)))
        (else
          (local.set $a (i64.load (local.get $at)))
          (i64.store32 (local.get $at) (i64.load32_u offset=6 (local.get $at)))
          (i64.store16 offset=4 (local.get $at) (i64.load16_u offset=10 (local.get $at)))
          (i64.store32 offset=6 (local.get $at) (local.get $a))
          (i64.store16 offset=10 (local.get $at) (i64.shr_u (local.get $a) (i64.const 32)))
          (i32.store offset=8 (local.get $d)
            (i32.or (i32.const 2) (i32.shl (i32.load16_u offset=6 (local.get $d)) (i32.const 16))))
          (call $add (i32.const 66688) (i64.const 1))
          (call $add (i32.const 66696) (i64.extend_i32_u (local.get $len)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (br 0)))))"#;

/// The line of the reflector behind which the wrong ones do more.
const HERE: &str = "(local.set $a (i64.load (local.get $at)))";

fn conformance(text: &str, suites: &[&str]) -> Said {
    let bench = Bench::new();
    bench.write("m.wat", text);
    let suites: Vec<_> = suites.iter().flat_map(|suite| ["--suite", suite]).collect();
    bench.perigee(&[&["conformance", "m.wat"][..], &suites].concat())
}

/// Replaces a text of the reflector, and checks that a case fails which has `case` in its name, with these words.
fn fails(from: &str, to: &str, case: &str, words: &[&str]) {
    assert!(REFLECTOR.contains(from), "{from:?} is in the reflector");
    let said = conformance(&REFLECTOR.replacen(from, to, 1), &["abi", "reflector"]);
    fails_with(&said, case, words);
}

fn fails_with(said: &Said, case: &str, words: &[&str]) {
    assert_eq!(said.code, Some(2), "{}{}", said.out, said.err);
    let at = said.out.find(&format!("FAILED {case}")).unwrap_or_else(|| panic!("{case} did not fail:\n{}", said.out));
    let rest = &said.out[at..];
    let message = rest[1..].find("\nFAILED").map_or(rest, |end| &rest[..=end]);
    for word in words {
        assert!(message.contains(word), "{word:?} is not in:\n{message}");
    }
}

#[test]
fn the_reflector_in_text_passes() {
    let said = conformance(REFLECTOR, &["abi", "reflector"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    assert!(said.out.ends_with(" 0 failed\n"), "{}", said.out);
}

/// The modules that we ship.
#[test]
fn the_shipped_modules_pass() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/modules");
    let bench = Bench::new();
    for (name, options) in [
        ("reflector", vec!["--suite", "abi", "--suite", "reflector"]),
        ("udp-gen", vec!["--suite", "abi", "--suite", "udp-gen"]),
        ("counter", vec![]),
        ("l2-forward", vec![]),
        ("responder", vec!["--config", "addresses = [\"192.0.2.1\"]"]),
    ] {
        let file = folder.join(format!("{name}.wasm"));
        assert!(file.exists(), "{} is missing; build it with: cargo xtask build-modules", file.display());
        let mut arguments = vec!["conformance", file.to_str().unwrap()];
        arguments.extend(options);
        let said = bench.perigee(&arguments);
        assert_eq!(said.code, Some(0), "{name}: {}{}", said.out, said.err);
    }
}

#[test]
fn wrong_addresses() {
    let words = ["byte 4: expected 0e, came", "0000 expected  0a  0b  0c  0d [0e] 0f"];
    fails(
        "(i64.store16 offset=4 (local.get $at)",
        "(i64.store16 offset=2 (local.get $at)",
        "reflector: mac-",
        &["byte 2"],
    );
    fails("(i64.load16_u offset=10 (local.get $at))", "(i64.const 0)", "reflector: mac-", &words);
}

#[test]
fn a_changed_payload() {
    let change = format!("{HERE} (i32.store8 offset=40 (local.get $at) (i32.const 0xee))");
    fails(HERE, &change, "reflector: mac-", &["byte 40: expected 28, came ee"]);
}

#[test]
fn wrong_only_from_the_65th_packet_on() {
    let change = format!(
        "{HERE} (if (i32.eq (local.get $i) (i32.const 64)) (then (i32.store8 offset=20 (local.get $at) (i32.const 0xee))))"
    );
    fails(HERE, &change, "reflector: whole-batches", &["batch of 65: packet 64: byte 20"]);
}

#[test]
fn the_wrong_port() {
    let port = "(i32.load16_u offset=6 (local.get $d))";
    fails(port, "(i32.const 0)", "reflector: each-goes-back", &["verdict: expected tx 1, came tx 0"]);
    fails(port, "(i32.const 9)", "abi: batches-of-all-sizes", &["verdict 0x00090002 does not count: tx_not_granted"]);
}

#[test]
fn an_invalid_verdict() {
    fails(
        "(i32.or (i32.const 2)",
        "(i32.or (i32.const 7)",
        "abi: batches",
        &["0x00000007 does not count: bad_verdict"],
    );
}

#[test]
fn a_length_beyond_the_room() {
    let change = format!("{HERE} (i32.store16 offset=4 (local.get $d) (i32.const 3000))");
    fails(HERE, &change, "abi: batches", &["batch of 1: packet 0", "bad_descriptor"]);
}

#[test]
fn an_unknown_request() {
    let change = format!("{HERE} (i32.store offset=28 (local.get $d) (i32.const 0x1000))");
    fails(HERE, &change, "abi: batches", &["bad_offload"]);
}

#[test]
fn writes_into_a_neighbours_room() {
    let change = format!("{HERE} (i32.store8 offset=2240 (local.get $at) (i32.const 1))");
    fails(HERE, &change, "abi: batches", &["wrote outside its packets: 1 bytes", "the room behind that of packet 0"]);
}

#[test]
fn writes_into_the_headroom() {
    let change = format!("{HERE} (i32.store8 (i32.sub (local.get $at) (i32.const 8)) (i32.const 1))");
    fails(HERE, &change, "abi: batches", &["byte 120 of the headroom of packet 0"]);
}

#[test]
fn an_output_that_names_nothing() {
    let change = format!(
        "{HERE} (i32.store (i32.const 65560) (i32.const 1))
          (i32.store (i32.const 87724) (i32.const 0x20000))"
    );
    fails(HERE, &change, "abi: batches", &["1 entries of the output list name no packet"]);
}

#[test]
fn counters() {
    fails(
        "(call $counter (i32.const 2) (i32.const 1036) (i32.const 5))",
        "",
        "abi: nothing-but-runts",
        &["counter 2 counts, but init gave it no name"],
    );
    fails(
        "packetsbytesshort",
        "packetzbytesshort",
        "reflector: mac-",
        &["counter \"packets\" is missing; it named bytes, packetz, short"],
    );
    fails(
        "(call $add (i32.const 66688) (i64.const 1))",
        "(call $add (i32.const 66688) (i64.const 2))",
        "reflector: mac-",
        &["counter \"packets\": expected 1, came 2"],
    );
    fails(
        "(call $add (i32.const 66688) (i64.const 1))",
        "(call $add (i32.const 66688) (i64.const -1))",
        "abi: batches",
        &["fell from"],
    );
}

#[test]
fn a_trap_on_a_short_packet() {
    fails(
        "(then (call $add",
        "(then (unreachable) (call $add",
        "abi: nothing-but-runts",
        &["trap in \"process\": wasm trap: wasm `unreachable`"],
    );
}

#[test]
fn an_endless_loop() {
    let change = format!("{HERE} (loop (br 0))");
    fails(HERE, &change, "abi: batches", &["deadline", "are allowed"]);
}

#[test]
fn what_differs_from_instance_to_instance() {
    // Its exact clock is different in each.
    let import = r#"(module (import "perigee" "time" (func $time (result i64)))"#;
    let text = REFLECTOR.replacen("(module", import, 1);
    let change = format!("{HERE} (i32.store offset=12 (local.get $d) (i32.wrap_i64 (call $time)))");
    let said = conformance(&text.replacen(HERE, &change, 1), &["abi"]);
    fails_with(&said, "abi: same-seed", &["two instances with seed 42 differ: call 0: packet 0: mark: expected"]);
}

#[test]
fn memory_that_grows() {
    let change = "(local.set $d (i32.const 67200)) (drop (memory.grow (i32.const 1)))";
    fails("(local.set $d (i32.const 67200))", change, "abi: memory", &["its memory grew from"]);
}

#[test]
fn refusals_without_words_and_traps_at_the_start() {
    let end = "(i32.const 0))\n  (func $add";
    fails(
        end,
        "(select (i32.const -1) (i32.const 0) (local.get 0)))\n  (func $add",
        "abi: unknown-conf",
        &["without a word"],
    );
    fails(end, "(unreachable))\n  (func $add", "abi: starts-without", &["expected an answer, came trap in \"init\""]);
    fails(
        end,
        "(i32.const 5000))\n  (func $add",
        "abi: starts-without",
        &["init answered with 5000 bytes, its mailbox has 4096"],
    );
}

#[test]
fn messages_and_state() {
    let add = |callbacks: &str| REFLECTOR.replacen("(func $add", &format!("{callbacks} (func $add"), 1);
    let message = |body: &str| add(&format!("(func (export \"message\") (param i32) (result i32) {body})"));
    let said = conformance(&message("(i32.const 4097)"), &["abi"]);
    fails_with(&said, "abi: messages", &["message of 0 bytes", "answered with 4097 bytes"]);
    let said = conformance(&message("(unreachable)"), &["abi"]);
    fails_with(&said, "abi: messages", &["message of 0 bytes", "trap in \"message\""]);
    let save = "(func (export \"save\") (result i32) (i32.const 4))";
    fails_with(&conformance(&add(save), &["abi"]), "abi: numbers", &["exports \"save\", but no \"restore\""]);
    let restore = "(func (export \"restore\") (param i32) (result i32) (unreachable))";
    let said = conformance(&add(&format!("{save} {restore}")), &["abi"]);
    fails_with(&said, "abi: messages", &["its own state: trap in \"restore\""]);
}

/// A generator in text that makes 60 bytes of zeros.
fn generator(body: &str) -> String {
    let start = REFLECTOR.find("(func (export \"process\")").expect("the reflector has it");
    format!(
        r#"{}(func (export "generate") (param $n i32) (local $d i32) (local $i i32) (local $at i32)
    (local.set $d (i32.const 67200))
    (block (loop
      (br_if 1 (i32.ge_u (local.get $i) (local.get $n)))
      (local.set $at (i32.load (local.get $d)))
      {body}
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (br 0)))))"#,
        &REFLECTOR[..start]
    )
}

#[test]
fn wrong_generators() {
    let next = "(i32.store offset=8 (local.get $d) (i32.const 1))";
    let said = conformance(&generator(next), &["udp-gen"]);
    fails_with(
        &said,
        "udp-gen: the-packets-of-seed-1",
        &["generate: batch of 1: packet 0: byte 0: expected 02, came c5"],
    );
    let head =
        "(i64.store offset=12 (local.get $at) (i64.const 0x000000002e0045450008)) ".replace("2e0045450008", "00450008");
    let said = conformance(
        &generator(&format!("(memory.fill (local.get $at) (i32.const 0) (i32.const 60)) {head} {next}")),
        &["udp-gen"],
    );
    fails_with(&said, "udp-gen: whole-batches", &["IPv4 total length: expected 46, came 0"]);
    let len = "(i32.store16 offset=16 (local.get $at) (i32.const 0x2e00))";
    let said = conformance(
        &generator(&format!("(memory.fill (local.get $at) (i32.const 0) (i32.const 60)) {head} {len} {next}")),
        &["udp-gen"],
    );
    fails_with(&said, "udp-gen: whole-batches", &["IPv4 header checksum: expected bad1, came 0000"]);
    let prefill = "(func (export \"prefill\") (param i32) (i32.store16 (i32.const 67204) (i32.const 5))) (func $add";
    let said = conformance(&generator(next).replacen("(func $add", prefill, 1), &["abi"]);
    fails_with(&said, "abi: rooms-are-prefilled", &["prefill made a packet of 5 bytes"]);
}

#[test]
fn what_is_no_module_or_not_of_this_kind_is_wrong_input() {
    let said = conformance("(module)", &["abi"]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(said.err.contains("exports no memory"), "{}", said.err);
    let said = conformance(REFLECTOR, &["udp-gen"]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(said.err.contains("suite udp-gen") && said.err.contains("needs \"generate\""), "{}", said.err);
    let said = conformance(REFLECTOR, &["router"]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(said.err.contains("reflector"), "{}", said.err);
}

#[test]
fn json_has_the_cases_and_the_measurement() {
    let bench = Bench::new();
    bench.write("m.wat", REFLECTOR);
    let said = bench.perigee(&["conformance", "m.wat", "--suite", "reflector", "--measure", "--json", "-"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((json["failed"].as_u64(), json["cases"][0]["passed"].as_bool()), (Some(0), Some(true)));
    let cycles = json["measured"]["cycles_per_packet"].as_f64().unwrap();
    assert!((0.1..100_000.0).contains(&cycles), "{json:#}");
    assert_eq!(json["measured"]["memory_with_window"].as_u64(), Some(1_100 << 16));
    assert_eq!(json["measured"]["memory"].as_u64(), Some((1_100 << 16) - 69_206_016));
}
