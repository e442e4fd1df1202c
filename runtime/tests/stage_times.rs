//! How long packets take in the parts of a chain: from where they came to where they go.

use perigee_abi::verdict as v;
use perigee_lab::{Bench, each, module, verdict};
use perigee_runtime::config::Config;
use perigee_runtime::sim::Simulator;
use perigee_runtime::{Options, StageTimes, Summary, TimeStats};

/// Every 10 us a packet, and a turn takes 24 us and 1 us for each packet: the next ones wait, and nothing else takes time.
const BUSY: &str = r#"
[run]
duration = "20ms"
[[port]]
name = "load"
device = "wire:a,end=a,delay=5us"
rx_descriptors = 512
tx_descriptors = 512
[[port]]
name = "near"
device = "wire:a,end=b"
rx_descriptors = 512
tx_descriptors = 512
[[port]]
name = "far"
device = "wire:b,end=a,delay=5us"
rx_descriptors = 512
tx_descriptors = 512
[[port]]
name = "in"
device = "wire:b,end=b"
rx_descriptors = 512
tx_descriptors = 512
[[module]]
name = "gen"
file = "gen.wat"
[[module]]
name = "next"
file = "next.wat"
[[chain]]
name = "generate"
source = { module = "gen", pool = 1023 }
tx = ["load"]
[[chain]]
name = "forward"
source = { port = "near" }
stages = ["next"]
tx = ["far"]
stage_times = true
[[chain]]
name = "sink"
source = { port = "in" }
[[stream]]
name = "s"
chain = "generate"
rate = "100 kpps"
[[path]]
name = "forward"
first = { received_by = ["forward"] }
then = { sent_by = ["forward"] }
identity = { offset = 48, len = 8 }
[sim.costs.forward]
batch = "24us"
packet = "1us"
"#;

fn of<'a>(summary: &'a Summary, chain: &str) -> &'a StageTimes {
    summary.snapshot.stage_times.iter().find(|times| times.chain == chain).unwrap()
}

fn part<'a>(times: &'a StageTimes, name: &str) -> &'a TimeStats {
    &times.parts.iter().find(|part| part.part == name).unwrap_or_else(|| panic!("{name}: {times:?}")).times
}

fn next() -> String {
    module(&each("process", &verdict(v::NEXT)))
}

#[test]
fn packets_wait_on_the_wire_as_long_as_the_lcore_is_busy() {
    let bench = Bench::new();
    let len = "(i32.store16 offset=4 (local.get $d) (i32.const 80))";
    let number = "(i64.store (i32.const 1024) (i64.add (i64.load (i32.const 1024)) (i64.const 1)))
        (i64.store offset=48 (i32.load (local.get $d)) (i64.load (i32.const 1024)))";
    bench.module("gen.wat", &module(&each("generate", &format!("{len} {number} {}", verdict(v::NEXT)))));
    bench.module("next.wat", &next());
    let config = Config::parse(BUSY, "stages.toml").unwrap_or_else(|e| panic!("{e}"));
    let simulator = Simulator::new(&config, &bench.path(""), &Options::default()).unwrap();
    let summary = simulator.simulate(1, None, None).unwrap().summary;
    assert_eq!(summary.snapshot.stage_times.len(), 1);
    let (times, path) = (of(&summary, "forward"), &summary.snapshot.paths[0]);
    let wire = part(times, "wire to host");
    assert_eq!(wire.count, summary.snapshot.ports[1].rx_packets);
    assert_eq!(wire.min_ns, Some(0));
    assert!(wire.max_ns > Some(10_000) && wire.max_ns <= Some(24_000 + 3_000), "{wire:?}");
    assert_eq!(path.packets.in_time, wire.count, "{path:?}");
    assert_eq!((path.latency.max_ns, path.latency.mean_ns), (wire.max_ns, wire.mean_ns));
    for name in ["module next", "to ports and rings", "host to port"] {
        let times = part(times, name);
        assert_eq!((times.count, times.max_ns), (wire.count, Some(0)), "{name}");
    }
}

#[test]
fn the_parts_add_up_to_the_whole_and_a_slow_module_is_seen() {
    let bench = Bench::new();
    bench.module("next.wat", &next());
    let slow = format!("(call $burn) {}", verdict(v::NEXT));
    let function = "(func $burn (local $n i32) (local.set $n (i32.const 3000))
        (loop (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if 0 (local.get $n))))";
    bench.module("slow.wat", &module(&format!("{function} {}", each("process", &slow))));
    let text = r#"
[[port]]
name = "a"
device = "net_null0"
[[module]]
name = "next"
file = "next.wat"
[[module]]
name = "slow"
file = "slow.wat"
[[chain]]
name = "timed"
source = { port = "a" }
stages = ["next", "slow"]
stage_times = true
"#;
    let run = bench.start(text).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let outcome = bench.finish(run);
    let times = of(&outcome.summary, "timed");
    let names: Vec<_> = times.parts.iter().map(|part| part.part.as_str()).collect();
    assert_eq!(names, ["module next", "module slow", "to ports and rings", "host to port"], "net_null gives no times");
    let all = part(times, "host to port");
    let sum: f64 = times.parts[..3].iter().map(|part| part.times.mean_ns.unwrap()).sum();
    assert!((all.mean_ns.unwrap() - sum).abs() <= sum * 1e-9, "{sum}: {times:?}");
    assert!(times.parts.iter().all(|part| part.times.count == all.count && all.count > 1_000), "{times:?}");
    // 3,000 rounds for each of 64 packets.
    let [fast, slow] = ["module next", "module slow"].map(|name| part(times, name).min_ns.unwrap());
    assert!(slow > 10 * fast && slow > 20_000, "{times:?}");
}
