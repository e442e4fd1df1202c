//! WASI preview 1 as the host offers it: each call's effect in the module's memory, and what bad addresses do.

use perigee_abi::verdict as v;
use perigee_lab::{Bench, MAILBOX, each, module, verdict};
use perigee_runtime::{Limits, Run, inspect};

const WASI: &str = "wasi_snapshot_preview1";
/// An address beyond every memory.
const BAD: u32 = 0xffff_fff0;
const BAD_FILE: u32 = 8;
const FAULT: u32 = 21;
const INVALID: u32 = 28;

/// A module that imports `name` with `parameters` and, on a message, calls it with `arguments`; the reply is the mailbox
/// from its beginning, with the call's result in the first word.
fn caller(name: &str, parameters: &str, arguments: &str, before: &str) -> String {
    let process = each("process", &verdict(v::NEXT));
    let items = format!(
        r#"(func (export "message") (param i32) (result i32)
    {before}
    (i32.store (i32.const {MAILBOX}) (call $f {arguments}))
    (i32.const 256))
  {process}"#
    );
    let import = format!("(import \"{WASI}\" \"{name}\" (func $f (param {parameters}) (result i32)))");
    module(&items).replacen("(module", &format!("(module {import}"), 1)
}

fn start(bench: &Bench, text: &str) -> Run {
    bench.module("m.wat", text);
    let config = r#"
[[port]]
name = "p"
device = "net_null0"
[[module]]
name = "m"
file = "m.wat"
on_fault = "closed"
grants = { hostcalls = ["log", "counter", "time"] }
[[chain]]
source = { port = "p" }
stages = ["m"]
"#;
    bench.start(config).unwrap()
}

/// What a call answers, and the mailbox behind it.
fn call(name: &str, parameters: &str, arguments: &str, before: &str) -> (u32, Vec<u8>) {
    let bench = Bench::new();
    let run = start(&bench, &caller(name, parameters, arguments, before));
    let reply = run.message("m", b"").unwrap().remove(0);
    bench.finish(run);
    (word(&reply, 0), reply)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Constants as arguments; negative ones for 64 bits.
fn constants(values: &[u32]) -> String {
    values.iter().map(|value| format!("(i32.const {value}) ")).collect()
}

#[test]
fn clocks_tell_the_time_of_the_batch() {
    let clock = |id: u32, to: u32| format!("(i32.const {id}) (i64.const 0) (i32.const {to})");
    let (code, reply) = call("clock_time_get", "i32 i64 i32", &clock(1, MAILBOX + 8), "");
    assert!(code == 0 && (1..20_000_000_000).contains(&long(&reply, 8)), "{reply:?}");
    let (code, reply) = call("clock_time_get", "i32 i64 i32", &clock(0, MAILBOX + 8), "");
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    assert!(code == 0 && now.abs_diff(long(&reply, 8).into()) < 20_000_000_000, "{reply:?}");
    // Twice in one call it is the same time: not the precise clock.
    let before = format!("(drop (call $f {}))", clock(1, MAILBOX + 16));
    let (_, reply) = call("clock_time_get", "i32 i64 i32", &clock(1, MAILBOX + 8), &before);
    assert_eq!(long(&reply, 8), long(&reply, 16));
    assert_eq!(call("clock_time_get", "i32 i64 i32", &clock(9, MAILBOX + 8), "").0, INVALID);
    assert_eq!(call("clock_time_get", "i32 i64 i32", &clock(1, BAD), "").0, FAULT);
    let (code, reply) = call("clock_res_get", "i32 i32", &constants(&[1, MAILBOX + 8]), "");
    assert_eq!((code, long(&reply, 8)), (0, 1_000));
}

#[test]
fn random_numbers_are_the_same_in_a_run_with_the_same_seed() {
    let random = |len: u32| call("random_get", "i32 i32", &constants(&[MAILBOX + 8, len]), "");
    let (code, reply) = random(13);
    assert_eq!(code, 0);
    assert!(reply[8..21].iter().any(|b| *b != 0) && reply[21..].iter().all(|b| *b == 0), "{reply:?}");
    assert_eq!(random(13).1, reply);
    assert_eq!(random(65_537).0, INVALID);
    assert_eq!(call("random_get", "i32 i32", &constants(&[BAD, 32]), "").0, FAULT);
}

#[test]
fn there_are_no_arguments_and_no_environment() {
    let dirty = format!("(i64.store (i32.const {}) (i64.const -1))", MAILBOX + 8);
    for name in ["args_sizes_get", "environ_sizes_get"] {
        let (code, reply) = call(name, "i32 i32", &constants(&[MAILBOX + 8, MAILBOX + 12]), &dirty);
        assert_eq!((code, long(&reply, 8)), (0, 0), "{name}");
        assert_eq!(call(name, "i32 i32", &constants(&[MAILBOX + 8, BAD]), "").0, FAULT);
    }
    assert_eq!(call("args_get", "i32 i32", &constants(&[BAD, BAD]), "").0, 0);
}

#[test]
fn descriptors_are_three_terminals_and_nothing_else() {
    let (code, reply) = call("fd_fdstat_get", "i32 i32", &constants(&[1, MAILBOX + 8]), "");
    assert_eq!((code, reply[8], long(&reply, 16)), (0, 2, 1 << 6));
    for (name, parameters, arguments, error) in [
        ("fd_fdstat_get", "i32 i32", vec![3, MAILBOX], BAD_FILE),
        ("fd_fdstat_get", "i32 i32", vec![1, BAD], FAULT),
        ("fd_prestat_get", "i32 i32", vec![3, MAILBOX], BAD_FILE),
        ("fd_close", "i32", vec![1], BAD_FILE),
        ("fd_tell", "i32 i32", vec![1, MAILBOX], 70),
        ("fd_tell", "i32 i32", vec![5, MAILBOX], BAD_FILE),
        ("fd_read", "i32 i32 i32 i32", vec![0, MAILBOX, 1, MAILBOX], BAD_FILE),
        ("fd_write", "i32 i32 i32 i32", vec![3, MAILBOX, 1, MAILBOX], BAD_FILE),
        ("fd_write", "i32 i32 i32 i32", vec![1, BAD, 1, MAILBOX], FAULT),
        ("fd_write", "i32 i32 i32 i32", vec![1, MAILBOX, 1_025, MAILBOX], INVALID),
        ("fd_write", "i32 i32 i32 i32", vec![1, MAILBOX, 0, BAD], FAULT),
        ("sock_shutdown", "i32 i32", vec![0, 0], 52),
        ("poll_oneoff", "i32 i32 i32 i32", vec![MAILBOX, MAILBOX, 0, MAILBOX], INVALID),
        ("poll_oneoff", "i32 i32 i32 i32", vec![BAD, MAILBOX, 1, MAILBOX], FAULT),
    ] {
        assert_eq!(call(name, parameters, &constants(&arguments), "").0, error, "{name} {arguments:?}");
    }
}

/// Code that makes a piece of text for `fd_write`: its address and length at `MAILBOX + 64`.
fn piece(at: u32, len: u32) -> String {
    format!(
        "(i32.store (i32.const {}) (i32.const {at})) (i32.store (i32.const {}) (i32.const {len}))",
        MAILBOX + 64,
        MAILBOX + 68
    )
}

#[test]
fn a_write_says_how_much_it_took() {
    let write = constants(&[2, MAILBOX + 64, 1, MAILBOX + 8]);
    let (code, reply) = call("fd_write", "i32 i32 i32 i32", &write, &piece(1_024, 700));
    assert_eq!((code, word(&reply, 8)), (0, 700));
    let (code, reply) = call("fd_write", "i32 i32 i32 i32", &write, &piece(0, 60_000));
    assert_eq!((code, word(&reply, 8)), (0, 4_096));
    assert_eq!(call("fd_write", "i32 i32 i32 i32", &write, &piece(BAD, 100)).0, FAULT);
}

#[test]
fn who_sleeps_wakes_at_once_and_later() {
    // One subscription at MAILBOX + 64: user data 7, the monotonic clock, an hour from now; events at MAILBOX + 128.
    let before = format!(
        "(i64.store (i32.const {}) (i64.const 7)) (i32.store (i32.const {}) (i32.const 1))
         (i64.store (i32.const {}) (i64.const 3600000000000))",
        MAILBOX + 64,
        MAILBOX + 80,
        MAILBOX + 88
    );
    let poll = constants(&[MAILBOX + 64, MAILBOX + 128, 1, MAILBOX + 8]);
    let began = std::time::Instant::now();
    let (code, reply) = call("poll_oneoff", "i32 i32 i32 i32", &poll, &before);
    assert!(began.elapsed().as_secs() < 20);
    assert_eq!((code, word(&reply, 8), long(&reply, 128), word(&reply, 136)), (0, 1, 7, 0));
    // A descriptor is none, and that is told before any time.
    let read = format!("{before} (i32.store8 (i32.const {}) (i32.const 1))", MAILBOX + 72);
    let (code, reply) = call("poll_oneoff", "i32 i32 i32 i32", &poll, &read);
    assert_eq!((code, word(&reply, 8), word(&reply, 136)), (0, 1, BAD_FILE | 1 << 16));
}

#[test]
fn the_clock_says_that_the_sleep_is_over() {
    let import = format!("(import \"{WASI}\" \"clock_time_get\" (func $time (param i32 i64 i32) (result i32)))");
    let text = caller(
        "poll_oneoff",
        "i32 i32 i32 i32",
        &constants(&[MAILBOX + 64, MAILBOX + 128, 1, MAILBOX + 8]),
        &format!(
            "(i32.store (i32.const {}) (i32.const 1)) (i64.store (i32.const {}) (i64.const 3600000000000))",
            MAILBOX + 80,
            MAILBOX + 88
        ),
    );
    let after =
        format!("(drop (call $time (i32.const 1) (i64.const 0) (i32.const {}))) (i32.const 256))", MAILBOX + 16);
    let text = text.replacen("(module", &format!("(module {import}"), 1).replacen("(i32.const 256))", &after, 1);
    let bench = Bench::new();
    let run = start(&bench, &text);
    let reply = run.message("m", b"").unwrap().remove(0);
    assert!(long(&reply, 16) >= 3_600_000_000_000, "{}", long(&reply, 16));
    bench.finish(run);
}

#[test]
fn an_exit_is_a_trap_that_tells_the_code() {
    let process = each("process", &verdict(v::NEXT));
    let text = module(&format!(
        r#"(func (export "message") (param i32) (result i32) (call $exit (i32.const 3)) (i32.const 0)) {process}"#
    ));
    let import = format!("(module (import \"{WASI}\" \"proc_exit\" (func $exit (param i32)))");
    let bench = Bench::new();
    let run = start(&bench, &text.replacen("(module", &import, 1));
    let trap = run.message("m", b"").unwrap_err().to_string();
    assert!(trap.contains("exit code 3"), "{trap}");
    assert!(bench.finish(run).summary.snapshot.modules[0].failed.is_some());
}

#[test]
fn the_language_runtimes_own_start_may_call_it() {
    let process = each("process", &verdict(v::NEXT));
    let text = module(&format!(
        r#"(func (export "_initialize")
    (if (call $random (i32.const 1024) (i32.const 8)) (then unreachable))
    (if (call $time (i32.const 1) (i64.const 0) (i32.const 1032)) (then unreachable))
    (if (i64.eqz (i64.load (i32.const 1032))) (then unreachable)))
  {process}"#
    ));
    let imports = format!(
        "(module (import \"{WASI}\" \"random_get\" (func $random (param i32 i32) (result i32)))
         (import \"{WASI}\" \"clock_time_get\" (func $time (param i32 i64 i32) (result i32)))"
    );
    let bench = Bench::new();
    let run = start(&bench, &text.replacen("(module", &imports, 1));
    bench.finish(run);
}

/// Why a module with this import is refused.
fn refusal(import: &str) -> String {
    let bench = Bench::new();
    let text = module(&each("process", "")).replacen("(module", &format!("(module {import}"), 1);
    bench.module("m.wat", &text);
    inspect(&bench.path("m.wat"), Limits::default()).unwrap_err().to_string()
}

#[test]
fn what_is_not_offered_is_refused_with_what_is() {
    let made_up = refusal(&format!("(import \"{WASI}\" \"made_up\" (func))"));
    assert!(made_up.contains("made_up") && made_up.contains("\"perigee\".\"log\""), "{made_up}");
    let component = refusal("(import \"wasi:cli/exit@0.2.0\" \"exit\" (func (param i32)))");
    assert!(component.contains("WASI preview 1") && component.contains("no component"), "{component}");
    let wrong = refusal(&format!("(import \"{WASI}\" \"fd_write\" (func (param i32 i64)))"));
    assert!(wrong.contains("fd_write") && wrong.contains("(i32, i32, i32, i32) -> i32"), "{wrong}");
}
