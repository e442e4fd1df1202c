//! The commands, each as a person would use it, on ports that need no rights.

use crate::modules::Bench;
use serde_json::Value;

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
        .replace("grants = {", "grants = { memory = \"1200M\", deadline = \"5ms\", control_deadline = \"5ms\",");
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
    // What a call may take beyond its deadline is told where that is long, and how to shorten it.
    let told = |grants: &str| {
        bench.write("memory.toml", &FORWARD.replace("grants = {", &format!("grants = {{ {grants}, ")));
        let out = good(&bench, &["check", "memory.toml"]);
        let (deadline, cure) = ("its deadline of 2ms does not interrupt a fill of its whole memory (", "less `memory`");
        out.contains(deadline) && out.contains(cure)
    };
    assert!(told("memory = \"1G\", deadline = \"2ms\""));
    assert!(!told("memory = \"80M\", deadline = 10"));
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
    assert!(good(&bench, &["check", "good.wat"]).starts_with("good.wat: ok, ABI version 3, process"));
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
        "ABI version  3\n",
        "callbacks    process\n",
        "memory       33 MiB at the start",
        "window       32 MiB at 0x100000",
    ] {
        assert!(out.contains(fact), "{fact:?} is not in:\n{out}");
    }
    let info = json(&good(&bench, &["inspect", "good.wat", "--json", "-"]));
    assert_eq!((&info["abi"], &info["window_usable"]), (&3.into(), &(31 << 20).into()));
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

/// What a module says of its configuration is known before the run.
#[test]
fn check_asks_the_modules_about_their_configuration() {
    let bench = Bench::new();
    let refuses = bench.read("refuses.wat");
    bench.write("traps-in-init.wat", &refuses.replace("(i32.const -12))", "(unreachable))"));
    bench.write("takes.wat", &refuses.replace("(i32.const -12))", "(i32.const 0))"));
    let config = |file: &str, config: &str| FORWARD.replace("\"good.wat\"", &format!("\"{file}\"\nconfig = {config}"));
    for (file, given, said) in [
        ("refuses.wat", "{ rate = 5 }", "module \"m\": init refused: no such rate"),
        ("refuses.wat", "{}", "module \"m\": init refused: no such rate"),
        ("traps-in-init.wat", "{ rate = 5 }", "module \"m\": trap in \"init\""),
        ("good.wat", "{ rate = 5 }", "module \"m\": has a configuration, but exports no \"init\" that would read it"),
        ("takes.wat", &format!("{{ text = {:?} }}", "x".repeat(300)), "its mailbox of 256 bytes does not hold the"),
    ] {
        bench.write("run.toml", &config(file, given));
        let checked = bench.perigee(&["check", "run.toml"]);
        assert_eq!(checked.code, Some(1), "{file}: {}", checked.out);
        assert!(checked.err.contains(said), "{file}: {}", checked.err);
        // The run says the same.
        let ran = bench.perigee(&["run", "run.toml", "--duration", "10ms"]);
        assert_eq!(ran.code, Some(1), "{file}: {}", ran.out);
        assert!(ran.err.contains(said), "{file}: {}", ran.err);
    }
    bench.write("run.toml", &config("takes.wat", "{ rate = 5 }"));
    assert!(good(&bench, &["check", "run.toml"]).contains("run.toml: ok"));
}
