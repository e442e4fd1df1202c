//! A changed configuration is applied while packets flow: stages come, go and move, modules are replaced; all of it or none.

use perigee_abi::verdict as v;
use perigee_lab::sequence::{DRAIN, LINE, Seen, answer, checker, counting, function, generator, holder, to_ring};
use perigee_lab::{Bench, CHAIN, check, each, module, packets, verdict};
use perigee_runtime::config::Config;
use perigee_runtime::load::Upload;
use perigee_runtime::{ApplyReport, Error, ModuleState, Run};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The configuration, and the files of its modules.
fn read(bench: &Bench, text: &str) -> (Config, BTreeMap<String, Upload>) {
    let config = Config::parse(text, "test.toml").unwrap_or_else(|e| panic!("{e}\n{text}"));
    let file = |name: &String| (name.clone(), Upload::from(std::fs::read(bench.path(name)).unwrap().as_slice()));
    let files = config.modules.iter().map(|module| file(&module.file)).collect();
    (config, files)
}

fn apply(bench: &Bench, run: &Run, text: &str) -> Result<ApplyReport, Error> {
    let (config, files) = read(bench, text);
    run.apply(&config, &files)
}

/// Numbered packets, a function and a checker, as in `swap.rs`.
fn line(bench: &Bench) -> Run {
    bench.module("gen.wat", &generator(0)).module("fn.wat", &counting(0)).module("other.wat", &function(7));
    bench.module("to-ring.wat", &to_ring()).module("check.wat", &checker(0));
    bench.start(LINE).unwrap()
}

/// What the checker has seen; it must be all that there was.
fn seen(run: &Run) -> Seen {
    let seen = Seen::read(&run.message("check", b"").unwrap()[0]);
    assert_eq!((seen.missing, seen.late, seen.next), (0, 0, seen.came), "{seen:?}");
    seen
}

fn wait_for(run: &Run, more: u64) -> Seen {
    let (begin, first) = (Instant::now(), seen(run).came);
    while seen(run).came < first + more {
        assert!(begin.elapsed() < Duration::from_secs(20), "packets do not come: {:#?}", run.snapshot());
        std::thread::sleep(Duration::from_millis(1));
    }
    seen(run)
}

/// What the function has counted.
fn counted(run: &Run) -> u64 {
    u64::from_le_bytes(run.message("fn", b"").unwrap()[0][..8].try_into().unwrap())
}

/// LINE with other stages in the chain `forward`, and further modules.
fn with_stages(stages: &str, modules: &str) -> String {
    let text = LINE.replace("stages = [\"fn\", \"to-ring\"]", &format!("stages = [{stages}]"));
    text.replacen("[[chain]]", &format!("{modules}[[chain]]"), 1)
}

const OTHER: &str = "[[module]]\nname = \"other\"\nfile = \"other.wat\"\n";

#[test]
fn stages_come_go_and_move_under_full_load() {
    let bench = Bench::new();
    let run = line(&bench);
    wait_for(&run, 10_000);
    let layouts = [
        ("\"other\", \"fn\", \"to-ring\"", OTHER),
        ("\"fn\", \"other\", \"to-ring\"", OTHER),
        ("\"fn\", \"other\", \"other\", \"to-ring\"", OTHER),
        ("\"fn\", \"to-ring\"", ""),
    ];
    let mut pauses = Vec::new();
    for round in 0..40 {
        let (stages, modules) = layouts[round % layouts.len()];
        let before = counted(&run);
        let report = apply(&bench, &run, &with_stages(stages, modules)).unwrap();
        assert!(report.restart.is_empty() && report.swaps.is_empty(), "{report:#?}");
        let [chain] = &report.chains[..] else { panic!("{report:#?}") };
        assert_eq!((chain.chain.as_str(), chain.lost, chain.held_dropped), ("forward", 0, 0));
        assert_eq!(chain.modules.join("\", \""), stages.trim_matches('"'));
        pauses.push(chain.pause_ns / 1_000);
        wait_for(&run, 10_000);
        // The instance that stayed is the one that it was.
        assert!(counted(&run) > before + 10_000, "{} after {before}", counted(&run));
        let names: Vec<_> = run.snapshot().modules.iter().map(|m| m.name.clone()).collect();
        assert_eq!(names.len(), 2 + stages.split(',').count(), "{names:?}");
    }
    pauses.sort_unstable();
    println!("40 changes of a chain under load: pause p50 {} us, longest {} us", pauses[20], pauses[39]);
    assert_eq!(run.snapshot().modules[1].installs, 0, "nobody has replaced the function");
    let last = seen(&run);
    let summary = run.stop();
    check(&summary);
    assert!(summary.accounting.received >= last.came, "{:?}", summary.accounting);
}

/// Two stages, of which the first holds 100 packets.
const HOLDING: &str = r#"
[[module]]
name = "h"
file = "hold.wat"
grants = { hold = 200, hold_age = "100s" }
[[module]]
name = "m"
file = "m.wat"
[[chain]]
source = { port = "in" }
stages = ["h", "m"]
tx = ["out"]
"#;

fn holding(bench: &Bench, input: &[Vec<u8>]) -> Run {
    bench.module("hold.wat", &holder(DRAIN)).module("m.wat", &function(0)).input(input);
    let run = bench.start(&bench.config(HOLDING)).unwrap();
    let begin = Instant::now();
    while run.snapshot().chains[0].held < 100 {
        assert!(begin.elapsed() < Duration::from_secs(10), "{:#?}", run.snapshot());
        std::thread::sleep(Duration::from_millis(2));
    }
    run
}

#[test]
fn a_stage_that_goes_gives_back_what_it_holds() {
    let (bench, input) = (Bench::new(), packets(100, 60));
    let run = holding(&bench, &input);
    let without = HOLDING.replace("stages = [\"h\", \"m\"]", "stages = [\"m\"]");
    let report = apply(&bench, &run, &bench.config(&without)).unwrap();
    assert_eq!(report.actions, ["change chain chain0 (stages [h, m] -> [m])"]);
    let chain = &report.chains[0];
    assert_eq!((chain.held_returned, chain.held_dropped, chain.lost), (100, 0, 0), "{report:#?}");
    assert_eq!(bench.finish(run).out, input);
}

#[test]
fn a_stage_that_stays_keeps_what_it_holds() {
    let (bench, input) = (Bench::new(), packets(100, 60));
    let run = holding(&bench, &input);
    for stages in ["\"h\"", "\"m\", \"h\"", "\"m\", \"h\", \"m\""] {
        let other = HOLDING.replace("stages = [\"h\", \"m\"]", &format!("stages = [{stages}]"));
        let report = apply(&bench, &run, &bench.config(&other)).unwrap();
        assert_eq!((report.chains[0].held_returned, report.chains[0].lost), (0, 0), "{report:#?}");
        assert_eq!(run.snapshot().chains[0].held, 100);
    }
    assert_eq!(bench.finish(run).out, input);
}

#[test]
fn a_change_that_is_refused_leaves_everything_as_it_was() {
    let bench = Bench::new();
    let run = line(&bench);
    bench.module("trap.wat", &module(&each("process", "unreachable")));
    let init = "(func (export \"init\") (param i32) (result i32) (i32.const -1))";
    bench.module("no.wat", &module(&format!("{} {init}", each("process", &verdict(v::NEXT)))));
    let entry = |file: &str| format!("[[module]]\nname = \"other\"\nfile = \"{file}\"\n");
    let more = "\"other\", \"fn\", \"to-ring\"";
    let (before, names) = (counted(&run), ["gen", "fn", "to-ring", "check"]);
    let cases = [
        // A module that comes new does not start, or not live.
        (with_stages(more, &entry("no.wat")), "init"),
        (with_stages(more, &entry("trap.wat")), "canary"),
        // The chains are changed already when a swap is refused.
        (with_stages("\"other\", \"to-ring\"", OTHER).replace("\"check.wat\"", "\"trap.wat\""), "\"check\""),
        (with_stages("\"other\", \"to-ring\"", OTHER).replace("\"gen.wat\"", "\"fn.wat\""), "generate"),
    ];
    for (text, told) in cases {
        let refused = apply(&bench, &run, &text).unwrap_err().to_string();
        assert!(refused.contains(told), "{told} is not in {refused}");
        wait_for(&run, 10_000);
        assert!(counted(&run) > before, "the function is the one that it was");
        let now: Vec<_> = run.snapshot().modules.iter().map(|m| (m.name.clone(), m.state)).collect();
        assert_eq!(now, names.map(|name| (name.to_owned(), ModuleState::Running)), "{text}");
    }
    // One that works nowhere is let in, and changes.
    let idle = with_stages("\"fn\", \"to-ring\"", OTHER);
    assert_eq!(apply(&bench, &run, &idle).unwrap().actions, ["add module other"]);
    bench.module("other.wat", &function(8));
    let report = apply(&bench, &run, &idle).unwrap();
    assert_eq!((report.actions.join(""), report.swaps.len()), ("swap module other (file changed)".to_owned(), 0));
    assert!(apply(&bench, &run, &idle).unwrap().actions.is_empty());
    let needs = apply(&bench, &run, &with_stages(more, OTHER).replace("size = 4096", "size = 512")).unwrap();
    assert_eq!(needs.restart, ["ring r: size 4096 -> 512 needs a restart"]);
    assert!(needs.chains.is_empty(), "{needs:#?}");
    // What was refused four times is possible all the same.
    apply(&bench, &run, &with_stages("\"other\", \"fn\", \"to-ring\"", OTHER)).unwrap();
    wait_for(&run, 10_000);
    check(&run.stop());
}

#[test]
fn a_stage_of_another_domain_gets_copies() {
    let bench = Bench::new();
    // It looks at the first packet of each batch, and changes the last byte of all.
    let mark = format!("(i32.store8 offset=59 (i32.load (local.get $d)) (i32.const 0x77)) {}", verdict(v::NEXT));
    bench.module("mark.wat", &module(&each("process", &mark))).module("m.wat", &function(0));
    let domains = "[[module]]\nname = \"far\"\nfile = \"mark.wat\"\ndomain = \"far\"\n[[chain]]";
    let text = CHAIN.replacen("[[chain]]", domains, 1).replace("tx = [\"out\"]", "tx = [\"p\"]");
    let text = text.replace("source = { port = \"in\" }", "source = { port = \"p\" }");
    let text = text.replace("tx = [\"in\", \"out\"]", "tx = [\"p\"]");
    let text = format!("[[port]]\nname = \"p\"\ndevice = \"net_null0\"\npool = 1023\n{text}");
    let run = bench.start(&text).unwrap();
    let copied = |run: &Run| run.snapshot().chains[0].copied_in;
    let wait = |run: &Run| {
        let (begin, first) = (Instant::now(), run.snapshot().chains[0].sent);
        while run.snapshot().chains[0].sent < first + 10_000 {
            assert!(begin.elapsed() < Duration::from_secs(20), "{:#?}", run.snapshot());
        }
    };
    wait(&run);
    assert_eq!(copied(&run), 0);
    for _ in 0..10 {
        for stages in ["\"m\", \"far\", \"m\"", "\"m\", \"far\"", "\"m\"", "\"m\", \"m\""] {
            apply(&bench, &run, &text.replace("stages = [\"m\"]", &format!("stages = [{stages}]"))).unwrap();
            let before = copied(&run);
            wait(&run);
            assert_eq!(copied(&run) > before, stages.contains("far"), "{stages}");
        }
    }
    let refused = apply(&bench, &run, &text.replace("stages = [\"m\"]", "stages = [\"far\", \"m\"]")).unwrap();
    assert_eq!(refused.restart, ["chain chain0: another trust domain of its first module needs a restart"]);
    check(&run.stop());
}

#[test]
fn a_rate_stays_one_rate_however_many_share_it() {
    let bench = Bench::new();
    bench.module("m.wat", &function(0)).module("pass.wat", &function(1));
    let text = |second: &str| {
        format!(
            "[[port]]\nname = \"a\"\ndevice = \"net_null0\"\npool = 1023\n[[port]]\nname = \"b\"\ndevice = \
             \"net_null1\"\npool = 1023\n[[module]]\nname = \"m\"\nfile = \"m.wat\"\ngrants = {{ packets_per_second = \
             100000 }}\n[[module]]\nname = \"pass\"\nfile = \"pass.wat\"\n[[chain]]\nname = \"first\"\nsource = {{ port \
             = \"a\" }}\nstages = [\"m\"]\ntx = [\"a\"]\n[[chain]]\nname = \"second\"\nsource = {{ port = \"b\" }}\nstages = \
             [\"{second}\"]\n"
        )
    };
    let run = bench.start(&text("pass")).unwrap();
    let sent = |name: &str| {
        let chains = run.snapshot().chains;
        chains.iter().find(|chain| chain.name == name).unwrap().sent
    };
    for (second, share) in [("pass", 100_000.0), ("m", 50_000.0), ("pass", 100_000.0)] {
        let report = apply(&bench, &run, &text(second)).unwrap();
        assert_eq!(report.chains.len(), if report.actions.is_empty() { 0 } else { 2 }, "{report:#?}");
        let (begin, before) = (Instant::now(), sent("first"));
        std::thread::sleep(Duration::from_millis(400));
        let rate = (sent("first") - before) as f64 / begin.elapsed().as_secs_f64();
        println!("{second}: {rate:.0} of {share:.0} a second");
        assert!((0.7..1.1).contains(&(rate / share)), "{second}: {rate} of {share}");
    }
    check(&run.stop());
}

#[test]
fn settings_of_the_run_change_too() {
    let bench = Bench::new();
    // It counts its calls without packets.
    let tick = "(func (export \"tick\")
        (i64.store (i32.const 1024) (i64.add (i64.load (i32.const 1024)) (i64.const 1))))";
    bench.module("m.wat", &module(&format!("{} {tick} {}", each("process", &verdict(v::NEXT)), answer(1024))));
    let chain = "[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n[[module]]\nname = \"m\"\nfile = \
                 \"m.wat\"\n[[chain]]\nsource = { port = \"p\" }\nstages = [\"m\"]\n";
    let slow = format!("[run]\ntick = \"1s\"\nduration = \"1h\"\n{chain}");
    let run = bench.start(&slow).unwrap();
    let ticks = || u64::from_le_bytes(run.message("m", b"").unwrap()[0][..8].try_into().unwrap());
    assert_eq!(run.duration(), Some(Duration::from_secs(3_600)));
    std::thread::sleep(Duration::from_millis(100));
    assert!(ticks() <= 2, "{}", ticks());
    let report = apply(&bench, &run, &format!("[run]\ntick = \"1ms\"\nwatchdog = \"5s\"\n{chain}")).unwrap();
    let told = "change run (duration 3600s -> unset); change run (tick 1s -> 1ms); change run (watchdog unset -> 5s)";
    assert_eq!(report.actions.join("; "), told);
    let before = ticks();
    std::thread::sleep(Duration::from_millis(200));
    assert!(ticks() > before + 20, "{} after {before}", ticks());
    assert_eq!(run.duration(), None);
    check(&run.stop());
}

#[test]
fn stages_change_while_others_fail_and_come_again() {
    let bench = Bench::new();
    // It traps in each fifth batch, and is restarted at once.
    let pass = each("process", &verdict(v::NEXT)).replace("(export \"process\")", "$pass");
    let trap = format!(
        "(global $n (mut i32) (i32.const 0)) {pass}
         (func (export \"process\") (param $count i32)
           (if (i32.eqz (local.get $count)) (then return))
           (global.set $n (i32.add (global.get $n) (i32.const 1)))
           (if (i32.gt_u (global.get $n) (i32.const 4)) (then unreachable))
           (call $pass (local.get $count)))"
    );
    // It writes to the first byte of each packet: a trap, where packets of another domain came to it as they are.
    let touch = format!("(i32.store8 (i32.load (local.get $d)) (i32.const 0x77)) {}", verdict(v::NEXT));
    bench
        .module("m.wat", &function(0))
        .module("t.wat", &module(&trap))
        .module("far.wat", &module(&each("process", &touch)));
    let text = |stages: &str| {
        let restart = "restart = { first = \"100us\", longest = \"100us\", failures = 1000000, open = true }";
        format!(
            "[[port]]\nname = \"p\"\ndevice = \"net_null0\"\npool = 1023\n[[module]]\nname = \"m\"\nfile = \
             \"m.wat\"\n[[module]]\nname = \"t\"\nfile = \"t.wat\"\n{restart}\n[[module]]\nname = \"far\"\nfile = \
             \"far.wat\"\ndomain = \"far\"\n[[module]]\nname = \"other\"\nfile = \"t.wat\"\ndomain = \"far\"\n\
             {restart}\n[[chain]]\nsource = {{ port = \"p\" }}\nstages = [{stages}]\ntx = [\"p\"]\n"
        )
    };
    let layouts =
        ["\"m\", \"t\"", "\"m\", \"far\", \"t\"", "\"m\", \"other\", \"far\", \"t\"", "\"m\", \"t\", \"other\", \"m\""];
    let run = bench.start(&text(layouts[0])).unwrap();
    for round in 1..=120 {
        let report = apply(&bench, &run, &text(layouts[round % layouts.len()])).unwrap();
        assert_eq!(report.chains.len(), 1, "{report:#?}");
        std::thread::sleep(Duration::from_millis(u64::try_from(round % 7).unwrap()));
    }
    let snapshot = run.snapshot();
    let faults: BTreeMap<_, _> = snapshot.modules.iter().map(|m| (m.name.clone(), m.faults.clone())).collect();
    println!("120 changes, faults {faults:?}");
    let other = faults.values().flat_map(BTreeMap::keys).find(|class| *class != "unreachable");
    assert_eq!(other, None, "{snapshot:#?}");
    assert!(snapshot.chains[0].sent > 10_000, "{snapshot:#?}");
    check(&run.stop());
}
