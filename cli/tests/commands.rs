//! The commands, each as a person would use it, on ports that need no rights.

mod modules;

use modules::Bench;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const FORWARD: &str = r#"
[[port]]
name = "a"
device = "net_null0"

[[module]]
name = "m"
file = "good.wat"
grants = { tx = ["a"], hostcalls = ["log", "counter"] }

[[chain]]
name = "pass"
source = { port = "a" }
stages = ["m"]
tx = ["a"]
"#;

/// Runs a command that must end well; returns what it printed.
fn good(bench: &Bench, arguments: &[&str]) -> String {
    let said = bench.perigee(arguments);
    assert_eq!(said.code, Some(0), "perigee {arguments:?} said:\n{}{}", said.out, said.err);
    said.out
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in:\n{text}"))
}

#[test]
fn gen_sends() {
    let bench = Bench::new();
    let out = good(&bench, &["gen", "generator.wat", "--port", "net_null0", "--duration", "200ms", "--json", "s.json"]);
    assert!(out.contains("accounting: received 0 + created ") && out.contains(": balanced"), "{out}");
    let summary = json(&bench.read("s.json"));
    assert_eq!(summary["chains"][0]["name"], "generate");
    assert!(summary["accounting"]["sent"].as_u64().unwrap() > 0, "{summary}");
    assert_eq!(summary["accounting"]["sent"], summary["ports"][0]["tx_packets"], "{summary}");
}

#[test]
fn forward_goes_both_ways() {
    let bench = Bench::new();
    let ports = ["--port", "net_null0", "--port", "net_null1"];
    let out =
        good(&bench, &[&["forward", "good.wat", "--duration", "200ms", "--json", "-"], ports.as_slice()].concat());
    let summary = json(&out);
    for chain in summary["chains"].as_array().unwrap() {
        assert!(chain["sent"].as_u64().unwrap() > 0, "{chain}");
    }
    assert_eq!(summary["accounting"]["balanced"], true);
}

#[test]
fn quiet_says_nothing() {
    let bench = Bench::new();
    let said = bench.perigee(&["gen", "generator.wat", "--port", "net_null0", "--duration", "1200ms", "--quiet"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{}", said.err);
    assert!(!said.err.contains("Mpps"), "{}", said.err);
}

#[test]
fn live_lines_come_every_second() {
    let bench = Bench::new();
    let said = bench.perigee(&["gen", "generator.wat", "--port", "net_null0", "--duration", "1500ms"]);
    assert!(said.err.contains("1.0 s  port  out") && said.err.contains("1.0 s  chain generate lcore"), "{}", said.err);
}

#[test]
fn a_failed_module_is_exit_code_2() {
    let bench = Bench::new();
    bench.write("traps.toml", &FORWARD.replace("good.wat", "traps.wat"));
    let said = bench.perigee(&["run", "traps.toml", "--duration", "200ms"]);
    assert_eq!(said.code, Some(2), "{}{}", said.out, said.err);
    assert!(
        said.err.contains("error: module \"m\" in chain \"pass\"") && said.err.contains("unreachable"),
        "{}",
        said.err
    );
    assert!(said.out.contains(": balanced"), "{}", said.out);
}

#[test]
fn a_stuck_lcore_ends_the_process_where_that_is_asked_for() {
    let bench = Bench::new();
    let fill = "(local $at i32)
    (if (local.get $count) (then
      (drop (memory.grow (i32.const 16384)))
      (memory.fill (i32.const 0x2200000) (i32.const 1) (i32.const 0x3e000000))))";
    bench.write("fill.wat", &bench.read("good.wat").replacen("(local $at i32)", fill, 1));
    let run = "[run]\nwatchdog = \"20ms\"\nwatchdog_abort = \"30ms\"\n";
    let text = FORWARD
        .replace("good.wat", "fill.wat")
        .replace("grants = {", "grants = { memory = \"1200M\", deadline = \"5ms\",");
    bench.write("fill.toml", &format!("{run}{text}"));
    let said = bench.perigee(&["run", "fill.toml", "--duration", "10s"]);
    assert_eq!(said.code, None, "{}{}", said.out, said.err);
    let told = "it is in module \"m\" of chain \"pass\"; the process ends";
    assert!(said.err.contains(told) && said.err.contains("watchdog_abort"), "{}", said.err);
}

#[test]
fn check_tells_the_plan_or_the_problems() {
    let bench = Bench::new();
    bench.write("perigee.toml", FORWARD);
    let out = good(&bench, &["check", "perigee.toml"]);
    assert!(
        out.starts_with("perigee.toml: ok\n  lcore ") && out.contains("chain pass: port a, rx queue 0 -> m -> a"),
        "{out}"
    );
    assert!(out.contains("  module m: no deadline interrupts a fill of its 256 MiB, "), "{out}");
    bench.write("perigee.toml", &FORWARD.replace("good.wat", "wrong-abi.wat"));
    let said = bench.perigee(&["check", "perigee.toml"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("ABI version 99"), "{}", said.err);
    bench.write("perigee.toml", &FORWARD.replace("good.wat", "generator.wat"));
    let said = bench.perigee(&["check", "perigee.toml"]);
    assert!(
        said.err.contains("module \"m\" exports no \"process\", and chain \"pass\" has it as stage"),
        "{}",
        said.err
    );
    assert!(good(&bench, &["check", "good.wat"]).starts_with("good.wat: ok, ABI version 2, process"));
    assert_eq!(bench.perigee(&["check", "no-window.wat"]).code, Some(1));
}

#[test]
fn check_tells_what_grants_and_module_do_not_have_in_common() {
    let bench = Bench::new();
    bench.write(
        "perigee.toml",
        &FORWARD.replace("[\"log\", \"counter\"]", "[\"time\"]").replace("good.wat", "calls.wat"),
    );
    let imports = "(import \"perigee\" \"log\" (func (param i32 i32 i32))) (memory (export";
    bench.write("calls.wat", &bench.read("good.wat").replacen("(memory (export", imports, 1));
    let said = bench.perigee(&["check", "perigee.toml"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    for expected in [
        "perigee.toml: warning: module \"m\" imports \"log\", which is not granted: the call does nothing, and is counted",
        "perigee.toml: warning: module \"m\" is granted the hostcall \"time\", and does not import it",
    ] {
        assert!(said.err.contains(expected), "{expected:?} is not in:\n{}", said.err);
    }
}

#[test]
fn warnings_are_told_and_do_no_harm() {
    let bench = Bench::new();
    bench.write("perigee.toml", &format!("{FORWARD}[[ring]]\nname = \"r\"\n"));
    let said = bench.perigee(&["check", "perigee.toml"]);
    assert_eq!(said.code, Some(0));
    assert!(said.err.starts_with("perigee.toml:16: warning: ring \"r\" is read by no chain;"), "{}", said.err);
}

#[test]
fn inspect_tells_what_is_inside() {
    let bench = Bench::new();
    let out = good(&bench, &["inspect", "good.wat"]);
    for fact in [
        "ABI version  2\n",
        "callbacks    process\n",
        "memory       33 MiB at the start",
        "window       32 MiB at 0x100000",
    ] {
        assert!(out.contains(fact), "{fact:?} is not in:\n{out}");
    }
    let info = json(&good(&bench, &["inspect", "good.wat", "--json", "-"]));
    assert_eq!((&info["abi"], &info["window_usable"]), (&2.into(), &(31 << 20).into()));
}

#[test]
fn ports_are_described() {
    let bench = Bench::new();
    let out = good(&bench, &["ports", "--port", "net_null0"]);
    assert!(out.contains("net_null0\n  driver       net_null\n"), "{out}");
    let seen = json(&good(&bench, &["ports", "--port", "net_null0", "--port", "net_ring0", "--json", "-"]));
    let drivers: Vec<&Value> = seen["ports"].as_array().unwrap().iter().map(|port| &port["driver"]).collect();
    assert!(drivers.contains(&&"net_null".into()) && drivers.contains(&&"net_ring".into()), "{seen}");
}

#[test]
fn doctor_always_ends_well() {
    let bench = Bench::new();
    let out = good(&bench, &["doctor"]);
    for name in ["huge pages", "CPUs", "DPDK", "Rust for WebAssembly"] {
        assert!(out.contains(name), "{name} is not in:\n{out}");
    }
    let findings = json(&good(&bench, &["doctor", "--json", "-"]));
    assert!(findings.as_array().unwrap().iter().all(|finding| finding["state"].is_string()), "{findings}");
}

#[test]
fn completions_are_there_for_each_shell() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(good(&bench, &["completions", shell]).contains("perigee"), "{shell}");
    }
}

#[test]
fn wrong_usage_is_exit_code_1() {
    let bench = Bench::new();
    assert_eq!(bench.perigee(&["rnu"]).code, Some(1));
    assert_eq!(bench.perigee(&["gen", "good.wat"]).code, Some(1));
    assert_eq!(bench.perigee(&["run", "x.toml", "--log", "loud=very"]).code, Some(1));
    assert_eq!(bench.perigee(&["forward", "good.wat", "--port", "net_null0"]).code, Some(1));
}

/// Starts a run without an end, and waits until it shows that it runs.
fn start(bench: &Bench) -> Child {
    let mut command = bench.command(&["gen", "generator.wat", "--port", "net_null0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let mut live = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    while !line.contains("chain generate") {
        line.clear();
        assert_ne!(live.read_line(&mut line).expect("it is text"), 0, "the run ended before it showed anything");
    }
    // Read on, so that the run never waits for us.
    std::thread::spawn(move || std::io::copy(&mut live, &mut std::io::sink()));
    child
}

fn send(child: &Child, signal: &str) {
    let kill = format!("kill -{signal} {}", child.id());
    let status = Command::new("sh").args(["-c", &kill]).status();
    assert!(status.is_ok_and(|status| status.success()), "{kill}");
}

/// Waits until each thread stands still: on a busy machine one may still run when the signal has been sent.
fn wait_until_stopped(child: &Child) {
    let tasks = format!("/proc/{}/task", child.id());
    let stands = |task: &fs::DirEntry| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
    };
    let limit = Instant::now() + Duration::from_secs(10);
    while !fs::read_dir(&tasks).expect("the process is there").flatten().all(|task| stands(&task)) {
        assert!(Instant::now() < limit, "the process does not stop");
        sleep(Duration::from_millis(1));
    }
}

#[test]
fn signals_stop_cleanly() {
    let bench = Bench::new();
    for signal in ["INT", "TERM"] {
        let child = start(&bench);
        let asked = Instant::now();
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "SIG{signal}: {out}");
        assert!(out.contains("a signal asked for it") && out.contains(": balanced"), "SIG{signal}: {out}");
        assert!(asked.elapsed() < Duration::from_secs(10), "SIG{signal} took {:?}", asked.elapsed());
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let bench = Bench::new();
    // Two threads may take the two signals in one moment, and then neither is the second: so more than once.
    let ends = (0..5).map(|_| twice_asked(&bench)).find(|output| output.status.code() != Some(0));
    let output = ends.expect("a run that ends at once");
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(matches!(output.status.code(), Some(130 | 143)), "{}: {out}", output.status);
    assert_eq!(out, "", "nothing was accounted for, so nothing is told");
}

/// A run that gets two signals. Both wait while the process stands still, so that both are there before it could stop cleanly.
fn twice_asked(bench: &Bench) -> std::process::Output {
    let child = start(bench);
    send(&child, "STOP");
    wait_until_stopped(&child);
    for signal in ["INT", "TERM", "CONT"] {
        send(&child, signal);
    }
    child.wait_with_output().expect("it ends")
}
