//! A state region that instances of another module read: who sees what, and when; swaps and failures of either.

use perigee_abi::verdict as v;
use perigee_lab::{Bench, MAILBOX, each, module, verdict};
use perigee_runtime::{Error, Run, SwapOptions, config::Config};
use std::time::{Duration, Instant};

/// Of the header: where the state region is.
const STATE: u32 = 65_536 + 104;

/// A module with a state region of 64 KiB behind its window, and `items` in it. `$at` gives its address, `$region` asks the host.
fn with_region(items: &str, len: u32) -> String {
    let process = each("process", &verdict(v::DROP));
    let text = module(&format!(
        r#"(global (export "perigee_state") i32 (i32.const 72089600))
  (global (export "perigee_state_len") i32 (i32.const {}))
  (func $at (result i32) (i32.load (i32.const {STATE})))
  (func (export "restore") (param i32) (result i32) (i32.const 0))
  {items} {process}"#,
        (2 << 20) + len
    ));
    let import = "(import \"perigee\" \"region\" (func $region (param i32) (result i64)))\n  (memory (export";
    text.replacen("(memory (export", import, 1)
        .replace("(memory (export \"memory\") 1100)", "(memory (export \"memory\") 1200)")
}

/// Counts in the first word of its region at each tick. A message asks for that word, the first of its second page, and what the host
/// says of the region: whose it is, a new turn, and the turn that all have reached.
fn writer(build: u32) -> String {
    with_region(
        &format!(
            r#"(data (i32.const 2048) "{build}")
  (func (export "tick")
    (i64.store (call $at) (i64.add (i64.load (call $at)) (i64.const 1)))
    (i64.store offset=4096 (call $at) (i64.const 7)))
  (func (export "message") (param i32) (result i32)
    (i64.store (i32.const {MAILBOX}) (i64.load (call $at)))
    (i64.store offset=8 (i32.const {MAILBOX}) (i64.load offset=4096 (call $at)))
    (i64.store offset=16 (i32.const {MAILBOX}) (call $region (i32.const 0)))
    (i64.store offset=24 (i32.const {MAILBOX}) (call $region (i32.const 1)))
    (i64.store offset=32 (i32.const {MAILBOX}) (call $region (i32.const 2)))
    (i32.const 40))"#
        ),
        65_536,
    )
}

/// Tells what it sees there, as the writer does. Told one byte, it writes into the second page first; told two, it traps.
fn reader(build: u32) -> String {
    with_region(
        &format!(
            r#"(data (i32.const 2048) "{build}")
  (func (export "message") (param $len i32) (result i32)
    (if (i32.eq (local.get $len) (i32.const 2)) (then unreachable))
    (if (i32.eq (local.get $len) (i32.const 1)) (then
      (memory.fill (i32.add (call $at) (i32.const 4096)) (i32.const 0xee) (i32.const 4096))))
    (i64.store (i32.const {MAILBOX}) (i64.load (call $at)))
    (i64.store offset=8 (i32.const {MAILBOX}) (i64.load offset=4096 (call $at)))
    (i64.store offset=16 (i32.const {MAILBOX}) (call $region (i32.const 0)))
    (i32.const 24))"#
        ),
        65_536,
    )
}

const CONFIG: &str = r#"
[[port]]
name = "p"
device = "net_null0"
[[port]]
name = "q"
device = "net_null1"
[[port]]
name = "r"
device = "net_null2"
[[module]]
name = "writer"
file = "writer.wat"
[[module]]
name = "reader"
file = "reader.wat"
on_fault = "closed"
grants = { state_of = "writer" }
[[chain]]
name = "writes"
lcores = [0]
source = { port = "p" }
stages = ["writer"]
[[chain]]
name = "reads"
lcores = [0]
source = { port = "q" }
stages = ["reader"]
[[chain]]
name = "reads too"
lcores = [1]
source = { port = "r" }
stages = ["reader"]
"#;

fn start(bench: &Bench) -> Run {
    bench.module("writer.wat", &writer(0)).module("reader.wat", &reader(0));
    bench.start(CONFIG).unwrap()
}

/// The numbers that instances answer.
fn asked(run: &Run, name: &str, message: &[u8]) -> Vec<Vec<u64>> {
    let words = |answer: &Vec<u8>| answer.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
    run.message(name, message).unwrap().iter().map(words).collect()
}

fn count(run: &Run) -> u64 {
    asked(run, "writer", b"")[0][0]
}

/// What both readers see of the count.
fn seen(run: &Run) -> Vec<u64> {
    asked(run, "reader", b"").iter().map(|words| words[0]).collect()
}

fn until(run: &Run, mut what: impl FnMut(&Run) -> bool) {
    let begin = Instant::now();
    while !what(run) {
        assert!(begin.elapsed() < Duration::from_secs(20), "{:#?} {:#?}", run.snapshot().modules, run.swaps());
        // Graces end, and failures in them are heard of, when the run is looked at.
        let _ = run.snapshot();
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn options(grace: Duration, fresh: bool) -> SwapOptions {
    let mut options = SwapOptions::default();
    (options.grace, options.fresh) = (grace, fresh);
    options
}

#[test]
fn what_one_writes_the_others_see_and_change_for_nobody() {
    let bench = Bench::new();
    let run = start(&bench);
    until(&run, |run| seen(run).iter().all(|seen| *seen > 20));
    let before = count(&run);
    until(&run, |run| seen(run).iter().all(|seen| *seen >= before));
    assert!(asked(&run, "reader", b"").iter().all(|words| words[2] == 2), "it is another's");
    assert_eq!(asked(&run, "writer", b"")[0][2], 0, "it is its own");
    // What a reader stores it sees itself, and nobody else does; the rest goes on for it.
    let stored = asked(&run, "reader", b"x");
    assert!(stored.iter().all(|words| words[1] == 0xeeee_eeee_eeee_eeee), "{stored:x?}");
    assert_eq!(asked(&run, "writer", b"")[0][1], 7);
    let before = count(&run);
    until(&run, |run| seen(run).iter().all(|seen| *seen > before));
    // Turns are reached while readers are called.
    let turn = asked(&run, "writer", b"")[0][3];
    until(&run, |run| asked(run, "writer", b"")[0][4] > turn);
    let words = &asked(&run, "writer", b"")[0];
    assert!(words[4] <= words[3], "{words:?}");
    bench.finish(run);
}

#[test]
fn nobody_waits_for_a_reader_that_has_failed_or_was_replaced() {
    let bench = Bench::new();
    let run = start(&bench);
    until(&run, |run| seen(run).iter().all(|seen| *seen > 20));
    let report = run.swap("reader", reader(1).as_bytes(), &options(Duration::from_secs(60), false)).unwrap();
    assert_eq!(report.lost, 0, "{report:#?}");
    // The old ones may go on, and are not called meanwhile.
    let turn = asked(&run, "writer", b"")[0][3];
    until(&run, |run| asked(run, "writer", b"")[0][4] > turn);
    let before = count(&run);
    until(&run, |run| seen(run).iter().all(|seen| *seen > before));
    let report = run.swap("reader", reader(2).as_bytes(), &options(Duration::ZERO, false)).unwrap();
    assert_eq!(report.lost, 0, "{report:#?}");
    run.message("reader", b"xx").unwrap_err();
    let turn = asked(&run, "writer", b"")[0][3];
    until(&run, |run| asked(run, "writer", b"")[0][4] > turn);
    let outcome = bench.finish(run);
    assert!(outcome.summary.snapshot.modules.iter().any(|module| module.failed.is_some()));
}

#[test]
fn a_new_writer_goes_on_once_the_old_one_is_gone() {
    let bench = Bench::new();
    let run = start(&bench);
    until(&run, |run| seen(run).iter().all(|seen| *seen > 20));
    let report = run.swap("writer", writer(1).as_bytes(), &options(Duration::from_millis(300), false)).unwrap();
    assert!(report.lost == 0 && report.seats[0].region_bytes == 65_536, "{report:#?}");
    let at_switch = seen(&run);
    // It counts, and readers see what was, as long as the old one may go on; then what is.
    assert_eq!(asked(&run, "writer", b"")[0][2], 1, "it is to wait");
    until(&run, |run| count(run) > at_switch[0] + 20);
    assert_eq!(seen(&run), at_switch);
    until(&run, |run| asked(run, "writer", b"")[0][2] == 0);
    let before = count(&run);
    until(&run, |run| seen(run).iter().all(|seen| *seen > before));

    // One that fails gives way: the old one goes on with what it had, before the eyes of all.
    let traps = "(func (export \"message\") (param $len i32) (result i32)
    (if (i32.eq (local.get $len) (i32.const 2)) (then unreachable))";
    let failing = writer(2).replace("(func (export \"message\") (param i32) (result i32)", traps);
    run.swap("writer", failing.as_bytes(), &options(Duration::from_secs(60), false)).unwrap();
    let at_switch = seen(&run);
    until(&run, |run| count(run) > at_switch[0] + 20);
    run.message("writer", b"xx").unwrap_err();
    until(&run, |run| run.swaps().rolled_back == 1);
    assert!(count(&run) < at_switch[0] + 1_000 && asked(&run, "writer", b"")[0][2] == 0);
    let before = count(&run);
    until(&run, |run| seen(run).iter().all(|seen| *seen > before));

    // One without state begins anew, and all look there.
    let far = count(&run) + 100;
    until(&run, |run| seen(run).iter().all(|seen| *seen > far));
    let report = run.swap("writer", writer(3).as_bytes(), &options(Duration::ZERO, true)).unwrap();
    assert_eq!(report.lost, 0, "{report:#?}");
    until(&run, |run| seen(run).iter().all(|seen| *seen < far));
    let before = count(&run);
    until(&run, |run| seen(run).iter().all(|seen| *seen > before));
    bench.finish(run);
}

#[test]
fn what_cannot_be_read_is_refused_before_the_start() {
    let refused = |from: &str, to: &str| {
        assert!(CONFIG.contains(from), "{from}");
        Config::parse(&CONFIG.replacen(from, to, 1), "test.toml").unwrap_err().to_string()
    };
    let unknown = refused("state_of = \"writer\"", "state_of = \"wirter\"");
    assert!(unknown.contains("unknown module \"wirter\"; did you mean \"writer\"?"), "{unknown}");
    let own = refused("state_of = \"writer\"", "state_of = \"reader\"");
    assert!(own.contains("its own state region"), "{own}");
    let domain = refused("file = \"writer.wat\"", "file = \"writer.wat\"\ndomain = \"other\"");
    assert!(domain.contains("another trust domain"), "{domain}");
    let two = refused("name = \"writes\"\nlcores = [0]", "name = \"writes\"\nlcores = [0, 1]");
    assert!(two.contains("has 2 instances"), "{two}");
    let none = refused("stages = [\"writer\"]", "stages = []");
    assert!(none.contains("has 0 instances"), "{none}");
    let chain = refused("file = \"writer.wat\"", "file = \"writer.wat\"\ngrants = { state_of = \"reader\" }");
    assert!(chain.contains("reads another's itself"), "{chain}");

    let bench = Bench::new();
    bench.module("writer.wat", &writer(0)).module("reader.wat", &with_region("", 8_192));
    let unfit = bench.start(CONFIG).unwrap_err().to_string();
    assert!(unfit.contains("\"reader\"") && unfit.contains("65536 bytes") && unfit.contains("one of 8192"), "{unfit}");
    bench.module("reader.wat", &module(&each("process", "")));
    let without = bench.start(CONFIG).unwrap_err().to_string();
    assert!(without.contains("one of 0"), "{without}");
    let run = start(&bench);
    let swapped = run.swap("reader", with_region("", 8_192).as_bytes(), &options(Duration::ZERO, true));
    assert!(matches!(&swapped, Err(Error::Swap { step: "check", .. })), "{swapped:?}");
    bench.finish(run);
}

/// There is no other question, and an instance that asks one is at fault itself.
#[test]
fn a_question_that_there_is_not_traps() {
    let bench = Bench::new();
    let asks = with_region(
        "(func (export \"init\") (param i32) (result i32) (drop (call $region (i32.const 3))) (i32.const 0))",
        65_536,
    );
    bench.module("writer.wat", &asks).module("reader.wat", &reader(0));
    let error = bench.start(CONFIG).unwrap_err().to_string();
    assert!(error.contains("there is no question 3"), "{error}");
}

/// In virtual time: the same again by the same seed, over swaps of both and failures.
#[test]
fn a_simulation_reads_the_same_again() {
    let bench = Bench::new();
    perigee_lab::simulated::lay_modules(&bench.path(""));
    bench.module("writer.wat", &writer(0)).module("writer2.wat", &writer(1));
    // It marks packets with what it sees.
    let marks = format!("{} (i32.store offset=12 (local.get $d) (i32.load (call $at)))", verdict(v::NEXT));
    let marking = |build: u32| {
        with_region(&format!("(data (i32.const 2048) \"{build}\")"), 65_536)
            .replace(&each("process", &verdict(v::DROP)), &each("process", &marks))
    };
    bench.module("fn.wat", &marking(0)).module("fn2.wat", &marking(1));
    let config = perigee_lab::simulated::LINE;
    let config = config.replace("stages = [\"fn\", \"to-ring\"]", "stages = [\"fn\", \"to-ring\", \"writer\"]");
    let config = config.replace("grants = { hold = 512 }", "grants = { hold = 512, state_of = \"writer\" }").replace(
        "[[chain]]\nname = \"generate\"",
        "[[module]]\nname = \"writer\"\nfile = \"writer.wat\"\n[[chain]]\nname = \"generate\"",
    ) + "[[sim.event]]\nat = \"1ms..3ms\"\nswap = { module = \"writer\", file = \"writer2.wat\", grace = \"200us\" }\n";
    let simulator = bench.simulator(&config).unwrap();
    let digest = |seed| {
        let outcome = simulator.simulate(seed, None, None).unwrap();
        assert_eq!(outcome.broken, Vec::<String>::new());
        outcome.digest
    };
    assert_eq!(digest(5), digest(5));
}
