//! Modules for swaps: a generator that numbers its packets, functions that pass them on, and a checker that finds out what is
//! missing, came twice or out of order.

use crate::{MAILBOX, OUT_COUNT, OUTPUTS, each, module, verdict};
use perigee_abi::verdict as v;

/// Where a packet's number stands: behind the Ethernet header.
pub const NUMBER: u32 = 14;

/// Flag of the last call, and where the flags of a batch stand.
pub const DRAIN: u32 = 4;
const FLAGS: u32 = 65_536 + 4;

/// `save` and `restore` of the `n` 64-bit words at address 1024; another length is refused.
pub fn words(n: u32) -> String {
    let bytes = 8 * n;
    format!(
        r#"(func (export "save") (result i32)
    (memory.copy (i32.const {MAILBOX}) (i32.const 1024) (i32.const {bytes}))
    (i32.const {bytes}))
  (func (export "restore") (param $len i32) (result i32)
    (if (i32.ne (local.get $len) (i32.const {bytes})) (then (return (i32.const -1))))
    (memory.copy (i32.const 1024) (i32.const {MAILBOX}) (i32.const {bytes}))
    (i32.const 0))"#
    )
}

/// Numbers its packets from 0, in the 64 bits at address 1024. `build` tells one build from another.
pub fn generator(build: u32) -> String {
    let body = format!(
        "(i64.store offset={NUMBER} (i32.load (local.get $d)) (i64.load (i32.const 1024)))
         (i64.store (i32.const 1024) (i64.add (i64.load (i32.const 1024)) (i64.const 1)))
         {}",
        verdict(v::NEXT)
    );
    let prefill = format!(
        "(i64.store (i32.load (local.get $d)) (i64.const 0x0002_0200_0000_0002))
         (i32.store offset=8 (i32.load (local.get $d)) (i32.const {build}))
         (i32.store16 offset=12 (i32.load (local.get $d)) (i32.const 0xb588))"
    );
    module(&format!("{} {} {}", each("generate", &body), each("prefill", &prefill), words(1)))
}

/// Passes its packets on. `build` tells one build from another.
pub fn function(build: u32) -> String {
    let body = format!("(drop (i32.const {build})) {}", verdict(v::NEXT));
    module(&each("process", &body))
}

/// As [`function`], and counts them in a state that moves.
pub fn counting(build: u32) -> String {
    let body = format!(
        "(drop (i32.const {build}))
         (i64.store (i32.const 1024) (i64.add (i64.load (i32.const 1024)) (i64.const 1)))
         {}",
        verdict(v::NEXT)
    );
    module(&format!("{} {} {}", each("process", &body), words(1), answer(1024)))
}

/// Holds every packet, and remembers its descriptor. Gives all back in the tick that has one of the flags; 0: in any.
pub fn holder(flags: u32) -> String {
    let hold = format!(
        "{} (memory.copy
           (i32.add (i32.const 1032) (i32.mul (i32.load (i32.const 1024)) (i32.const 64))) (local.get $d) (i32.const 64))
         (i32.store (i32.const 1024) (i32.add (i32.load (i32.const 1024)) (i32.const 1)))",
        verdict(v::HOLD)
    );
    let when = if flags == 0 {
        "(i32.const 1)".to_owned()
    } else {
        format!("(i32.and (i32.load (i32.const {FLAGS})) (i32.const {flags}))")
    };
    let tick = format!(
        r#"(func (export "tick") (local $i i32) (local $to i32)
    (if (i32.eqz {when}) (then (return)))
    (block (loop
      (br_if 1 (i32.ge_u (local.get $i) (i32.load (i32.const 1024))))
      (local.set $to (i32.add (i32.const {OUTPUTS}) (i32.mul (local.get $i) (i32.const 64))))
      (memory.copy (local.get $to)
        (i32.add (i32.const 1032) (i32.mul (local.get $i) (i32.const 64))) (i32.const 64))
      (i32.store offset=8 (local.get $to) (i32.const {next}))
      (i32.store offset=44 (local.get $to) (i32.const 0x20000))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br 0)))
    (i32.store (i32.const {OUT_COUNT}) (local.get $i))
    (i32.store (i32.const 1024) (i32.const 0)))"#,
        next = v::NEXT
    );
    module(&format!("{} {tick} {}", each("process", &hold), words(1 + 8 * 100)))
}

/// Answers each message with the 64 bits at an address.
pub fn answer(address: u32) -> String {
    format!(
        r#"(func (export "message") (param $len i32) (result i32)
    (i64.store (i32.const {MAILBOX}) (i64.load (i32.const {address}))) (i32.const 8))"#
    )
}

/// Drops its packets, and looks at their numbers: words of its state are the number that comes next, how many came, how many
/// are missing, how many came late or twice. Answers a message with all four.
pub fn checker(build: u32) -> String {
    checker_with(build, &add(3, "(i64.const 1)"))
}

/// As [`checker`], but one that comes late or twice is a trap.
pub fn strict_checker(build: u32) -> String {
    checker_with(build, "(unreachable)")
}

/// Adds to a word of the state.
fn add(word: u32, by: &str) -> String {
    let at = 1_024 + 8 * word;
    format!("(i64.store (i32.const {at}) (i64.add (i64.load (i32.const {at})) {by}))")
}

fn checker_with(build: u32, late: &str) -> String {
    let body = format!(
        "(local.set $n64 (i64.load offset={NUMBER} (i32.load (local.get $d))))
         {came}
         (if (i64.lt_u (local.get $n64) (i64.load (i32.const 1024)))
           (then {late})
           (else
             {missing}
             (i64.store (i32.const 1024) (i64.add (local.get $n64) (i64.const 1)))))",
        came = add(1, "(i64.const 1)"),
        missing = add(2, "(i64.sub (local.get $n64) (i64.load (i32.const 1024)))"),
    );
    let process = each("process", &body).replace("(local $i i32)", "(local $i i32) (local $n64 i64)");
    module(&format!(
        r#"(global $build i32 (i32.const {build})) {process} {}
  (func (export "message") (param $len i32) (result i32)
    (memory.copy (i32.const {MAILBOX}) (i32.const 1024) (i32.const 32)) (i32.const 32))"#,
        words(4)
    ))
}

/// What a checker has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub next: u64,
    pub came: u64,
    pub missing: u64,
    pub late: u64,
}

impl Seen {
    /// From a checker's answer.
    pub fn read(answer: &[u8]) -> Self {
        let word = |i: usize| u64::from_le_bytes(answer[8 * i..8 * i + 8].try_into().expect("eight bytes"));
        Self { next: word(0), came: word(1), missing: word(2), late: word(3) }
    }
}

/// Generator, net_ring port, function, ring, checker: nothing waits nowhere for ever, nothing is dropped on purpose.
pub const LINE: &str = r#"
[run]
idle = "spin"
[[port]]
name = "wire"
device = "net_ring0"
# Without a port of its own the function's chain would send on the wire too.
[[port]]
name = "sink"
device = "net_null0"
[[ring]]
name = "r"
size = 4096
[[module]]
name = "gen"
file = "gen.wat"
[module.grants]
deadline = "50ms"
tx = ["wire"]
[[module]]
name = "fn"
file = "fn.wat"
[module.grants]
deadline = "50ms"
[[module]]
name = "to-ring"
file = "to-ring.wat"
[module.grants]
rings = ["r"]
[[module]]
name = "check"
file = "check.wat"
[module.grants]
deadline = "50ms"
[[chain]]
name = "generate"
source = { module = "gen", pool = 4095 }
tx = ["wire"]
when_full = "wait"
lcores = [0]
[[chain]]
name = "forward"
source = { port = "wire" }
stages = ["fn", "to-ring"]
tx = ["sink"]
when_full = "wait"
lcores = [1]
[[chain]]
name = "check"
source = { ring = "r" }
stages = ["check"]
tx = ["sink"]
lcores = [0]
"#;

/// Puts every packet into ring 0.
pub fn to_ring() -> String {
    module(&each("process", &verdict(v::ring(0))))
}
