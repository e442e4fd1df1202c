//! Modules that fail after a while, by what they were given: each in a way that a replay could miss.

use super::{MAILBOX, OUT_COUNT, OUTPUTS, PACKETS, SPARES};
use perigee_abi::ABI_VERSION;

/// A module by what it does in each call. `$batches` counts calls with packets, ticks included; `$sum` is at address 16.
#[derive(Clone, Copy, Default)]
pub struct Case {
    pub name: &'static str,
    pub imports: &'static str,
    pub items: &'static str,
    /// When each of the `$n` packets has its verdict, Next.
    pub process: &'static str,
    pub generate: &'static str,
    pub tick: &'static str,
    pub message: &'static str,
    pub init: &'static str,
    pub prefill: &'static str,
    /// Its state cannot be written down.
    pub is_from_start: bool,
}

/// A module that may do what the cases do.
const MODULE: &str = "\n[[module]]\nname = \"m\"\nfile = \"m.wat\"\n[module.grants]\ncreate = true\nhold = 8\nhostcalls = [\"log\", \
                      \"counter\", \"time\"]\nclock = \"precise\"\n";
const STAGE: &str = "[[chain]]\nsource = { port = \"in\" }\nstages = [\"m\"]\ntx = [\"out\"]\n";
/// A chain of a generator alone.
const SOURCE: &str = "[[chain]]\nsource = { module = \"m\", pool = 255 }\ntx = [\"out\"]\n";

impl Case {
    pub fn generator() -> Self {
        Self { generate: "(nop)", ..Self::default() }
    }

    /// The module and its chain, as a configuration has them.
    pub fn chain(&self) -> String {
        format!("{MODULE}{}", if self.generate.is_empty() { STAGE } else { SOURCE })
    }
}

/// Adds `$value` (an i32) to the sum and mixes it.
const MIX: &str = "(func $mix (param $value i32) (i32.store (i32.const 16) (i32.add (i32.mul (i32.load (i32.const 16))
    (i32.const 31)) (local.get $value))))";

/// Traps in batch 47, at an address that the sum says: outside of the memory, and another one with each input.
const AT_47: &str =
    "(if (i32.eq (global.get $batches) (i32.const 47)) (then (drop (i32.load (i32.or (i32.load (i32.const 16))
    (i32.const 0x80000000))))))";

pub fn cases() -> Vec<Case> {
    let base = Case { process: "(call $read)", ..Case::default() };
    let mut cases = inputs(base);
    cases.extend(states(base));
    cases
}

/// By what they are given.
fn inputs(base: Case) -> Vec<Case> {
    vec![
        Case { name: "bytes of packets", items: "(func $read (call $mix (i32.load offset=86 (i32.load (i32.const 67200)))))", ..base },
        Case {
            name: "perigee.time",
            imports: r#"(import "perigee" "time" (func $time (result i64)))"#,
            items: "(func $read (call $mix (i32.wrap_i64 (call $time))) (call $mix (i32.wrap_i64 (call $time))))",
            ..base
        },
        Case {
            name: "the batch's time",
            items: "(func $read (call $mix (i32.load (i32.const 65544))))",
            ..base
        },
        Case {
            name: "WASI's random numbers and clock",
            imports: r#"(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
                (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))"#,
            items: "(func $read (drop (call $random (i32.const 32) (i32.const 12))) (call $mix (i32.load (i32.const 40)))
                (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 32))) (call $mix (i32.load (i32.const 32))))",
            ..base
        },
        Case {
            name: "packets that are held",
            // Holds the first packet of each of the first eight batches, and changes and reads it ever after.
            items: "(func $read (local $i i32)
                (if (i32.le_u (global.get $batches) (i32.const 8)) (then
                  (i32.store (i32.add (i32.const 64) (i32.mul (global.get $batches) (i32.const 4))) (i32.load (i32.const 67200)))
                  (i32.store offset=8 (i32.const 67200) (i32.const 4))))
                (if (i32.ge_u (global.get $batches) (i32.const 8)) (then
                  (local.set $i (i32.const 4))
                  (loop (call $touch (i32.load offset=64 (local.get $i)))
                    (local.set $i (i32.add (local.get $i) (i32.const 4)))
                    (br_if 0 (i32.le_u (local.get $i) (i32.const 32)))))))
              (func $touch (param $at i32) (call $mix (i32.load offset=86 (local.get $at)))
                (i32.store offset=86 (local.get $at) (i32.load (i32.const 16))))",
            ..base
        },
        Case {
            name: "spare rooms",
            // Reads what was last in a spare room, writes into it, and sends it in every third batch.
            items: r#"(global (export "perigee_spares") i32 (i32.const 2))
              (func $read (local $at i32) (local.set $at (i32.load (i32.const 83584)))
                (call $mix (i32.load offset=60 (local.get $at))) (i32.store offset=60 (local.get $at) (i32.load (i32.const 16)))
                (if (i32.eqz (i32.rem_u (global.get $batches) (i32.const 3))) (then
                  (memory.copy (i32.const 87680) (i32.const 83584) (i32.const 64))
                  (i32.store16 offset=4 (i32.const 87680) (i32.const 80))
                  (i32.store offset=8 (i32.const 87680) (i32.const 1))
                  (i32.store offset=44 (i32.const 87680) (i32.const 0x10000))
                  (i32.store (i32.const 65560) (i32.const 1)))))"#,
            ..base
        },
    ]
}

/// By what their state is made of, and by the call that they fail in.
fn states(base: Case) -> Vec<Case> {
    vec![
        Case {
            name: "a memory that grows, and a float",
            items: "(global $float (mut f64) (f64.const 1.5)) (func $read (local $page i32)
                (global.set $float (f64.sqrt (f64.mul (global.get $float) (f64.convert_i32_u (i32.load offset=86 (i32.load (i32.const 67200)))))))
                (call $mix (i32.trunc_sat_f64_u (global.get $float)))
                (local.set $page (memory.grow (i32.const 1)))
                (i32.store (i32.mul (local.get $page) (i32.const 65536)) (i32.load (i32.const 16))))",
            ..base
        },
        Case {
            name: "a table that changes",
            items: "(table 4 funcref) (elem (i32.const 0) func $one $two) (type $f (func (result i32)))
                (func $one (result i32) (i32.const 1)) (func $two (result i32) (i32.const 2))
                (func $read (table.set (i32.const 3) (table.get (i32.and (global.get $batches) (i32.const 1))))
                (call $mix (call_indirect (type $f) (i32.const 3))))",
            is_from_start: true,
            ..base
        },
        Case { name: "ticks", process: "", tick: AT_47, items: "(func $read)", ..base },
        Case { name: "a generator", process: "", generate: "(call $read)",
            items: "(func $read (call $mix (i32.load offset=40 (i32.load (i32.const 67200)))))", ..base },
    ]
}

pub fn module(case: &Case) -> String {
    assert_eq!((PACKETS, SPARES, OUTPUTS, OUT_COUNT), (67_200, 83_584, 87_680, 65_560));
    let Case { imports, items, process, generate, tick, message, init, prefill, .. } = case;
    let each = format!(
        "(loop (if (i32.lt_u (local.get $i) (local.get $n)) (then
          (i32.store offset=8 (i32.add (i32.const {PACKETS}) (i32.mul (local.get $i) (i32.const 64))) (i32.const 1))
          (local.set $i (i32.add (local.get $i) (i32.const 1))) (br 1))))"
    );
    let count = "(global.set $batches (i32.add (global.get $batches) (i32.const 1)))
        (i64.store (i32.const 8) (i64.add (i64.const 0x2130206863746162) (i64.shl (i64.extend_i32_u (global.get $batches)) (i64.const 48))))";
    // "batch 0!" with its digit counted up: 0x21 '!' is the last byte, the digit is the one before.
    let end = if items.contains("$read") { AT_47 } else { "" };
    let generator = if generate.is_empty() {
        String::new()
    } else {
        format!(r#"(func $generate (export "generate") (param $n i32) (local $i i32) {count} {each} {generate} {end})"#)
    };
    let optional = |name: &str, of: &str, body: &str| {
        if body.is_empty() { String::new() } else { format!(r#"(func ${name} (export "{name}") {of} {body})"#) }
    };
    let mix = if items.contains("$mix") { MIX } else { "" };
    format!(
        r#"(module {imports}
  (memory (export "memory") 1100)
  (global (export "perigee_abi") i32 (i32.const {ABI_VERSION}))
  (global (export "perigee_batch") i32 (i32.const 65536))
  (global (export "perigee_mailbox") i32 (i32.const {MAILBOX}))
  (global (export "perigee_mailbox_len") i32 (i32.const 65536))
  (global (export "perigee_window") i32 (i32.const 196608))
  (global (export "perigee_window_len") i32 (i32.const 69206016))
  (func $inner unreachable) (func $outer (call $inner))
  {items} {mix} {generator} {} {} {} {}
  (func $process (export "process") (param $n i32) (local $i i32)
    (if (i32.eqz (local.get $n)) (then (return)))
    {count} {each} {} {end})
  (global $batches (mut i32) (i32.const 0)))"#,
        optional("tick", "", &if tick.is_empty() { String::new() } else { format!("{count} {tick}") }),
        optional("message", "(param i32) (result i32)", &with_result(message)),
        optional("init", "(param i32) (result i32)", &with_result(init)),
        optional("prefill", "(param i32)", prefill),
        process,
    )
}

fn with_result(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!("{body} (i32.const 0)") }
}
