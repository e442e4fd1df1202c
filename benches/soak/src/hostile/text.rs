//! The text of a hostile module: the areas and some functions that all need, and around them what it does.

use super::module::Hostile;
use std::fmt::Write;

/// Pages of a hostile module's memory.
pub const PAGES: u32 = 1_100;
/// Where its batch area lies.
pub(super) const BATCH: u32 = 65_536;
pub(super) const MAILBOX: u32 = 131_072;
pub(super) const WINDOW: u32 = 196_608;
pub(super) const WINDOW_LEN: u32 = 69_206_016;

/// What the catalogue may write for numbers.
const NAMES: [(&str, u32); 9] = [
    ("@abi", perigee_abi::ABI_VERSION),
    ("@out_count", BATCH + 24),
    ("@outputs", BATCH + 22_144),
    ("@packets", BATCH + 1_664),
    ("@counters", BATCH + 1_152),
    ("@spares", BATCH + 18_048),
    ("@ports", BATCH + 128),
    ("@mailbox", MAILBOX),
    ("@batch", BATCH),
];

/// In the catalogue: so many imports that nobody offers.
const THOUSAND: &str = "@thousand_imports";

/// Functions that make lists: where a descriptor, a spare and an entry lie; entry `$k` of descriptor `$d`.
const FUNCTIONS: &str = r#"(func $desc (param $i i32) (result i32) (i32.add (i32.const @packets) (i32.shl (local.get $i) (i32.const 6))))
  (func $spare (param $i i32) (result i32) (i32.add (i32.const @spares) (i32.shl (local.get $i) (i32.const 6))))
  (func $out (param $i i32) (result i32) (i32.add (i32.const @outputs) (i32.shl (local.get $i) (i32.const 6))))
  (func $list (param $k i32) (param $d i32) (param $source i32) (param $verdict i32) (local $o i32)
    (local.set $o (call $out (local.get $k)))
    (memory.copy (local.get $o) (local.get $d) (i32.const 64))
    (i32.store offset=8 (local.get $o) (local.get $verdict))
    (i32.store offset=44 (local.get $o) (local.get $source))
    (i32.store (i32.const @out_count) (i32.add (local.get $k) (i32.const 1))))"#;

/// What a module does with a packet unless it says: Next.
const PASS: &str = "(i32.store offset=8 (local.get $d) (i32.const 1))";

/// The text of a module; nothing where it is a file.
pub(super) fn text(hostile: &Hostile) -> Option<String> {
    if hostile.file.is_some() {
        return None;
    }
    if let Some(module) = &hostile.module {
        return Some(numbers(module));
    }
    let pages = if hostile.pages == 0 { PAGES } else { hostile.pages };
    let mut text = format!(
        r#"(module
  (import "perigee" "counter" (func $counter (param i32 i32 i32)))
  (import "perigee" "log" (func $log (param i32 i32 i32)))
  (import "perigee" "time" (func $time (result i64)))
  {}
  (memory (export "memory") {pages})
  (global (export "perigee_abi") i32 (i32.const @abi))
  (global (export "perigee_batch") i32 (i32.const {BATCH}))
  (global (export "perigee_mailbox") i32 (i32.const {MAILBOX}))
  (global (export "perigee_mailbox_len") i32 (i32.const 65536))
  (global (export "perigee_window") i32 (i32.const {WINDOW}))
  (global (export "perigee_window_len") i32 (i32.const {WINDOW_LEN}))
  (global (export "perigee_spares") i32 (i32.const {}))
  {FUNCTIONS}
  {}"#,
        hostile.imports, hostile.spares, hostile.items
    );
    if !hostile.own_callback {
        let callback = if hostile.generates { "generate" } else { "process" };
        let (each, once) = (hostile.each.as_deref().unwrap_or(PASS), &hostile.once);
        let _ = write!(
            text,
            r#"
  (func (export "{callback}") (param $n i32) (local $d i32) (local $i i32) (local $a i32) (local $b i32)
    (local.set $d (i32.const @packets))
    (block $all (loop $next
      (br_if $all (i32.ge_u (local.get $i) (local.get $n)))
      {each}
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (br $next)))
    (if (local.get $n) (then {once})))"#
        );
    }
    text.push(')');
    Some(numbers(&text))
}

fn numbers(text: &str) -> String {
    let text = NAMES.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, &value.to_string()));
    if !text.contains(THOUSAND) {
        return text;
    }
    let imports: String = (0..1_000).map(|i| format!("(import \"env\" \"f{i}\" (func))")).collect();
    text.replace(THOUSAND, &imports)
}

/// The neighbour's source: numbers its packets from 0. The message that it gets ends it.
pub(super) const NUMBERED: &str = r#"
  (data (i32.const 1024) "made")
  (global $stopped (mut i32) (i32.const 0))
  (func (export "init") (param i32) (result i32) (call $counter (i32.const 0) (i32.const 1024) (i32.const 4)) (i32.const 0))
  (func (export "message") (param i32) (result i32) (global.set $stopped (i32.const 1)) (i32.const 0))
  (func (export "prefill") (param $n i32) (local $d i32)
    (local.set $d (i32.const @packets))
    (loop $next
      (memory.fill (i32.load (local.get $d)) (i32.const 0x5a) (i32.const 60))
      (i32.store16 offset=4 (local.get $d) (i32.const 60))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "generate") (param $n i32) (local $d i32)
    (if (i32.or (global.get $stopped) (i32.eqz (local.get $n))) (then (return)))
    (local.set $d (i32.const @packets))
    (loop $next
      (i64.store offset=14 (i32.load (local.get $d)) (i64.load (i32.const @counters)))
      (i64.store (i32.const @counters) (i64.add (i64.load (i32.const @counters)) (i64.const 1)))
      (i32.store offset=8 (local.get $d) (i32.const 1))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))"#;

/// The neighbour's end: counts packets, those that are not the next one, and those whose bytes have changed.
pub(super) const CHECKED: &str = r#"
  (data (i32.const 1024) "seengapschanged")
  (global $next (mut i64) (i64.const 0))
  (global $good i64 (i64.const 0x5a5a5a5a5a5a5a5a))
  (func $count (param $i i32)
    (local.set $i (i32.add (i32.const @counters) (i32.shl (local.get $i) (i32.const 3))))
    (i64.store (local.get $i) (i64.add (i64.load (local.get $i)) (i64.const 1))))
  (func (export "init") (param i32) (result i32)
    (call $counter (i32.const 0) (i32.const 1024) (i32.const 4))
    (call $counter (i32.const 1) (i32.const 1028) (i32.const 4))
    (call $counter (i32.const 2) (i32.const 1032) (i32.const 7))
    (i32.const 0))
  (func (export "process") (param $n i32) (local $d i32) (local $p i32)
    (if (i32.eqz (local.get $n)) (then (return)))
    (local.set $d (i32.const @packets))
    (loop $each
      (local.set $p (i32.load (local.get $d)))
      (if (i64.ne (i64.load offset=14 (local.get $p)) (global.get $next)) (then (call $count (i32.const 1))))
      (global.set $next (i64.add (i64.load offset=14 (local.get $p)) (i64.const 1)))
      (if (i64.ne (i64.const 0)
            (i64.or
              (i64.or (i64.xor (i64.load offset=0 (local.get $p)) (global.get $good))
                      (i64.xor (i64.load offset=22 (local.get $p)) (global.get $good)))
              (i64.or (i64.xor (i64.load offset=30 (local.get $p)) (global.get $good))
                      (i64.xor (i64.load offset=52 (local.get $p)) (global.get $good)))))
        (then (call $count (i32.const 2))))
      (call $count (i32.const 0))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (br_if $each (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))"#;

/// A good module of the neighbour's.
pub(super) fn neighbour(items: &str) -> String {
    let hostile = Hostile { items: items.to_owned(), own_callback: true, ..Hostile::default() };
    text(&hostile).unwrap_or_default()
}
