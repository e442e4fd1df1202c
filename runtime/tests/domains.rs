//! Trust domains: what lies in the rooms of one is never seen in another, and packets cross between them by copies.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod common;

use common::{Bench, each, module, packets, verdict};
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
fn scan(domain: &str, rooms: u64) -> ([u64; 3], u64) {
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

/// Row 21 of the tests: no room of another domain is ever seen. PERIGEE_ROOMS says of how many rooms.
#[test]
fn a_module_never_sees_the_rooms_of_another_domain() {
    let rooms = std::env::var("PERIGEE_ROOMS").ok().and_then(|rooms| rooms.parse().ok()).unwrap_or(1_000_000);
    let (found, seen) = scan("other", rooms);
    println!("{seen} rooms seen, canaries of the other domain: {found:?}");
    assert_eq!(found, [0; 3]);
}

#[test]
fn modules_of_one_domain_see_all_of_its_rooms() {
    let (found, _) = scan("own", 1);
    assert!(found.iter().all(|n| *n > 10_000), "{found:?}");
}

#[test]
fn what_is_known_of_a_packet_crosses_with_it() {
    let mark = format!("{} (i32.store offset=12 (local.get $d) (i32.const 77))", verdict(v::NEXT));
    // The mark, the port, and the length as the second module sees them.
    let show = format!(
        "{} (i32.store offset=20 (i32.load (local.get $d)) (i32.load offset=12 (local.get $d)))
         (i32.store16 offset=24 (i32.load (local.get $d)) (i32.load16_u offset=6 (local.get $d)))
         (i32.store16 offset=26 (i32.load (local.get $d)) (i32.load16_u offset=4 (local.get $d)))",
        verdict(v::NEXT)
    );
    let input: Vec<Vec<u8>> = [60, 61, 1_000, 1_514].iter().flat_map(|len| packets(10, *len)).collect();
    for (there, copied) in [("own", 0), ("other", 40)] {
        let bench = Bench::new();
        bench.module("mark.wat", &module(&each("process", &mark))).module("show.wat", &module(&each("process", &show)));
        bench.input(&input);
        let outcome = bench.run(&bench.config(&format!(
            "[[module]]\nname = \"mark\"\nfile = \"mark.wat\"\n[[module]]\nname = \"show\"\nfile = \"show.wat\"\ndomain = \
             \"{there}\"\n[[chain]]\nsource = {{ port = \"in\" }}\nstages = [\"mark\", \"show\"]\ntx = [\"out\"]\n"
        )));
        let expected = input.iter().map(|packet| {
            let len = u16::try_from(packet.len()).unwrap().to_le_bytes();
            let mut packet = packet.clone();
            packet[20..28].copy_from_slice(&[77, 0, 0, 0, 0, 0, len[0], len[1]]);
            packet
        });
        assert_eq!(outcome.out, expected.collect::<Vec<_>>());
        assert_eq!(outcome.summary.snapshot.chains[0].copied_in, copied);
    }
}

#[test]
fn a_port_that_two_domains_read_gives_each_its_copies() {
    let bench = Bench::new();
    bench.module("m.wat", &module(&each("process", &verdict(v::DROP))));
    let reader = |queue: u16, module: &str| {
        format!(
            "[[module]]\nname = \"{module}\"\nfile = \"m.wat\"\ndomain = \"{module}\"\n[[chain]]\nlcores = [0]\nsource = {{ \
             port = \"p\", queue = {queue} }}\nstages = [\"{module}\"]\n"
        )
    };
    let port = "[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n";
    let run = bench.start(&format!("{port}{}{}", reader(0, "first"), reader(1, "second"))).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let outcome = bench.finish(run);
    for chain in &outcome.summary.snapshot.chains {
        assert!(
            chain.received > 0 && chain.copied_in + chain.dropped.get("no_room").unwrap_or(&0) == chain.received,
            "{chain:?}"
        );
    }
}

#[test]
fn without_a_room_to_copy_into_a_packet_is_dropped_by_name() {
    // The second module holds as many packets as its domain has rooms for copies.
    let bench = Bench::new();
    bench.module("a.wat", &module(&each("process", &verdict(v::NEXT))));
    bench.module("b.wat", &module(&each("process", &verdict(v::HOLD)))).input(&packets(3_000, 60));
    let outcome = bench.run(&bench.config(
        "[[module]]\nname = \"a\"\nfile = \"a.wat\"\n[[module]]\nname = \"b\"\nfile = \"b.wat\"\ndomain = \"b\"\ngrants = { \
         hold = 4000, hold_age = \"1h\" }\n[[chain]]\nsource = { port = \"in\" }\nstages = [\"a\", \"b\"]\ntx = [\"out\"]\n",
    ));
    assert_eq!((outcome.dropped("no_room"), outcome.dropped("stop")), (3_000 - 2_047, 2_047));
}
