//! What people are told when their input is wrong. Each test runs the binary as a person would, and looks at what it says.

mod modules;

use modules::Bench;

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
    check_with("good.wat", "wrong-abi.wat", &["module \"m\"", "ABI version 99", "version 1", "rebuild it"]);
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
    check_with("net_null0", device, &["error: port \"a\" (net_af_packet0,iface=no-such-if)", "iface=NAME"]);
    check_with("net_null0", "net_nonsense0", &["error: port \"a\" (net_nonsense0)", "Known virtual devices"]);
}

#[test]
fn capture_that_is_not_there() {
    check_with(
        "net_null0",
        "net_pcap0,rx_pcap=no.pcap",
        &["perigee.toml:7: port \"a\": capture file \"no.pcap\" does not exist"],
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
