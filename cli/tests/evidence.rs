//! Evidence of failures, as an operator gets it: bundles, replays, and a disk that is full.

use crate::modules::Bench;
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

    // The verdict comes first.
    assert!(said.out.starts_with("The same trap, bit by bit"), "{}", said.out);

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

/// What root does for somebody else's eyes: nothing that was there changes its owner, and no link is followed.
#[test]
fn root_makes_a_folder_of_its_own() {
    use std::os::unix::fs::{MetadataExt, symlink};
    let bench = Bench::new();
    let owner = |name: &str| bench.path(name).symlink_metadata().map(|facts| facts.uid()).ok();
    if owner(".") != Some(0) {
        eprintln!("not run: this needs root");
        return;
    }
    bench.write("named.toml", &RUN.replace("\"kept\"", "\"link/\""));
    bench.write("plain.toml", &RUN.replace("evidence = \"kept\"", ""));
    std::fs::create_dir(bench.path("there")).expect("a directory");
    symlink("there", bench.path("link")).expect("a link");
    let run =
        |file: &str, more: &[&str]| bench.perigee(&[&["run", file, "--duration", "200ms", "--quiet"], more].concat());
    for more in [&["--evidence", "link"][..], &["--evidence", "link/"], &["--record", "link/."], &[]] {
        let said = run(if more.is_empty() { "named.toml" } else { "plain.toml" }, more);
        assert_eq!(said.code, Some(1), "{more:?}: {}", said.err);
        assert!(said.err.contains("is a link or no directory at all: name the directory itself"), "{}", said.err);
    }
    assert_eq!(bench.path("there").read_dir().expect("it is there").count(), 0, "nothing is made behind a link");
    for (option, directory, found) in [
        ("--evidence", "there", "there/uid-65534"),
        ("--record", "there/", "there/uid-65534"),
        ("--evidence", ".", "uid-65534"),
        ("--record", "new/deep", "new/deep"),
        // Once more: it is the user's own by now.
        ("--evidence", "new/deep", "new/deep"),
    ] {
        let said = run("plain.toml", &[option, directory]);
        assert_eq!(said.code, Some(2), "{option} {directory}: {}", said.err);
        let folder = format!("a crash bundle is in {directory}").replace("//", "/");
        assert!(said.err.contains(folder.trim_end_matches('/')), "{option} {directory}: {}", said.err);
        let last = bench.path(found).read_dir().expect("bundles").flatten().map(|entry| entry.path()).max();
        let last = last.expect("a bundle");
        assert!(last.join("manifest.json").exists(), "{}", last.display());
        assert_eq!(owner(found), Some(65_534), "{found}");
    }
    let kept = [".", "there", "link", "new", "traps.wat"].map(owner);
    assert_eq!(kept, [Some(0); 5], "what was there keeps its owner");
}

/// What a module said last is in its bundle and told by the replay, the words of its end among them, also those that the log
/// lost because there were too many.
#[test]
fn a_bundle_has_the_modules_last_words() {
    let bench = Bench::new();
    let says = r#"(import "perigee" "log" (func $log (param i32 i32 i32)))
  (data (i32.const 0x40000) "line 0\nfor ever")
  (global $i (mut i32) (i32.const 0))"#;
    let body = "(local $at i32)
    (loop $more
      (i32.store8 (i32.const 0x40005) (i32.add (i32.const 97) (global.get $i)))
      (call $log (i32.const 2) (i32.const 0x40000) (i32.const 15))
      (global.set $i (i32.add (global.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (global.get $i) (i32.const 20))))
    (unreachable)";
    let module = bench.read("good.wat").replacen("(module", &format!("(module {says}"), 1);
    bench.write("traps.wat", &module.replacen("(local $at i32)", body, 1));
    let granted = "on_fault = \"closed\"\ngrants = { hostcalls = [\"log\"], log_lines = 3 }";
    bench.write("run.toml", &RUN.replace("on_fault = \"closed\"", granted));
    let said = bench.perigee(&["run", "run.toml", "--duration", "300ms", "--quiet", "--record", "recorded"]);
    assert_eq!(said.code, Some(2), "{}", said.err);
    let recorded = bundle(&bench, "recorded");
    let expected: Vec<String> = ('e'..='t').map(|c| format!(" WARN line {c}\\nfor ever")).collect();
    assert_eq!(bench.read(&format!("{recorded}/log.txt")).lines().collect::<Vec<_>>(), expected);
    let said = bench.perigee(&["replay", &recorded]);
    assert!(said.out.contains(&format!("  {}\n", expected[15])), "{}", said.out);
}

/// A bundle that takes long to write holds up the end of a run, and nothing flows or is counted meanwhile: a generator's rate
/// is what it was granted.
#[test]
fn rates_are_those_of_the_time_that_was_measured() {
    let bench = Bench::new();
    let good = bench.read("good.wat");
    bench.write("gen.wat", &good.replace("\"process\"", "\"generate\""));
    // 60 MiB that are not zero, and a trap 20 ms after the start: the bundle is being written when the run is to end.
    let body = "(local $at i32)
    (if (i64.gt_u (i64.load (i32.const 0x1008)) (i64.const 20000000)) (then
      (memory.fill (i32.const 0x2100000) (i32.const 7) (i32.const 0x3c00000))
      (unreachable)))";
    let large = good.replacen("(export \"memory\") 528", "(export \"memory\") 1488", 1);
    bench.write("large.wat", &large.replacen("(local $at i32)", body, 1));
    let run = r#"
[run]
evidence = "kept"
[[port]]
name = "a"
device = "net_null0"
[[port]]
name = "b"
device = "net_null1,no-rx=1"
pool = 2047
[[module]]
name = "large"
file = "large.wat"
on_fault = "closed"
grants = { memory = "200M", deadline = "2s" }
[[module]]
name = "gen"
file = "gen.wat"
grants = { packets_per_second = 100000, create = true }
[[chain]]
name = "fails"
source = { port = "a" }
stages = ["large"]
tx = ["a"]
[[chain]]
name = "steady"
source = { module = "gen" }
tx = ["b"]
"#;
    bench.write("run.toml", run);
    let said = bench.perigee(&["run", "run.toml", "--duration", "500ms", "--quiet", "--json", "-"]);
    let summary: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}", said.err));
    let elapsed = summary["elapsed_ns"].as_u64().expect("a time") as f64 / 1e9;
    let chain = summary["chains"].as_array().expect("chains").iter().find(|c| c["name"] == "steady").expect("it");
    let sent = chain["sent"].as_u64().expect("a number") as f64;
    assert_eq!(summary["evidence"]["written"], 1, "{}", said.err);
    // A hundredth of a second's worth may be granted at once, and the last poll ends a little later.
    assert!(sent <= 100_000.0 * (elapsed + 0.05), "{sent} packets in {elapsed} s: {summary}");
    assert!(summary["accounting"]["balanced"].as_bool() == Some(true), "{summary}");
}
