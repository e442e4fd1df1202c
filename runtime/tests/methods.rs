//! Methods of pacing, by what arrives at the end of a simulated wire whose other end has them, while the lcore that sends is slow; and
//! which method is chosen.

use crate::pacing::{checker, generator, sound};
use perigee_lab::Bench;
use perigee_runtime::config::Config;
use perigee_runtime::config::stream::{Method, Rate};
use perigee_runtime::pace::{Trial, Tried};
use perigee_runtime::sim::{Outcome, Simulator};
use perigee_runtime::{Calibrated, CalibrationKey, Options, PaceStats, Run, StreamChange, StreamState, WireStats};
use std::time::Duration;

/// A generator, a wire whose sending end has these arguments, a module that looks at what arrives, and a stream with these lines. Each
/// batch that the generator makes takes its lcore 2 us, by which software is late.
fn config(wire: &str, stream: &str) -> String {
    format!(
        r#"
[run]
duration = "10ms"
[[port]]
name = "load"
device = "wire:lab,end=a,{wire}"
[[port]]
name = "in"
device = "wire:lab,end=b"
[[module]]
name = "gen"
file = "gen.wat"
[[module]]
name = "check"
file = "check.wat"
[[chain]]
name = "generate"
source = {{ module = "gen", pool = 4095 }}
tx = ["load"]
[[chain]]
name = "check"
source = {{ port = "in" }}
stages = ["check"]
[[stream]]
name = "s"
chain = "generate"
{stream}
[sim.costs]
generate = {{ batch = "2us" }}
"#
    )
}

/// `$t` is farther than `most` nanoseconds from `$first + $k * over / under`.
fn away(over: u64, under: u64, most: u64) -> String {
    format!(
        "(i64.gt_u (i64.add (i64.sub (global.get $t)
           (i64.add (global.get $first) (i64.div_u (i64.mul (global.get $k) (i64.const {over})) (i64.const {under}))))
         (i64.const {most})) (i64.const {}))",
        2 * most
    )
}

fn simulated(bench: &Bench, wire: &str, stream: &str, wrong: &str) -> Outcome {
    bench.module("gen.wat", &generator());
    bench.module("check.wat", &checker(wrong));
    sound(bench, &config(wire, stream))
}

fn stream(outcome: &Outcome) -> &PaceStats {
    &outcome.summary.snapshot.streams[0]
}

fn wire(outcome: &Outcome) -> &WireStats {
    outcome.summary.snapshot.ports[0].wire.as_ref().unwrap()
}

/// The rates of a table: as it is written, and packets per second.
const RATES: [(&str, u64); 4] =
    [("3 Mpps", 3_000_000), ("700 kpps", 700_000), ("1 kpps", 1_000), ("2654.321 kpps", 2_654_321)];

#[test]
fn launch_times_are_exact_however_slow_the_lcore_is() {
    let bench = Bench::new();
    for (rate, per_second) in RATES {
        let lines = format!("rate = \"{rate}\"\nmethod = \"launch-time\"");
        let outcome = simulated(&bench, "delay=5us,launch=yes", &lines, &away(1_000_000_000, per_second, 1));
        let (told, asked) = (stream(&outcome), per_second / 100);
        assert_eq!((told.method.as_str(), told.late, told.missed.as_ref()), ("launch-time", 0, None), "{rate}");
        assert!(told.sent >= asked && told.sent <= asked + asked / 100 + 2, "{rate}: {} of {asked}", told.sent);
        assert_eq!((wire(&outcome).past, wire(&outcome).filler), (0, 0), "{rate}");
    }
    // The same lcore without: what it holds up is late.
    let late = simulated(&bench, "delay=5us", "rate = \"3 Mpps\"\nlate_after = \"1us\"", "(i32.const 0)");
    assert!(stream(&late).method == "software" && stream(&late).late > 500, "{:?}", stream(&late));
}

#[test]
fn fillers_make_gaps_to_the_byte() {
    let bench = Bench::new();
    // A byte is 0.8 ns long, and both arrivals are rounded up to whole nanoseconds. At the last rate the gaps hold no filler: a packet
    // may be away by half of one.
    for ((rate, per_second), most) in RATES.into_iter().chain([("9876.543 kpps", 9_876_543)]).zip([2, 2, 2, 2, 70]) {
        let lines = format!("rate = \"{rate}\"\nmethod = \"filler\"");
        let outcome = simulated(&bench, "rate=10G,delay=5us", &lines, &away(1_000_000_000, per_second, most));
        let (told, asked) = (stream(&outcome), per_second / 100);
        assert_eq!((told.method.as_str(), told.late, told.missed.as_ref()), ("filler", 0, None), "{rate}");
        assert!(told.sent >= asked && told.sent <= asked + asked / 100 + 2, "{rate}: {} of {asked}", told.sent);
        // None of them is a packet: neither sent, nor lost, nor received.
        let ports = &outcome.summary.snapshot.ports;
        assert!(wire(&outcome).filler > 5_000 && wire(&outcome).lost == 0, "{rate}: {:?}", wire(&outcome));
        assert_eq!(ports[0].tx_packets, told.sent, "{rate}");
        assert!(ports[1].rx_packets <= told.sent && ports[1].rx_packets + 120 >= asked, "{rate}");
    }
}

#[test]
fn a_limited_queue_spaces_packets_by_its_rate_and_leaves_none_behind() {
    let bench = Bench::new();
    for (rate, gap, of) in [("672 Mbit/s l1", 1_000, 1), ("10 %", 672, 1), ("7 Mbit/s l1", 672_000, 7)] {
        let lines = format!("rate = \"{rate}\"\nmethod = \"rate-limit\"\ncount = 60");
        let outcome = simulated(&bench, "rate=10G,delay=5us,shaper=yes", &lines, &away(gap, of, 1));
        let told = stream(&outcome);
        assert_eq!((told.method.as_str(), told.state, told.sent), ("rate-limit", StreamState::Over, 60), "{rate}");
        assert_eq!((told.late, told.owed), (0, 0), "{rate}: {told:?}");
        assert_eq!(outcome.summary.snapshot.ports[1].rx_packets, 60, "{rate}");
    }
}

#[test]
fn the_last_packet_leaves_by_each_method() {
    let bench = Bench::new();
    for (method, arguments, rate) in [
        ("launch-time", "launch=yes", "100 kpps"),
        ("filler", "rate=10G", "100 kpps"),
        ("rate-limit", "rate=10G,shaper=yes", "67 Mbit/s l1"),
    ] {
        let lines = format!("rate = \"{rate}\"\nmethod = \"{method}\"\ncount = 37");
        let outcome = simulated(&bench, &format!("delay=5us,{arguments}"), &lines, "(i32.const 0)");
        assert_eq!((stream(&outcome).sent, stream(&outcome).state), (37, StreamState::Over), "{method}");
        assert_eq!(outcome.summary.snapshot.ports[1].rx_packets, 37, "{method}");
    }
}

#[test]
fn a_seed_has_one_digest_with_each_method() {
    let bench = Bench::new();
    bench.module("gen.wat", &generator());
    bench.module("check.wat", &checker("(i32.const 0)"));
    for (method, rate) in [("launch-time", "1 Mpps"), ("filler", "1 Mpps"), ("rate-limit", "1 Gbit/s l1")] {
        let text = config(
            "rate=10G,loss=5%,jitter=1us,launch=yes,shaper=yes",
            &format!("rate = \"{rate}\"\nmethod = \"{method}\""),
        );
        let config = Config::parse(&text, "methods.toml").unwrap_or_else(|e| panic!("{e}"));
        let simulator = Simulator::new(&config, &bench.path(""), &Options::default()).unwrap();
        let digest = |seed| simulator.simulate(seed, None, None).unwrap().digest;
        assert_eq!(digest(5), digest(5), "{method}");
        assert_ne!(digest(5), digest(6), "{method}");
    }
}

#[test]
fn what_is_late_is_treated_as_the_operator_says_by_each_method() {
    let bench = Bench::new();
    // For 2 of 10 ms the lcore does nothing.
    let event = "\n[[sim.event]]\nat = \"3ms\"\njump = { by = \"2ms\" }\n";
    for (method, arguments) in [("launch-time", "delay=5us,launch=yes"), ("filler", "delay=5us,rate=10G")] {
        let with = |late: &str| {
            bench.module("gen.wat", &generator());
            bench.module("check.wat", &checker("(i32.const 0)"));
            let stream = format!("rate = \"100 kpps\"\nmethod = \"{method}\"\nlate = \"{late}\"");
            sound(&bench, &(config(arguments, &stream) + event))
        };
        let caught_up = with("catch-up");
        let told = stream(&caught_up);
        assert!((1_000..=1_010).contains(&told.sent) && (180..=200).contains(&told.late), "{method}: {told:?}");
        // What is handed over when its time has passed leaves at once, and the wire has seen that.
        let past = wire(&caught_up).past;
        assert!(if method == "launch-time" { past >= told.late } else { past == 0 }, "{method}: {past}");
        let moved = with("shift");
        let told = stream(&moved);
        assert!((800..=812).contains(&told.sent) && told.moved_ns > 1_800_000, "{method}: {told:?}");
        let dropped = with("drop");
        let told = stream(&dropped);
        assert!((800..=818).contains(&told.sent) && (180..=200).contains(&told.dropped_late), "{method}: {told:?}");
    }
}

#[test]
fn what_a_port_cannot_do_is_refused_by_name() {
    let bench = Bench::new();
    bench.module("gen.wat", &generator());
    let start = |device: &str, method: &str, rate: &str| {
        let text = format!(
            "[[port]]\nname = \"out\"\ndevice = \"{device}\"\n[[module]]\nname = \"gen\"\nfile = \"gen.wat\"\n\
             [[chain]]\nname = \"load\"\nsource = {{ module = \"gen\" }}\ntx = [\"out\"]\n\
             [[stream]]\nname = \"s\"\nchain = \"load\"\nrate = \"{rate}\"\nmethod = \"{method}\"\n"
        );
        let config = Config::parse(&text, "methods.toml").unwrap_or_else(|e| panic!("{e}"));
        Run::start(&config, &bench.path("")).map(|run| run.stop()).map_err(|error| error.to_string())
    };
    for (driver, device) in [("net_ring", "net_ring7"), ("net_null", "net_null7,copy=0")] {
        for (method, rate, why) in [
            ("rate-limit", "67 Mbit/s l1", "67 Mbit/s for tx queue 0: rte_eth_set_queue_rate_limit: "),
            ("launch-time", "1 kpps", "it has no launch times (RTE_ETH_TX_OFFLOAD_SEND_ON_TIMESTAMP)"),
            ("filler", "1 kpps", "no calibration of this port has seen fillers vanish"),
        ] {
            let told = start(device, method, rate).expect_err(method);
            let begins = format!("stream \"s\": port \"out\" (driver {driver}) cannot do method \"{method}\": {why}");
            assert!(told.contains(&begins) && told.contains("method = \"software\" works"), "{told}");
        }
        assert!(start(device, "software", "1 kpps").unwrap().accounting.balanced);
        assert!(start(device, "auto", "1 kpps").unwrap().accounting.balanced);
    }
}

/// A calibration of the wire's sending end on this machine, by a run's manifest.
fn calibration(run: Run, deviations: &[(Method, f64)]) -> Calibrated {
    let manifest = run.stop().manifest.unwrap();
    let point = |deviation_ns| Tried {
        size: 60,
        asked: "10 kpps".to_owned(),
        off: 0.0,
        wrong: 0,
        deviation_ns,
        is_sound: true,
    };
    let trials = deviations.iter().map(|(method, ns)| Trial { method: *method, points: vec![point(*ns)] });
    let key = CalibrationKey::new(&manifest.ports[0], &manifest.machine, &manifest.dpdk);
    Calibrated { key, made: "noon".to_owned(), trials: trials.collect() }
}

#[test]
fn auto_takes_what_calibration_has_found_best_and_nothing_else() {
    let bench = Bench::new();
    bench.module("gen.wat", &generator());
    bench.module("check.wat", &checker("(i32.const 0)"));
    let text = config("rate=10G,launch=yes,shaper=yes", "rate = \"10 kpps\"");
    let config = Config::parse(&text, "methods.toml").unwrap_or_else(|e| panic!("{e}"));
    let start = |calibrations: Vec<Calibrated>| {
        let mut options = Options::default();
        options.calibrations = calibrations;
        Run::start_with(&config, &bench.path(""), &options).unwrap()
    };
    let chosen = |calibrated: &Calibrated| {
        let told = start(vec![calibrated.clone()]).stop();
        let facts = told.manifest.unwrap().streams[0].clone();
        assert_eq!(facts.method, told.snapshot.streams[0].method);
        (facts.method, facts.calibration.unwrap())
    };
    let measured = [(Method::Software, 900.0), (Method::LaunchTime, 1.0), (Method::Filler, 2.0)];
    let mut calibrated = calibration(start(Vec::new()), &measured);
    let made = || "made at noon".to_owned();
    assert_eq!(chosen(&calibrated), ("launch-time".to_owned(), made()));
    // One packet was lost with it.
    calibrated.trials[1].points[0].wrong = 1;
    assert_eq!(chosen(&calibrated), ("filler".to_owned(), made()));
    calibrated.trials.truncate(1);
    assert_eq!(chosen(&calibrated), ("software".to_owned(), made()));
    // Of another machine nothing is taken.
    let mut calibrated = calibration(start(Vec::new()), &measured);
    calibrated.key.cpu.push_str(" II");
    let (method, told) = chosen(&calibrated);
    assert!(method == "software" && told.starts_with("none: the one that is kept is of another machine"), "{told}");
}

#[test]
fn rates_and_pauses_come_to_each_method_while_packets_flow() {
    let bench = Bench::new();
    bench.module("gen.wat", &generator());
    bench.module("check.wat", &checker("(i32.const 0)"));
    for (method, slow, fast) in [
        ("launch-time", "1 kpps", "50 kpps"),
        ("filler", "1 kpps", "50 kpps"),
        ("rate-limit", "1 Mbit/s l1", "34 Mbit/s l1"),
    ] {
        let text = config("rate=1G,launch=yes,shaper=yes", &format!("rate = \"{slow}\"\nmethod = \"{method}\""))
            .replace("tx = [\"load\"]", "tx = [\"load\"]\nwhen_full = \"wait\"")
            .replace("name = \"load\"\n", "name = \"load\"\ntx_descriptors = 64\n");
        let config = Config::parse(&text, "methods.toml").unwrap_or_else(|e| panic!("{e}"));
        let run = Run::start(&config, &bench.path("")).unwrap();
        let came = || run.snapshot().ports[1].rx_packets;
        let pass = |ms| std::thread::sleep(Duration::from_millis(ms));
        pass(50);
        let told = run.change_stream("s", StreamChange::Rate(Rate::parse(fast).unwrap())).unwrap();
        assert_eq!(told.rate, fast);
        let before = came();
        pass(400);
        let by_then = came();
        // 50 kpps for 400 ms where nothing is in the way, and at the rate before it 600 packets at most.
        assert!((1_500..40_000).contains(&(by_then - before)), "{method}: {before}, {by_then}");
        run.change_stream("s", StreamChange::Pause).unwrap();
        pass(50);
        let paused = came();
        pass(50);
        assert_eq!(came(), paused, "{method}");
        run.change_stream("s", StreamChange::Resume).unwrap();
        pass(100);
        assert!(came() > paused, "{method}");
        if method == "rate-limit" {
            let told = run.change_stream("s", StreamChange::Rate(Rate::parse("1 Mpps").unwrap())).unwrap_err();
            assert!(told.to_string().contains("a limit counts bits on layer 1"), "{told}");
        }
        let summary = run.stop();
        assert!(summary.accounting.balanced && summary.pools.iter().all(|pool| pool.full), "{method}: {summary:?}");
    }
}
