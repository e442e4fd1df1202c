//! What people are told when their input is wrong. Each test runs the binary as a person would, and looks at what it says.

use crate::modules::Bench;

/// A run of a generator and a stage that would work: the tests break one thing of it.
const GOOD: &str = r#"
[run]
duration = "100ms"

[[port]]
name = "a"
device = "net_null0"
pool = 255

[[module]]
name = "m"
file = "good.wat"
grants = { hostcalls = ["log", "counter"] }

[[chain]]
name = "load"
source = { port = "a" }
stages = ["m"]
tx = ["a"]
"#;

/// Runs a configuration that must be refused, and looks for these texts in what is said about it.
fn check(toml: &str, expected_fragments: &[&str]) {
    let bench = Bench::new();
    bench.write("perigee.toml", toml);
    let said = bench.perigee(&["run", "perigee.toml"]);
    assert_eq!(said.code, Some(1), "the exit code of wrong input; it said:\n{}{}", said.out, said.err);
    assert_eq!(said.out, "", "nothing is a result where nothing ran");
    for fragment in expected_fragments {
        assert!(said.err.contains(fragment), "{fragment:?} is not in what it said:\n{}", said.err);
    }
}

/// Runs the good configuration with one text replaced.
fn check_with(from: &str, to: &str, expected_fragments: &[&str]) {
    assert!(GOOD.contains(from), "{from:?} is in the good configuration");
    check(&GOOD.replacen(from, to, 1), expected_fragments);
}

#[test]
fn what_is_broken_here_works_otherwise() {
    let bench = Bench::new();
    bench.write("perigee.toml", GOOD);
    let said = bench.perigee(&["run", "perigee.toml"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.contains(": balanced"), "{}", said.out);
}

#[test]
fn missing_configuration() {
    let bench = Bench::new();
    let said = bench.perigee(&["run", "nowhere.toml"]);
    assert_eq!(said.code, Some(1));
    assert_eq!(said.err, "error: cannot read nowhere.toml: No such file or directory (os error 2)\n");
}

#[test]
fn missing_module() {
    let what = "perigee.toml:12: module \"m\": file \"nowhere.wasm\" does not exist; looked for /";
    check_with("good.wat", "nowhere.wasm", &[what, "/nowhere.wasm"]);
}

#[test]
fn no_module() {
    check_with("good.wat", "text.wasm", &["module \"m\"", "not a WebAssembly module"]);
}

#[test]
fn wrong_abi_version() {
    check_with("good.wat", "wrong-abi.wat", &["module \"m\"", "ABI version 99", "version 3", "rebuild it"]);
}

#[test]
fn missing_export() {
    check_with(
        "good.wat",
        "no-window.wat",
        &["module \"m\"", "export \"perigee_window\" is missing", "immutable i32 global"],
    );
    check_with("good.wat", "no-process.wat", &["module \"m\"", "\"process\"", "\"generate\""]);
    check_with("good.wat", "no-memory.wat", &["module \"m\"", "memory"]);
}

#[test]
fn wrongly_typed_export() {
    let number = "export \"perigee_batch\" is a mutable i32 global, it must be an immutable i32 global";
    check_with("good.wat", "mutable-batch.wat", &["module \"m\"", number]);
    check_with(
        "good.wat",
        "typed-process.wat",
        &["module \"m\"", "export \"process\" is a function (i64) -> ()", "(i32) -> ()"],
    );
}

#[test]
fn unknown_import() {
    check_with("good.wat", "import.wat", &["module \"m\"", "\"env\".\"fd_write\"", "does not offer"]);
}

#[test]
fn window_too_small() {
    check_with("pool = 255", "pool = 16383", &["module \"m\"", "window", "declare a window of at least", "pool"]);
    check_with("good.wat", "small-window.wat", &["module \"m\"", "window of 65536 bytes is too small"]);
}

#[test]
fn memory_too_large() {
    check_with(
        "grants = { ",
        "grants = { memory = \"4M\", ",
        &["module \"m\"", "its memory starts with 33 MiB, it is granted 4 MiB", "`memory`"],
    );
}

#[test]
fn module_that_refuses_its_configuration() {
    check_with("good.wat", "refuses.wat", &["module \"m\"", "no such rate"]);
}

#[test]
fn stage_without_process() {
    check_with("good.wat", "generator.wat", &["module \"m\": exports no \"process\", so it cannot be a stage"]);
}

#[test]
fn unknown_key() {
    let what = "perigee.toml:3:1: unknown key `duratoin`; did you mean `duration`? known keys: duration, seed";
    check_with("duration", "duratoin", &[what, "\n  3 | duratoin = \"100ms\"\n    | ^^^^^^^^\n"]);
}

#[test]
fn broken_toml() {
    check_with("name = \"a\"", "name = \"a", &["perigee.toml:6:", "\n  6 | name = \"a\n"]);
}

#[test]
fn unknown_port() {
    check_with(
        "port = \"a\" }",
        "port = \"x\" }",
        &["perigee.toml:17: chain \"load\": unknown port \"x\"; known ports: a\n"],
    );
}

#[test]
fn port_that_does_not_start() {
    let device = "net_af_packet0,iface=no-such-if";
    check_with("net_null0", device, &["perigee.toml:7: port \"a\": there is no interface \"no-such-if\"; `ip link`"]);
    let known = "no driver makes device \"net_nonsense0\"; known virtual devices: net_null, net_ring, ";
    check_with("net_null0", "net_nonsense0", &["perigee.toml:7: port \"a\": ", known]);
    // What only the driver knows.
    check_with("net_null0", "net_memif0,mac=none", &["error: port \"a\" (net_memif0,mac=none)", "role=server"]);
}

#[test]
fn capture_that_is_not_there() {
    check_with(
        "net_null0",
        "net_pcap0,rx_pcap=no.pcap",
        &["perigee.toml:7: port \"a\": capture \"no.pcap\" does not exist"],
    );
}

#[test]
fn two_chains_on_one_queue() {
    let second = "[[chain]]\nname = \"again\"\nsource = { port = \"a\" }\n";
    check(
        &format!("{GOOD}{second}"),
        &[
            "perigee.toml:22: chain \"again\": rx queue 0 of port \"a\" is read by chain \"load\" already; a queue has one reader",
        ],
    );
}

#[test]
fn more_lcores_than_cores() {
    let many: Vec<String> = (0..1024).map(|cpu| cpu.to_string()).collect();
    let lcores = format!("name = \"load\"\nlcores = [{}]", many.join(", "));
    check_with(
        "name = \"load\"",
        &lcores,
        &["perigee.toml:17: chain \"load\": wants 1024 lcores; this process may use"],
    );
    let far = "name = \"load\"\nlcores = [9999]";
    check_with(
        "name = \"load\"",
        far,
        &["perigee.toml:17: chain \"load\": there is no lcore 9999; this process may use"],
    );
}

#[test]
fn all_problems_are_told_at_once() {
    let toml = GOOD
        .replace("stages = [\"m\"]", "stages = [\"n\"]")
        .replace("good.wat", "nowhere.wat")
        .replace("pool = 255", "mtu = 20000");
    let said = [
        "perigee.toml:8: port \"a\": mtu is 20000",
        "perigee.toml:12: module \"m\": file \"nowhere.wat\" does not exist",
        "perigee.toml:18: chain \"load\": unknown module \"n\"",
    ];
    check(&toml, &said);
}

/// A guest that recurses without end, wherever it is called outside of a lcore, is told as a trap: also where the process's
/// own stack is smaller than the one that a guest is granted.
#[test]
fn a_small_stack_of_the_process_ends_in_a_trap_and_not_in_an_abort() {
    let bench = Bench::new();
    let good = bench.read("good.wat");
    let deep = "(func $deep (param i64 i64 i64) (result i64)
    (i64.add (call $deep (local.get 1) (local.get 2) (local.get 0)) (local.get 0)))
  (func $dive (drop (call $deep (i64.const 1) (i64.const 2) (i64.const 3))))";
    let process = "(func (export \"process\")";
    let with = |more: &str| good.replacen(process, &format!("{deep} {more} {process}"), 1);
    bench.write("starts.wat", &with("(func (export \"_initialize\") (call $dive))"));
    bench.write(
        "init.wat",
        &with(
            "(global (export \"perigee_mailbox\") i32 (i32.const 0x40000))
               (global (export \"perigee_mailbox_len\") i32 (i32.const 0x100))
               (func (export \"init\") (param i32) (result i32) (call $dive) (i32.const 0))",
        ),
    );
    bench.write("process.wat", &with("").replacen("(local $at i32)", "(local $at i32) (call $dive)", 1));
    let prefill = with("(func (export \"prefill\") (param i32) (call $dive))");
    bench.write("prefill.wat", &prefill.replacen("\"process\"", "\"generate\"", 1));
    let run = |file: &str| GOOD.replacen("good.wat", file, 1);
    for name in ["starts", "init", "process"] {
        bench.write(&format!("{name}.toml"), &run(&format!("{name}.wat")));
    }
    let generates =
        run("prefill.wat").replace("source = { port = \"a\" }\nstages = [\"m\"]", "source = { module = \"m\" }");
    bench.write("prefill.toml", &generates);
    let recorded = bench.perigee(&["run", "process.toml", "--record", "kept", "--quiet"]);
    assert_eq!(recorded.code, Some(2), "{}", recorded.err);
    let bundle = bench.path("kept").read_dir().expect("bundles").next().expect("one").expect("it").path();
    let bundle = bundle.display().to_string();
    for arguments in [
        &["check", "starts.wat"][..],
        &["inspect", "starts.wat"],
        &["conformance", "starts.wat"],
        &["conformance", "init.wat"],
        &["conformance", "process.wat"],
        &["run", "starts.toml"],
        &["run", "init.toml"],
        &["run", "process.toml"],
        &["run", "prefill.toml"],
        &["replay", &bundle],
    ] {
        for stack in ["160", "256", "600", "8192"] {
            let mut command = std::process::Command::new("sh");
            command.args(["-c", "ulimit -s $0 && exec \"$@\"", stack, env!("CARGO_BIN_EXE_perigee")]).args(arguments);
            let output = command.current_dir(bench.path(".")).env_remove("PERIGEE_LOG").output().expect("a shell");
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            let code = output.status.code();
            assert!(code.is_some_and(|code| code <= 2), "{arguments:?} with {stack} KiB: {:?}: {said}", output.status);
            assert!(said.contains("call stack exhausted"), "{arguments:?} with {stack} KiB: {said}");
        }
    }
}
