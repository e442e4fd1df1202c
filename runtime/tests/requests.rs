//! The mailbox: configuration, messages, state; and what a module says: counters, log, refusals.

use perigee_abi::verdict as v;
use perigee_lab::{Bench, MAILBOX, each, module, verdict};

/// Keeps what it gets in `init` and in `restore`, answers messages with it, saves it.
fn keeper() -> String {
    let process = each("process", &verdict(v::NEXT));
    module(&format!(
        r#"(global $len (mut i32) (i32.const 0))
  (data (i32.const 1024) "seen packets")
  (func $keep (param $len i32) (result i32)
    (memory.copy (i32.const 2048) (i32.const {MAILBOX}) (local.get $len))
    (global.set $len (local.get $len))
    (i32.const 0))
  (func (export "init") (param $len i32) (result i32)
    (call $counter (i32.const 3) (i32.const 1024) (i32.const 12))
    (i64.store (i32.const {counter}) (i64.const 77))
    (call $keep (local.get $len)))
  (func (export "restore") (param $len i32) (result i32)
    (if (i32.eqz (local.get $len)) (then
      (i32.store (i32.const {MAILBOX}) (i32.const 0x6f6e))
      (return (i32.const -2))))
    (call $keep (local.get $len)))
  (func (export "save") (result i32)
    (memory.copy (i32.const {MAILBOX}) (i32.const 2048) (global.get $len))
    (global.get $len))
  (func (export "message") (param $len i32) (result i32)
    (if (i32.eq (i32.load8_u (i32.const {MAILBOX})) (i32.const 33)) (then unreachable))
    (memory.copy (i32.add (i32.const {MAILBOX}) (local.get $len)) (i32.const 2048) (global.get $len))
    (i32.add (local.get $len) (global.get $len)))
  {process}"#,
        counter = 65_536 + 1_152 + 3 * 8
    ))
}

const CONFIG: &str = r#"
[[port]]
name = "p"
device = "net_null0"
[[module]]
name = "keeper"
file = "keeper.wat"
grants = { hostcalls = ["log", "counter"] }
config = { answer = 42 }
[[chain]]
source = { port = "p" }
stages = ["keeper"]
"#;

#[test]
fn configuration_messages_and_state_pass_through_the_mailbox() {
    let bench = Bench::new();
    bench.module("keeper.wat", &keeper());
    let run = bench.start(CONFIG).unwrap();
    assert_eq!(run.message("keeper", b"so: ").unwrap(), [br#"so: {"answer":42}"#.to_vec()]);
    let state = run.save("keeper").unwrap();
    assert_eq!(state, [br#"{"answer":42}"#.to_vec()]);
    run.restore("keeper", &[b"another".to_vec()]).unwrap();
    assert_eq!(run.save("keeper").unwrap(), [b"another".to_vec()]);
    let refusal = run.restore("keeper", &[Vec::new()]).unwrap_err().to_string();
    assert!(refusal.contains("restore refused: no"), "{refusal}");
    assert_eq!(run.snapshot().modules[0].counters["seen packets"], 77);
    let unknown = run.message("nobody", b"").unwrap_err().to_string();
    assert!(unknown.contains("nobody"), "{unknown}");
    bench.finish(run);
}

#[test]
fn a_message_larger_than_the_mailbox_is_refused_with_both_sizes() {
    let bench = Bench::new();
    bench.module("keeper.wat", &keeper());
    let run = bench.start(CONFIG).unwrap();
    let refusal = run.message("keeper", &vec![0; 70_000]).unwrap_err().to_string();
    assert!(refusal.contains("65536") && refusal.contains("70000"), "{refusal}");
    bench.finish(run);
}

#[test]
fn a_trap_in_a_message_ends_the_instance_and_nothing_else() {
    let bench = Bench::new();
    bench.module("keeper.wat", &keeper());
    let config = CONFIG.replace("file = \"keeper.wat\"", "file = \"keeper.wat\"\non_fault = \"closed\"");
    let run = bench.start(&config).unwrap();
    let trap = run.message("keeper", b"!").unwrap_err().to_string();
    assert!(trap.contains("unreachable"), "{trap}");
    std::thread::sleep(std::time::Duration::from_millis(20));
    let outcome = bench.finish(run);
    assert!(outcome.summary.snapshot.modules[0].failed.is_some());
    assert!(outcome.dropped("failed") > 0);
}

#[test]
fn a_module_that_refuses_its_configuration_says_why() {
    let bench = Bench::new();
    let text = module(&format!(
        r#"(data (i32.const 1024) "src: not an address")
  (func (export "init") (param i32) (result i32)
    (memory.copy (i32.const {MAILBOX}) (i32.const 1024) (i32.const 19)) (i32.const -19))
  {}"#,
        each("process", "")
    ));
    bench.module("keeper.wat", &text);
    let error = bench.start(CONFIG).unwrap_err().to_string();
    assert!(error.contains("keeper") && error.contains("init refused: src: not an address"), "{error}");
}

#[test]
fn a_trap_in_prefill_stops_the_start() {
    let bench = Bench::new();
    let text = module(&format!("{}{}", each("generate", &verdict(v::NEXT)), each("prefill", "unreachable")));
    bench.module("keeper.wat", &text);
    let config = CONFIG
        .replace("config = { answer = 42 }", "")
        .replace("source = { port = \"p\" }\nstages = [\"keeper\"]", "source = { module = \"keeper\" }\ntx = [\"p\"]");
    let error = bench.start(&config).unwrap_err().to_string();
    assert!(error.contains("prefill") && error.contains("unreachable"), "{error}");
}
