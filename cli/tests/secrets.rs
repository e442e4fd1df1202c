//! Secrets of modules: they reach `init`, and nothing that the program says has them, whatever the module does.

use crate::ctl_lab::{Process, http, request};
use crate::modules::{Bench, Said};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const SECRET: &str = "correct-horse-battery-st";
/// The one that takes its place.
const OTHER: &str = "Tr0ub4dor-and-3-more-chr";

/// A module that tells its secret wherever it can: in `init` to its log and in its counters' names; in replies and refusals; and in a
/// packet before it traps. As it is, as digits, and as base64. It ends where it has none, so a new instance has had it again.
const LEAKY: &str = r#"
(module
  (import "perigee" "log" (func $log (param i32 i32 i32)))
  (import "perigee" "counter" (func $counter (param i32 i32 i32)))
  (memory (export "memory") 528)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 0x1000))
  (global (export "perigee_window") i32 (i32.const 0x100000))
  (global (export "perigee_window_len") i32 (i32.const 0x2000000))
  (global (export "perigee_mailbox") i32 (i32.const 0x10000))
  (global (export "perigee_mailbox_len") i32 (i32.const 0x1000))
  (global $traps (mut i32) (i32.const 0))
  (data (i32.const 0x30000) "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  (func $digit (param $at i32) (result i32)
    (local $c i32)
    (local.set $c (i32.load8_u (local.get $at)))
    (select (i32.sub (local.get $c) (i32.const 87)) (i32.sub (local.get $c) (i32.const 48))
      (i32.gt_u (local.get $c) (i32.const 57))))
  (func $sextet (param $to i32) (param $value i32)
    (i32.store8 (local.get $to)
      (i32.load8_u (i32.add (i32.const 0x30000) (i32.and (local.get $value) (i32.const 63))))))
  (func (export "init") (param $len i32) (result i32)
    (local $i i32) (local $v i32) (local $to i32)
    (if (i32.lt_u (local.get $len) (i32.const 60)) (then (unreachable)))
    ;; 24 bytes at 0x20000, their base64 behind them, and the digits as they came behind that
    (loop $bytes
      (local.set $to (i32.add (i32.const 0x10013) (i32.shl (local.get $i) (i32.const 1))))
      (i32.store8 (i32.add (i32.const 0x20000) (local.get $i))
        (i32.or (i32.shl (call $digit (local.get $to)) (i32.const 4))
          (call $digit (i32.add (local.get $to) (i32.const 1)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $bytes (i32.lt_u (local.get $i) (i32.const 24))))
    (local.set $i (i32.const 0))
    (loop $groups
      (local.set $to (i32.add (i32.const 0x20000) (i32.mul (local.get $i) (i32.const 3))))
      (local.set $v (i32.or (i32.or (i32.shl (i32.load8_u (local.get $to)) (i32.const 16))
        (i32.shl (i32.load8_u offset=1 (local.get $to)) (i32.const 8))) (i32.load8_u offset=2 (local.get $to))))
      (local.set $to (i32.add (i32.const 0x20018) (i32.shl (local.get $i) (i32.const 2))))
      (call $sextet (local.get $to) (i32.shr_u (local.get $v) (i32.const 18)))
      (call $sextet (i32.add (local.get $to) (i32.const 1)) (i32.shr_u (local.get $v) (i32.const 12)))
      (call $sextet (i32.add (local.get $to) (i32.const 2)) (i32.shr_u (local.get $v) (i32.const 6)))
      (call $sextet (i32.add (local.get $to) (i32.const 3)) (local.get $v))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $groups (i32.lt_u (local.get $i) (i32.const 8))))
    (memory.copy (i32.const 0x20038) (i32.const 0x10013) (i32.const 48))
    (call $log (i32.const 3) (i32.const 0x10000) (local.get $len))
    (call $log (i32.const 3) (i32.const 0x20000) (i32.const 56))
    (call $counter (i32.const 0) (i32.const 0x20018) (i32.const 32))
    (call $counter (i32.const 1) (i32.const 0x20038) (i32.const 48))
    (call $counter (i32.const 2) (i32.const 0x20000) (i32.const 24))
    (i32.const 0))
  (func (export "message") (param $len i32) (result i32)
    (local $word i32)
    (local.set $word (i32.load8_u (i32.const 0x10000)))
    (if (i32.eq (local.get $word) (i32.const 116)) (then (global.set $traps (i32.const 1))))
    ;; what else is in the mailbox
    (if (i32.eq (local.get $word) (i32.const 119)) (then (return (i32.const 300))))
    (memory.copy (i32.const 0x10000) (i32.const 0x20000) (i32.const 104))
    (select (i32.const -104) (i32.const 104) (i32.eq (local.get $word) (i32.const 114))))
  (func (export "process") (param $count i32)
    (local $at i32)
    (local.set $at (i32.const 0x1680))
    (if (i32.and (global.get $traps) (i32.ne (local.get $count) (i32.const 0))) (then
      (memory.copy (i32.load (local.get $at)) (i32.const 0x20000) (i32.const 56))
      (unreachable)))
    (block $done
      (loop $each
        (br_if $done (i32.eqz (local.get $count)))
        (i32.store offset=8 (local.get $at) (i32.const 1))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $each)))))
"#;

const CONFIG: &str = r#"
[[port]]
name = "a"
device = "net_null0"
[[module]]
name = "leaky"
file = "leaky.wat"
on_fault = "closed"
grants = { hostcalls = ["log", "counter"] }
secrets = { key = { file = "the.key" } }
[[chain]]
name = "c"
source = { port = "a" }
stages = ["leaky"]
tx = ["a"]
"#;

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("leaky.wat", LEAKY);
    write_key(&bench, SECRET);
    bench
}

fn write_key(bench: &Bench, secret: &str) {
    bench.write("the.key", &format!("{secret}\n"));
    set_mode(&bench.path("the.key"), 0o600);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

/// All forms in which it may be said.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let base64 = STANDARD.encode(secret);
    let behind = |before: &str, from: usize| STANDARD.encode(format!("{before}{secret}"))[from..from + 28].to_owned();
    let texts = [secret.to_owned(), hex.to_uppercase(), hex, base64, behind("x", 2), behind("xy", 3)];
    // What stands in base64 once more, as a reply does.
    let twice: Vec<_> = texts.iter().map(|text| STANDARD.encode(text)[..28].to_owned()).collect();
    texts.into_iter().chain(twice).map(String::into_bytes).collect()
}

/// Neither secret is in it, in no form.
fn has_none(what: &str, bytes: &[u8]) {
    for (secret, form) in
        [SECRET, OTHER].iter().flat_map(|secret| forms(secret).into_iter().map(move |form| (secret, form)))
    {
        let place = bytes.windows(form.len()).position(|window| window == form);
        assert_eq!(place, None, "{what} has {secret} as {}", String::from_utf8_lossy(&form));
    }
}

fn neither(what: &str, said: &Said) {
    has_none(what, said.out.as_bytes());
    has_none(what, said.err.as_bytes());
}

/// All files in a folder, but for the secret's own.
fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in folder.read_dir().expect("a folder").flatten() {
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            files(&entry.path(), found);
        } else if kind.is_file() && entry.file_name() != "the.key" {
            found.push(entry.path());
        }
    }
}

#[test]
fn no_output_of_a_run_has_a_secret() {
    let bench = bench();
    let process = Process::start(&bench, CONFIG, &["--record", "kept"]);
    for file in ["cmdline", "environ"] {
        match fs::read(format!("/proc/{}/{file}", process.pid())) {
            Ok(bytes) => has_none(file, &bytes),
            // What is in the jail shows it to root alone.
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{file}: {error}"),
        }
    }
    process.ctl(&["log-level", "trace"]);
    // The configuration is wiped from where it was: what was not written since is zeros.
    let whole = http(&process.socket(), request("POST", "/v1/modules/leaky/message", "whole").as_bytes());
    let zeros = [b"whole".as_slice(), &[0; 295]].concat();
    assert!(whole.contains(&STANDARD.encode(zeros)), "{whole}");
    let reply = process.ctl(&["message", "leaky", "all"]);
    assert!(reply.contains(&"*".repeat(104)), "{reply}");
    let refused = process.try_ctl(&["message", "leaky", "refuse"]);
    assert!(refused.err.contains(&"*".repeat(104)), "{}", refused.err);
    let modules = process.ctl(&["modules", "--json"]);
    assert!(modules.contains("pbkdf2-sha256:100000:"), "{modules}");
    // It is the same module, which needs the secret again; then another secret, which the run cannot reach by itself.
    process.ctl(&["swap", "leaky", "leaky.wat"]);
    write_key(&bench, OTHER);
    let diff = process.ctl(&["diff", "run.toml"]);
    assert!(diff.contains("swap module leaky (secrets changed)"), "{diff}");
    let applied = process.ctl(&["apply", "run.toml"]);
    assert_eq!(process.ctl(&["diff", "run.toml"]).trim(), "no difference");
    // It writes the secret into a packet and traps; its new instance gets the secret again.
    process.ctl(&["message", "leaky", "trap"]);
    let begun = std::time::Instant::now();
    while !bench.path("kept").read_dir().is_ok_and(|mut kept| kept.next().is_some()) && begun.elapsed().as_secs() < 20 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    process.ctl(&["restart", "leaky"]);
    let all = [&["status"][..], &["stats"], &["stats", "--json"], &["modules"], &["streams"], &["log-level"]];
    let told: Vec<_> = all.iter().map(|arguments| process.try_ctl(arguments)).collect();
    told.iter().chain([&refused]).for_each(|said| neither("ctl", said));
    [reply, modules, diff, applied].iter().for_each(|text| has_none("ctl", text.as_bytes()));
    for path in ["/v1/metrics", "/v1/modules/leaky", "/v1/swaps", "/v1/status"] {
        let answer = http(&process.socket(), request("GET", path, "").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        has_none(path, answer.as_bytes());
    }
    let (summary, said) = process.stop();

    let told = &summary["manifest"]["modules"][0]["secrets"]["key"];
    assert!(told.as_str().is_some_and(|digest| digest.starts_with("pbkdf2-sha256:100000:")), "{summary}");
    // It was there, and is hidden: else this test would see nothing whatever is done.
    assert!(said.contains(&format!("{{\"secrets\":{{\"key\":\"{}\"}}}}", "*".repeat(48))), "{said}");
    assert!(said.contains(&"*".repeat(56)), "{said}");
    let names = &summary["modules"][0]["counters"];
    assert!(names.get("*".repeat(48)).is_some() && names.get("*".repeat(24)).is_some(), "{names}");
    let mut found = Vec::new();
    files(&bench.path("."), &mut found);
    assert!(found.len() > 15, "{found:?}");
    for path in &found {
        has_none(&path.display().to_string(), &fs::read(path).expect("a file"));
    }
    bundle_says_what_it_lacks(&bench);
}

/// The bundle of the trap: name and digest, no memory, no recording, and stars in the packet.
fn bundle_says_what_it_lacks(bench: &Bench) {
    let mut found = Vec::new();
    files(&bench.path("kept"), &mut found);
    let fault = found.iter().find(|path| path.ends_with("fault.json")).expect("a bundle");
    let folder = fault.parent().expect("its folder");
    let has = |name: &str| folder.join(name).exists();
    assert!(has("module.wasm") && has("manifest.json") && !has("core.wasm") && !has("recording.bin"), "{found:?}");
    let fault: Value = serde_json::from_slice(&fs::read(fault).expect("it")).expect("JSON");
    assert!(
        fault["module"]["settings"]["secrets"]["key"].as_str().is_some_and(|key| key.starts_with("pbkdf2")),
        "{fault}"
    );
    assert_eq!(fault["memory"]["left_out"], "the module has secrets: its memory and globals are in no file");
    assert_eq!(fault["recording"], "none: a module with secrets is not recorded");
    assert!(fault["memory"]["sha256_without_window"].is_null());
    let batch = fs::read(folder.join("batch.pcapng")).expect("the batch");
    assert!(batch.windows(56).any(|window| window == [b'*'; 56]), "the packet has what it wrote, hidden");
    let said = bench.perigee(&["replay", &folder.display().to_string()]);
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.err.contains("where the module has secrets and there is none"), "{}", said.err);
}

#[test]
fn a_log_of_everything_and_a_repeated_run_have_none_either() {
    let bench = bench();
    bench.write("run.toml", CONFIG);
    let checked = bench.perigee(&["--log", "trace", "check", "run.toml"]);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    let run = bench.perigee(&["--log", "trace", "run", "run.toml", "--duration", "300ms", "--json", "-"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.err.contains(&"*".repeat(48)), "{}", run.err);
    bench.write("before.json", &run.out);
    let shown = bench.perigee(&["rerun", "before.json", "--modules", "."]);
    assert!(shown.err.contains("module \"leaky\": secret \"key\": file \"the.key\""), "{}", shown.err);
    let rerun = ["rerun", "before.json", "--modules", ".", "--yes", "--duration", "200ms"];
    let same = bench.perigee(&rerun);
    assert_eq!(same.code, Some(0), "{}", same.err);
    assert!(!same.out.contains("secret"), "{}", same.out);
    write_key(&bench, OTHER);
    let other = bench.perigee(&rerun);
    assert!(other.out.contains("not as before: module \"leaky\" has another secret \"key\""), "{}", other.out);
    let suite = bench.perigee(&["conformance", "leaky.wat", "--secret", "key=the.key", "--verbose"]);
    assert!(suite.code.is_some(), "{}", suite.err);
    let simulated = bench.perigee(&["--log", "trace", "sim", "run.toml", "--duration", "1ms"]);
    for said in [&checked, &run, &shown, &same, &other, &suite, &simulated] {
        neither("a command", said);
    }
}

#[test]
fn what_is_no_secret_is_refused_before_anything_starts() {
    let bench = bench();
    let refused = |config: &str| {
        bench.write("run.toml", config);
        let (check, run) =
            (bench.perigee(&["check", "run.toml"]), bench.perigee(&["run", "run.toml", "--duration", "1s"]));
        assert_eq!((check.code, run.code), (Some(1), Some(1)), "{}{}", check.err, run.err);
        neither("a refusal", &check);
        neither("a refusal", &run);
        assert!(run.err.contains(check.err.lines().next().expect("a line")), "{}{}", check.err, run.err);
        check.err
    };
    set_mode(&bench.path("the.key"), 0o640);
    let said = refused(CONFIG);
    assert!(said.contains("run.toml:") && said.contains("secret \"key\": file \"the.key\" has mode 640"), "{said}");
    assert!(said.contains("chmod 600 ") && said.contains("the.key"), "{said}");
    set_mode(&bench.path("the.key"), 0o600);
    for (from, to, what) in [
        ("the.key", "no.key", "file \"no.key\" does not exist"),
        ("{ key =", "{ \"a b\" =", "a secret's name is \"a b\""),
        ("secrets =", "config = \"text\"\nsecrets =", "it gets its secrets as a key of its config, and that is a text"),
        ("secrets =", "config = { secrets = 1 }\nsecrets =", "its config has a key \"secrets\""),
        ("file = \"the.key\" }", "value = \"x\" }", "value"),
    ] {
        let said = refused(&CONFIG.replace(from, to));
        assert!(said.contains(what), "{what}: {said}");
    }
    bench.write("the.key", "short\n");
    bench.write("run.toml", CONFIG);
    let said = bench.perigee(&["check", "run.toml"]);
    assert!(said.err.contains("has a secret of 5 bytes: it must be 8 to 4096"), "{}", said.err);
    // A module that takes no configuration cannot take a secret.
    write_key(&bench, SECRET);
    bench.write("run.toml", &CONFIG.replace("leaky.wat", "good.wat"));
    let said = bench.perigee(&["check", "run.toml"]);
    assert!(said.err.contains("exports no \"init\" that would read it"), "{}", said.err);
}
