//! Memory full of canaries in one trust domain, and modules of another that look for them.

use crate::{Bench, each, module, verdict};
use perigee_abi::verdict as v;
use std::time::{Duration, Instant};

/// Eight bytes that no packet has, and no module's memory. All alike, so that they are found at any place.
const CANARY: u64 = 0xc5c5_c5c5_c5c5_c5c5;
/// Header of the batch area: where the window lies, and how long it is.
const WINDOW: u32 = 65_536 + 48;
const COUNTERS: u32 = 65_536 + 1_152;

/// A generator that fills its whole window with canaries, and sends packets without any: to the next stage, into the ring,
/// to the port "wire".
fn filler() -> String {
    let body = format!(
        "(memory.fill (i32.load (local.get $d)) (i32.const 17) (i32.const 64))
         (i32.store offset=8 (local.get $d) (select (i32.const {}) (select (i32.const {}) (i32.const {}) (i32.eqz (i32.rem_u \
         (local.get $i) (i32.const 3)))) (i32.eq (i32.rem_u (local.get $i) (i32.const 3)) (i32.const 1))))",
        v::ring(0),
        v::NEXT,
        v::tx(0)
    );
    module(&format!(
        r#"(func (export "init") (param i32) (result i32) (local $at i32) (local $end i32)
    (local.set $at (i32.load (i32.const {WINDOW})))
    (local.set $end (i32.add (local.get $at) (i32.load offset=4 (i32.const {WINDOW}))))
    (loop
      (i64.store (local.get $at) (i64.const 0x{CANARY:x}))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if 0 (i32.lt_u (local.get $at) (local.get $end))))
    (i32.const 0))
  {}"#,
        each("generate", &body)
    ))
}

/// A stage that looks for canaries in all of its memory, with each batch, and counts them and the rooms that it has seen.
fn scanner() -> String {
    let scan = format!(
        r#"(if (local.get $n) (then
      (loop
        (if (i64.eq (i64.load (local.get $at)) (i64.const 0x{CANARY:x})) (then
          (i64.store (i32.const {COUNTERS}) (i64.add (i64.load (i32.const {COUNTERS})) (i64.const 1)))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if 0 (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
      (i64.store offset=8 (i32.const {COUNTERS}) (i64.add (i64.load offset=8 (i32.const {COUNTERS}))
        (i64.extend_i32_u (i32.div_u (i32.load offset=4 (i32.const {WINDOW})) (i32.const 2240)))))))"#
    );
    let process = each("process", &verdict(v::NEXT));
    let process = process.replace("(local $i i32)", "(local $i i32) (local $at i32)");
    let (head, rest) = process.split_once("(local.set $d").unwrap();
    module(&format!(
        r#"(data (i32.const 1024) "canariesrooms")
  (func (export "init") (param i32) (result i32)
    (call $counter (i32.const 0) (i32.const 1024) (i32.const 8))
    (call $counter (i32.const 1) (i32.const 1032) (i32.const 5))
    (i32.const 0))
  {head}{scan}(local.set $d{rest}"#
    ))
}

/// The filler's packets come to scanners over all borders that there are: from stage to stage, by a ring, by a port.
fn borders(domain: &str) -> String {
    let scanner = "stages = [\"scan\"]\ntx = [\"sink\"]\n";
    format!(
        r#"
[run]
burst = 16
watchdog = "30s"
[[port]]
name = "wire"
device = "net_ring0"
pool = 20000
[[port]]
name = "sink"
device = "net_null0"
[[ring]]
name = "r"
[[module]]
name = "fill"
file = "fill.wat"
grants = {{ tx = ["wire"], rings = ["r"] }}
[[module]]
name = "scan"
file = "scan.wat"
domain = "{domain}"
grants = {{ hostcalls = ["counter"], deadline = "10s" }}
[[chain]]
lcores = [0]
source = {{ module = "fill" }}
stages = ["scan"]
tx = ["sink", "wire"]
when_full = "drop"
[[chain]]
lcores = [0]
source = {{ ring = "r" }}
{scanner}
[[chain]]
lcores = [0]
source = {{ port = "wire" }}
{scanner}
"#
    )
}

/// Canaries and rooms that the scanners of all three chains have seen, of at least so many rooms.
pub fn scan(domain: &str, rooms: u64) -> ([u64; 3], u64) {
    let bench = Bench::new();
    bench.module("fill.wat", &filler()).module("scan.wat", &scanner());
    let run = bench.start(&borders(domain)).unwrap_or_else(|e| panic!("{e}"));
    let begin = Instant::now();
    let seen = || run.snapshot().modules.iter().filter_map(|m| m.counters.get("rooms").copied()).sum::<u64>();
    while seen() < rooms {
        let limit =
            Duration::from_secs(30) + Duration::from_micros(100) * u32::try_from(rooms / 10).unwrap_or(u32::MAX);
        assert!(begin.elapsed() < limit, "{} of {rooms} rooms", seen());
        std::thread::sleep(Duration::from_millis(20));
    }
    let outcome = bench.finish(run);
    let scanners: Vec<_> = outcome.summary.snapshot.modules.iter().filter(|m| m.name == "scan").collect();
    assert!(scanners.iter().all(|m| m.counters["rooms"] > 0), "packets came over each border: {scanners:#?}");
    let copied: Vec<u64> = outcome.summary.snapshot.chains.iter().map(|chain| chain.copied_in).collect();
    assert!(copied.iter().all(|n| (*n > 0) == (domain != "own")), "{copied:?}");
    let found: Vec<u64> = scanners.iter().map(|m| m.counters["canaries"]).collect();
    (found.try_into().unwrap(), scanners.iter().map(|m| m.counters["rooms"]).sum())
}
