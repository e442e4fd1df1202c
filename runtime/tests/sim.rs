//! Simulations: a seed gives the same again, whatever happens meanwhile; what breaks is found; nothing is left behind.

use perigee_abi::verdict as v;
use perigee_lab::sequence::function;
use perigee_lab::simulated::{EVENTS, LINE, lay_modules};
use perigee_lab::{Bench, each, module, verdict};
use perigee_runtime::sim::{Outcome, Pace, Seen};
use perigee_runtime::{Error, FaultClass};

fn bench() -> Bench {
    let bench = Bench::new();
    lay_modules(&bench.path(""));
    bench
}

fn whole(outcome: &Outcome) {
    assert_eq!(outcome.broken, Vec::<String>::new(), "seed {}: {:#?}", outcome.seed, outcome.happened);
    let sent = outcome.summary.snapshot.ports[0].tx_packets;
    assert!((3_000..=5_000).contains(&sent), "{sent} of some 5,000");
}

#[test]
fn a_seed_gives_the_same_again_whatever_happens() {
    let bench = bench();
    for text in [LINE.to_owned(), LINE.to_owned() + EVENTS] {
        let simulator = bench.simulator(&text).unwrap();
        let first = simulator.simulate(5, None, None).unwrap();
        let other = simulator.simulate(6, None, None).unwrap();
        let again = simulator.simulate(5, None, None).unwrap();
        let anew = bench.simulate(&text, 5).unwrap();
        whole(&first);
        whole(&other);
        assert_eq!((&first.digest, &first.happened), (&again.digest, &again.happened), "in one process");
        assert_eq!(first.digest, anew.digest, "by another simulator");
        assert_ne!(first.digest, other.digest, "another seed");
        assert_eq!(first.happened.len(), if text == LINE { 0 } else { 9 }, "{:#?}", first.happened);
    }
}

#[test]
fn hundreds_of_seeds_hold_and_leave_nothing_behind() {
    let bench = bench();
    let simulator = bench.simulator(&(LINE.to_owned() + EVENTS)).unwrap();
    let left = || {
        let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
        (count("/proc/self/fd"), count("/proc/self/task"))
    };
    whole(&simulator.simulate(0, None, None).unwrap());
    let before = left();
    for seed in 1..=200 {
        whole(&simulator.simulate(seed, None, None).unwrap());
    }
    assert_eq!(left(), before, "descriptors and threads");
}

/// A stage that spoils a number in long bursts: jitter brings some 30 packets at a time, an lcore that was held up more.
#[test]
fn what_breaks_is_found_and_shown_again() {
    let bench = bench();
    let late = format!(
        "{} (if (i32.and (i32.gt_u (local.get $n) (i32.const 48)) (i32.eq (local.get $i) (i32.const 3)))
           (then (i64.store offset=14 (i32.load (local.get $d)) (i64.const 0))))",
        verdict(v::NEXT)
    );
    bench.module("fn.wat", &module(&each("process", &late)));
    let events = "[[sim.event]]\nat = \"1ms..4ms\"\nchance = \"10%\"\njump = { by = \"20us..60us\" }\n\
                  [[sim.event]]\nat = \"1ms\"\nloss = { port = \"load\", part = \"1%\", lasts = \"1ms\" }\n";
    let simulator = bench.simulator(&format!("{LINE}{events}")).unwrap();
    let found = (0..200).map(|seed| simulator.simulate(seed, None, None).unwrap()).find(|o| !o.broken.is_empty());
    let found = found.expect("one seed in ten breaks it");
    assert!(found.broken[0].contains("module \"check\" has failed"), "{:?}", found.broken);
    let again = simulator.simulate(found.seed, Some(&[0]), None).unwrap();
    assert_eq!(again.broken.len(), found.broken.len());
    let without = simulator.simulate(found.seed, Some(&[1]), None).unwrap();
    assert_eq!(
        without.broken,
        Vec::<String>::new(),
        "without the jump it holds: {:?} {:?}",
        found.happened,
        found.broken
    );
}

/// A module gets another configuration meanwhile, and what it does changes then; with it goes what is drawn together.
#[test]
fn a_configuration_is_applied_meanwhile() {
    let bench = bench();
    // Lets pass only with a configuration of one byte.
    let process = each("process", &format!("(if (global.get $lets) (then {}))", verdict(v::NEXT)));
    let init = r#"(global $lets (mut i32) (i32.const 0))
  (func (export "init") (param $len i32) (result i32)
    (global.set $lets (i32.eq (local.get $len) (i32.const 1))) (i32.const 0))"#;
    bench.module("fn.wat", &module(&format!("{init}{process}")));
    let text = LINE.replace("grants = { hold = 512 }", "grants = { hold = 512 }\nconfig = \"12\"");
    let events = "[[sim.event]]\nat = \"1ms..4ms\"\ntogether = \"a\"\napply = { module = \"fn\", config = \"1\" }\n\
                  [[sim.event]]\nat = \"1ms..4ms\"\ntogether = \"a\"\nmessage = { module = \"check\", text = \"\" }\n\
                  [[sim.event]]\nat = \"4500us\"\napply = { module = \"to-ring\", config = \"1\" }\n";
    let simulator = bench.simulator(&(text + events)).unwrap();
    for seed in 0..5 {
        let outcome = simulator.simulate(seed, None, None).unwrap();
        let [(at, 0, applied), (other, 1, _), (_, 2, refused)] = &outcome.happened[..] else {
            panic!("{:?}", outcome.happened)
        };
        assert_eq!((at, applied.as_str()), (other, "module \"fn\" gets another configuration, 0 packets are lost"));
        assert!(refused.starts_with("the configuration is refused: ") && refused.contains("\"init\""), "{refused}");
        // A packet each microsecond, and those of before are dropped.
        let dropped = outcome.summary.snapshot.chains[1].dropped["verdict"];
        assert!((dropped * 1_000).abs_diff(*at) < 100_000, "{dropped} packets until {at} ns");
    }
}

/// A call that never ends is ended by its fuel, in the same packet each time.
#[test]
fn a_deadline_is_fuel() {
    let bench = bench();
    let body = format!(
        "(if (i64.eq (i64.load offset=14 (i32.load (local.get $d))) (i64.const 77)) (then (loop (br 0)))) {}",
        verdict(v::NEXT)
    );
    bench.module("fn.wat", &module(&each("process", &body)));
    let text = LINE
        .replace("failures = 100", "failures = 2")
        .replace("grants = { hold = 512 }", "grants = { deadline = \"1ms\" }");
    let outcomes = [(); 2].map(|()| bench.simulate(&text, 1).unwrap());
    assert_eq!(outcomes[0].digest, outcomes[1].digest);
    let module = &outcomes[0].summary.snapshot.modules[1];
    assert_eq!(module.faults.get(FaultClass::Deadline.name()), Some(&1), "{module:?}");
    assert!(outcomes[0].broken[0].contains("module \"fn\" has failed"), "{:?}", outcomes[0].broken);
}

/// A slow chain falls behind, whether it is said how slow it is or follows from what its module does.
#[test]
fn what_a_turn_costs_fills_queues() {
    let bench = bench();
    let waited = |cost: &str| {
        let text = LINE.replace("cost = { batch = \"100ns\", packet = \"10ns\" }", cost);
        let summary = bench.simulate(&text, 1).unwrap().summary;
        summary.snapshot.chains[1].batch_time.p50_ns
    };
    let (free, by_packet, by_fuel) =
        (waited(""), waited("costs.forward = { packet = \"500ns\" }"), waited("costs.forward = { fuel = \"20ns\" }"));
    assert_eq!(free, 0);
    assert!(by_packet >= 500 && by_fuel >= 500, "{by_packet} {by_fuel}");
}

/// Chains that share an lcore get in each other's way where turns cost something, and what they carry is the same.
#[test]
fn the_machine_has_as_many_lcores_as_it_is_told() {
    let bench = bench();
    let of = |lcores: &str| bench.simulate(&format!("{LINE}{lcores}"), 1).unwrap();
    let (each, one, many) = (of(""), of("lcores = 1\n"), of("lcores = 100\n"));
    let lcores = |outcome: &Outcome| outcome.summary.snapshot.lcores.len();
    assert_eq!((lcores(&each), lcores(&one), lcores(&many)), (3, 1, 3));
    assert_eq!(each.digest, many.digest);
    assert_ne!(each.digest, one.digest);
    let came =
        |outcome: &Outcome| outcome.summary.snapshot.ports[1].rx_packets + outcome.summary.snapshot.ports[1].discarded;
    assert_eq!(came(&each), came(&one));
    whole(&one);
}

/// Two chains that have nothing to do with each other, on one lcore whose time is not enough for both: each has its share, and time
/// goes on in steps that are worth a turn.
#[test]
fn chains_that_compete_share_a_simulated_lcore() {
    let bench = bench();
    let two = |n: u32| {
        format!(
            "[[port]]\nname = \"a{n}\"\ndevice = \"wire:w{n},end=a,rate=10G\"\nrx_descriptors = 256\ntx_descriptors = 256\n[[port]]\nname = \"b{n}\"\ndevice = \"wire:w{n},end=b\"\nrx_descriptors = 256\ntx_descriptors = 256\n\
             [[module]]\nname = \"gen{n}\"\nfile = \"gen.wat\"\ngrants = {{ packets_per_second = \"2M\" }}\n\
             [[chain]]\nname = \"load{n}\"\nsource = {{ module = \"gen{n}\" }}\ntx = [\"a{n}\"]\nlcores = [{n}]\n\
             [[chain]]\nname = \"read{n}\"\nsource = {{ port = \"b{n}\" }}\nlcores = [9]\nweight = {weight}\n",
            weight = 2 * n + 1
        )
    };
    let text = format!(
        "[run]\nduration = \"50ms\"\n{}{}[sim.costs]\nread0 = {{ packet = \"1us\" }}\nread1 = {{ packet = \"1us\" }}\n",
        two(0),
        two(1)
    );
    let outcome = bench.simulate(&text, 1).unwrap();
    let came = |port: usize| outcome.summary.snapshot.ports[port].rx_packets;
    let (one, three) = (came(1), came(3));
    assert!(one + three > 45_000 && one + three <= 51_000, "1 M a second between them: {one} and {three}");
    assert!((2_600..3_400).contains(&(three * 1_000 / one)), "by their weights, 1 to 3: {one} and {three}");
    assert!(outcome.turns < 400_000, "{}", outcome.turns);
}

/// A bulk operation costs a unit for each byte, so it is ended by its deadline as well. The page about simulating says so.
#[test]
fn a_bulk_operation_costs_fuel_by_its_length() {
    let bench = bench();
    let used = |bytes: u32| {
        let fill = format!("(memory.fill (i32.const 1024) (i32.const 0) (i32.const {bytes})) {}", verdict(v::NEXT));
        bench.module("fn.wat", &module(&each("process", &fill)));
        let text =
            LINE.replace("cost = { batch = \"100ns\", packet = \"10ns\" }", "costs.forward = { fuel = \"1ns\" }");
        bench.simulate(&text, 1).unwrap().summary.snapshot.chains[1].batch_time.p50_ns
    };
    let (short, long) = (used(1), used(60_000));
    assert!(short < 1_000 && long > 50_000, "{short} {long}");
}

#[test]
fn lines_that_begin_with_invariant_are_told() {
    let bench = bench();
    let process = each("process", "(call $log (i32.const 1) (i32.const 64) (i32.const 15)) (unreachable)");
    let text = module(&process).replace(
        "(memory (export",
        "(import \"perigee\" \"log\" (func $log (param i32 i32 i32))) (data (i32.const 64) \"invariant: away\") (memory (export",
    );
    bench.module("check.wat", &text);
    let config = LINE.replace("file = \"check.wat\"", "file = \"check.wat\"\ngrants = { hostcalls = [\"log\"] }");
    let broken = bench.simulate(&config, 1).unwrap().broken;
    assert_eq!(broken[0], "module \"check\": invariant: away");
}

/// Somebody who lets time go on in steps.
struct Steps {
    by: u64,
    reached: Vec<u64>,
    /// Packets that were sent up to then.
    sent: Vec<u64>,
}

impl Pace for Steps {
    fn until(&mut self, reached: u64, seen: &Seen<'_>) -> Result<u64, Error> {
        self.reached.push(reached);
        let snapshot = seen.snapshot();
        assert_eq!(snapshot.elapsed_ns, reached);
        self.sent.push(snapshot.chains.iter().map(|chain| chain.sent).sum());
        if reached >= 3_000_000 { Err(Error::Request("gone".to_owned())) } else { Ok(reached + self.by) }
    }
}

#[test]
fn somebody_else_can_own_the_time() {
    let bench = bench();
    let simulator = bench.simulator(&LINE.replace("duration = \"5ms\"", "duration = \"2ms\"")).unwrap();
    let alone = simulator.simulate(3, None, None).unwrap();
    let mut steps = Steps { by: 70_000, reached: Vec::new(), sent: Vec::new() };
    let paced = simulator.simulate(3, None, Some(&mut steps)).unwrap();
    assert_eq!(alone.digest, paced.digest, "it is the same simulation");
    assert_eq!(steps.reached[..3], [0, 70_000, 140_000]);
    assert!(steps.sent.is_sorted() && steps.sent[0] == 0 && steps.sent[2] > 0, "{:?}", steps.sent);
    let simulator = bench.simulator(LINE).unwrap();
    let lost = simulator.simulate(3, None, Some(&mut steps));
    assert!(matches!(lost, Err(Error::Request(what)) if what == "gone"));
}

#[test]
fn what_cannot_be_simulated_is_named() {
    let bench = bench();
    let device = LINE
        .replace("wire:lab,end=a,rate=10G,delay=5us,jitter=2us", "net_null0")
        .replace("wire:lab,end=b", "net_ring0");
    let told = bench.simulator(&device).unwrap_err().to_string();
    assert!(told.contains("port \"load\": \"net_null0\" cannot be simulated"), "{told}");
    assert!(told.contains("port \"in\": \"net_ring0\" cannot be simulated"), "{told}");
    let endless = bench.simulator(&LINE.replace("duration = \"5ms\"", "")).unwrap_err().to_string();
    assert!(endless.contains("a simulation needs an end"), "{endless}");
    let fast = function(0);
    bench.module("fn.wat", &fast);
    whole(&bench.simulate(LINE, 1).unwrap());
}
