//! Backpressure: a ring that is full stops the flows that go there where they come in, and no others.

use perigee_abi::verdict as v;
use perigee_lab::{Bench, check, each, module, verdict};
use perigee_runtime::ChainStats;
use perigee_runtime::sim::Outcome;

/// Flows of frames without IP, told apart by their source address: those whose number is even go into the first ring.
const NUMBER: usize = 8;

/// Chains A, B and C: of what comes at 10 Gbit/s, A hands every other flow to B and lets the others go, B hands all to C, and
/// C is the slowest by far.
const LINE: &str = r#"
[run]
duration = "5ms"
[[port]]
name = "load"
device = "wire:lab,end=a,rate=10G"
rx_descriptors = 256
tx_descriptors = 256
[[port]]
name = "in"
device = "wire:lab,end=b"
rx_descriptors = 256
tx_descriptors = 256
[[port]]
name = "out"
device = "wire:away,end=a"
rx_descriptors = 256
tx_descriptors = 256
[[port]]
name = "away"
device = "wire:away,end=b"
rx_descriptors = 256
tx_descriptors = 256
[[ring]]
name = "to-b"
size = 1024
[[ring]]
name = "to-c"
size = 1024
backpressure = { high = "50%", low = "25%" }
[[module]]
name = "gen"
file = "gen.wat"
[[module]]
name = "split"
file = "split.wat"
grants = { rings = ["to-b"] }
[[module]]
name = "hand-on"
file = "hand-on.wat"
grants = { rings = ["to-c"] }
[[chain]]
name = "generate"
source = { module = "gen" }
tx = ["load"]
[[chain]]
name = "a"
source = { port = "in" }
stages = ["split"]
tx = ["out"]
[[chain]]
name = "b"
source = { ring = "to-b" }
stages = ["hand-on"]
[[chain]]
name = "c"
source = { ring = "to-c" }
tx = ["out"]
[sim.costs]
a = { packet = "100ns" }
b = { packet = "50ns" }
c = { packet = "2us" }
"#;

/// Makes frames of 32 flows in turn.
fn generator() -> String {
    let body = format!(
        "(i64.store (i32.load (local.get $d)) (i64.const 0x0002_0200_0000_0002))
         (i32.store offset={NUMBER} (i32.load (local.get $d)) (i32.and (i32.load (i32.const 1024)) (i32.const 31)))
         (i32.store16 offset=12 (i32.load (local.get $d)) (i32.const 0xb588))
         (i32.store (i32.const 1024) (i32.add (i32.load (i32.const 1024)) (i32.const 1)))
         {}",
        verdict(v::NEXT)
    );
    module(&each("generate", &body))
}

/// Even flows go into the first ring, the others on.
fn split() -> String {
    let odd = format!("(i32.and (i32.load8_u offset={NUMBER} (i32.load (local.get $d))) (i32.const 1))");
    let verdicts = format!("(i32.const {}) (i32.const {})", v::NEXT, v::ring(0));
    module(&each("process", &format!("(i32.store offset=8 (local.get $d) (select {verdicts} {odd}))")))
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.module("gen.wat", &generator()).module("split.wat", &split());
    bench.module("hand-on.wat", &module(&each("process", &verdict(v::ring(1)))));
    bench
}

fn chain<'a>(outcome: &'a Outcome, name: &str) -> &'a ChainStats {
    outcome.summary.snapshot.chains.iter().find(|chain| chain.name == name).unwrap()
}

fn dropped(outcome: &Outcome, name: &str, cause: &str) -> u64 {
    chain(outcome, name).dropped.get(cause).copied().unwrap_or(0)
}

#[test]
fn what_the_last_chain_would_drop_is_not_taken_by_the_first() {
    let bench = bench();
    let run = |text: &str| {
        let outcome = bench.simulate(text, 1).unwrap();
        assert_eq!(outcome.broken, Vec::<String>::new());
        check(&outcome.summary);
        outcome
    };
    let without = run(&LINE.replace("backpressure = { high = \"50%\", low = \"25%\" }\n", ""));
    let with = run(LINE);
    assert_eq!(run(LINE).digest, with.digest, "a seed gives the same again");

    // Without: A and B work for what B then drops at C's ring, and the port has no room for what A cannot take meanwhile.
    assert!(dropped(&without, "b", "ring_full") > 15_000, "{without:#?}");
    assert_eq!((dropped(&without, "a", "backpressure"), without.summary.snapshot.rings[1].backpressure), (0, None));
    // With: that is dropped where it comes in, and nothing behind that.
    assert!(dropped(&with, "a", "backpressure") > 15_000, "{with:#?}");
    assert_eq!((dropped(&with, "b", "ring_full"), dropped(&with, "a", "ring_full")), (0, 0));
    // C is busy for all of the 5 ms, and A's time is the other flows'.
    let fast = |outcome| chain(outcome, "a").sent;
    assert!(chain(&with, "c").sent > 2_450, "{}", chain(&with, "c").sent);
    assert!(fast(&with) * 10 >= fast(&without) * 14, "{} {}", fast(&with), fast(&without));
    // None of these is stopped: all that the port had are gone.
    let came = chain(&with, "a").received;
    assert!(came - chain(&with, "a").dropped_total() - chain(&with, "a").to_ring == fast(&with));
    assert!(fast(&with) * 2 + 2 >= came, "{} of {came}", fast(&with));

    // The ring fills up and empties, and says so.
    let pressed = with.summary.snapshot.rings[1].backpressure.unwrap();
    assert!(pressed.times > 3 && pressed.ns > 1_000_000 && pressed.ns < 5_000_000, "{pressed:?}");
    // From 512 to 256 packets of 2 us each: it presses no less often than it empties, and no more often.
    assert!((pressed.ns / pressed.times).abs_diff(512_000) < 150_000, "{pressed:?}");
}

/// A generator in front of the rings: one that waits makes no more, one that drops does so before the first ring.
#[test]
fn generators_are_stopped_too() {
    let bench = bench();
    let generator = r#"[[chain]]
name = "generate"
source = { module = "gen" }
tx = ["load"]
"#;
    let direct = LINE
        .replace(generator, "")
        .replace("source = { port = \"in\" }", "source = { module = \"gen\" }\nwhen_full = \"WHEN\"");
    let run = |when: &str| {
        let outcome = bench.simulate(&direct.replace("WHEN", when), 1).unwrap();
        assert_eq!(outcome.broken, Vec::<String>::new());
        check(&outcome.summary);
        outcome
    };
    let drops = run("drop");
    assert!(dropped(&drops, "a", "backpressure") > 10_000 && dropped(&drops, "b", "ring_full") == 0, "{drops:#?}");
    let waits = run("wait");
    assert_eq!(chain(&waits, "a").dropped_total(), dropped(&waits, "a", "stop"), "{waits:#?}");
    assert_eq!(dropped(&waits, "b", "ring_full"), 0);
    assert!(chain(&waits, "c").sent * 100 >= chain(&drops, "c").sent * 95, "C is busy all the time");
}

/// In a run, whose lcores work at the same time: flows that go to the slow chain are stopped, and of the others none is missing.
#[test]
fn a_run_stops_no_other_flow() {
    let bench = Bench::new();
    let frames: Vec<Vec<u8>> = (0..40_000_u32)
        .map(|number| {
            let mut frame = vec![2; 60];
            frame[NUMBER..NUMBER + 4].copy_from_slice(&(number & 31).to_le_bytes());
            (frame[12], frame[13]) = (0x88, 0xb5);
            frame[14..18].copy_from_slice(&number.to_be_bytes());
            frame
        })
        .collect();
    // Some 20 us for each packet.
    let slow = "(local.set $left (i32.const 20000)) (loop (br_if 0 (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))";
    let slow = each("process", slow).replace("(local $i i32)", "(local $i i32) (local $left i32)");
    bench.module("split.wat", &split()).module("slow.wat", &module(&slow));
    bench.input(&frames);
    let outcome = bench.run(&bench.config(
        r#"
[[ring]]
name = "r"
size = 512
backpressure = { high = 0.5, low = 0.1 }
[[module]]
name = "split"
file = "split.wat"
grants = { rings = ["r"] }
[[module]]
name = "slow"
file = "slow.wat"
grants = { deadline = "1s" }
[[chain]]
source = { port = "in" }
stages = ["split"]
tx = ["out"]
[[chain]]
source = { ring = "r" }
stages = ["slow"]
"#,
    ));
    let odd: Vec<Vec<u8>> = frames.into_iter().filter(|frame| frame[NUMBER] & 1 == 1).collect();
    assert_eq!(outcome.out.len(), odd.len());
    assert_eq!(outcome.out, odd);
    assert!(outcome.dropped("backpressure") > 5_000, "{:#?}", outcome.summary);
    assert_eq!(outcome.dropped("backpressure") + outcome.dropped("verdict") + outcome.dropped("ring_full"), 20_000);
    assert!(outcome.summary.snapshot.rings[0].backpressure.unwrap().times > 0);
}
