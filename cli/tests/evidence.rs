//! Evidence of failures, as an operator gets it: bundles, replays, and a disk that is full.

mod modules;

use modules::Bench;
use serde_json::Value;
use std::process::{Command, Stdio};

const RUN: &str = r#"
[run]
evidence = "kept"
[[port]]
name = "a"
device = "net_null0"
[[module]]
name = "m"
file = "traps.wat"
on_fault = "closed"
[[chain]]
source = { port = "a" }
stages = ["m"]
tx = ["a"]
"#;

/// The one folder in a directory of the bench.
fn bundle(bench: &Bench, directory: &str) -> String {
    let found = bench.path(directory).read_dir().expect("the directory of bundles");
    let names: Vec<String> = found.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    let [name] = names.as_slice() else { panic!("one bundle, not {names:?}") };
    format!("{directory}/{name}")
}

#[test]
fn a_failure_is_kept_and_replayed() {
    let bench = Bench::new();
    bench.write("run.toml", RUN);
    let run = ["run", "run.toml", "--duration", "300ms", "--quiet"];
    let said = bench.perigee(&run);
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("a crash bundle is in "), "{}", said.err);
    // The configuration names a directory; it has no recording.
    let kept = bundle(&bench, "kept");
    let said = bench.perigee(&["replay", &kept]);
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.err.contains("has no recording: start the run with --record"), "{}", said.err);

    let said = bench.perigee(&[run.as_slice(), &["--record", "recorded"]].concat());
    assert_eq!(said.code, Some(2), "{}", said.err);
    let recorded = bundle(&bench, "recorded");
    let said = bench.perigee(&["replay", &recorded, "--core", "core.wasm"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("The same trap, bit by bit"), "{}", said.out);
    assert!(said.out.contains("UnreachableCodeReached in \"process\""), "{}", said.out);
    assert!(bench.path("core.wasm").metadata().expect("a core dump").len() > 100);

    let module = bench.path(&recorded).join("module.wasm");
    let mut bytes = std::fs::read(&module).expect("the module");
    bytes.push(0);
    std::fs::write(&module, bytes).expect("changed");
    let said = bench.perigee(&["replay", &recorded]);
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.err.contains("module.wasm is not what was written"), "{}", said.err);
}

/// On a disk of two pages a bundle cannot be written: the run goes on, and counts it.
#[test]
fn a_full_disk_does_not_stop_the_run() {
    let bench = Bench::new();
    bench.write("run.toml", RUN);
    let script = "mkdir kept && mount -t tmpfs -o size=8k tmpfs kept && \"$PERIGEE\" run run.toml --duration 300ms --quiet \
                  --json -; code=$?; ls -A kept | wc -l >&2; exit $code";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .env("PERIGEE", env!("CARGO_BIN_EXE_perigee"))
        .current_dir(bench.path("."))
        .stdin(Stdio::null())
        .output()
        .expect("unshare");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
    assert_eq!(summary["evidence"]["failed"], 1, "{summary}");
    assert_eq!(summary["evidence"]["written"], 0, "{summary}");
    assert!(summary["elapsed_ns"].as_u64() > Some(290_000_000), "{summary}");
    assert!(summary["accounting"]["balanced"].as_bool() == Some(true), "{summary}");
    assert!(err.contains("No space left on device"), "{err}");
    // Nothing is left of it that could be taken for a bundle.
    assert_eq!(err.lines().last(), Some("0"), "{err}");
}
