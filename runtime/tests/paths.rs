//! Packets that pass by: what is told of them is what simulated wires say that they did to them.

use perigee_abi::verdict as v;
use perigee_lab::{Bench, each, module, verdict};
use perigee_runtime::config::Config;
use perigee_runtime::sim::{Outcome, Simulator};
use perigee_runtime::{Options, PathStats, PercentileValue};
use std::fmt::Write;

/// Generators of IPv4 packets, each with a number of its own; a wire to one who forwards; a wire to a sink.
fn config(wires: [&str; 2], rate: &str, more: &str) -> String {
    let [before, behind] = wires;
    format!(
        r#"
[run]
duration = "20ms"
[[port]]
name = "load"
device = "wire:before,end=a,{before}"
rx_descriptors = 512
tx_descriptors = 512
[[port]]
name = "near"
device = "wire:before,end=b"
rx_descriptors = 512
tx_descriptors = 512
[[port]]
name = "far"
device = "wire:behind,end=a,{behind}"
rx_descriptors = 512
tx_descriptors = 512
[[port]]
name = "in"
device = "wire:behind,end=b"
rx_descriptors = 512
tx_descriptors = 512
[[module]]
name = "gen"
file = "gen.wat"
[[module]]
name = "gen2"
file = "gen2.wat"
[[module]]
name = "router"
file = "router.wat"
[[chain]]
name = "generate"
source = {{ module = "gen", pool = 1023 }}
tx = ["load"]
[[chain]]
name = "forward"
source = {{ port = "near" }}
stages = ["router"]
tx = ["far"]
[[chain]]
name = "sink"
source = {{ port = "in" }}
[[stream]]
name = "s"
chain = "generate"
rate = "{rate}"
{more}
"#
    )
}

fn path(name: &str, first: &str, then: &str, more: &str) -> String {
    format!("[[path]]\nname = \"{name}\"\nfirst = {{ {first} }}\nthen = {{ {then} }}\ntimeout = \"1ms\"\n{more}\n")
}

const SENT: &str = "sent_by = [\"generate\"]";
const SINK: &str = "received_by = [\"sink\"]";

/// UDP packets of 80 bytes; the number behind `salt` is at 48.
fn generator(salt: u32, is_numbered: bool) -> String {
    let store =
        |kind: &str, at: u32, value: String| format!("(i{kind} offset={at} (i32.load (local.get $d)) {value})\n");
    let number = "(i64.store (i32.const 1024) (i64.add (i64.load (i32.const 1024)) (i64.const 1)))";
    let mut body = format!("(i32.store16 offset=4 (local.get $d) (i32.const 80)) {number}");
    let mut put = |kind, at, value: &str| body += &store(kind, at, format!("({value})"));
    put("64.store", 0, "i64.const 0x0002000000000102");
    put("32.store", 12, "i32.const 0x00450008");
    put("32.store", 16, "i32.const 0x00004200");
    put("32.store", 20, "i32.const 0x11400000");
    put("32.store", 24, "i32.const 0x000a0000");
    put("64.store", 28, "i64.const 0x02010a00010a0200");
    put("32.store", 36, "i32.const 0x2e000900");
    put("32.store", 44, &format!("i32.const {salt}"));
    put("64.store", 48, if is_numbered { "i64.load (i32.const 1024)" } else { "i64.const 7" });
    write!(body, "{}", verdict(v::NEXT)).unwrap();
    module(&each("generate", &body))
}

/// Counts the time to live down, writes another checksum and other addresses of Ethernet.
fn router() -> String {
    let at = "(i32.load (local.get $d))";
    module(&each(
        "process",
        &format!(
            "(i32.store8 offset=22 {at} (i32.sub (i32.load8_u offset=22 {at}) (i32.const 1)))
             (i32.store16 offset=24 {at} (i32.const 0x1234)) (i64.store {at} (i64.const 0x0203040506070809)) {}",
            verdict(v::NEXT)
        ),
    ))
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.module("gen.wat", &generator(1, true)).module("gen2.wat", &generator(2, true));
    bench.module("router.wat", &router());
    bench
}

fn simulate(bench: &Bench, text: &str, seed: u64) -> Outcome {
    let config = Config::parse(text, "paths.toml").unwrap_or_else(|e| panic!("{e}"));
    let simulator = Simulator::new(&config, &bench.path(""), &Options::default()).unwrap();
    let outcome = simulator.simulate(seed, None, None).unwrap();
    assert!(outcome.summary.accounting.balanced && outcome.summary.pools.iter().all(|pool| pool.full));
    for path in &outcome.summary.snapshot.paths {
        let packets = &path.packets;
        assert!(packets.is_balanced() && packets.outstanding == 0 && packets.waiting == 0, "{packets:?}");
        assert_eq!((packets.unlooked, packets.overrun), ([0, 0], 0), "{packets:?}");
    }
    outcome
}

fn told<'a>(outcome: &'a Outcome, name: &str) -> &'a PathStats {
    outcome.summary.snapshot.paths.iter().find(|path| path.name == name).unwrap()
}

#[test]
fn loss_copies_and_latency_through_a_router_are_those_of_the_wires() {
    let bench = bench();
    let wires = ["delay=20us,loss=1%", "delay=7us,loss=2%,duplicate=3%"];
    let paths = path("all", SENT, SINK, "") + &path("wire", "sent_by = [\"forward\"]", SINK, "identity = \"frame\"");
    for seed in 1..5 {
        let outcome = simulate(&bench, &config(wires, "1 Mpps", &paths), seed);
        let ports = &outcome.summary.snapshot.ports;
        let [before, behind] = [0, 2].map(|port| ports[port].wire.clone().unwrap());
        let all = told(&outcome, "all");
        assert_eq!(all.packets.first, ports[0].tx_packets);
        assert_eq!(
            (all.packets.lost, all.packets.late),
            (before.lost + behind.lost, 0),
            "{all:?} {before:?} {behind:?}"
        );
        assert_eq!((all.packets.twice, all.packets.only_then), (behind.duplicated, 0), "{all:?}");
        assert_eq!((all.packets.ambiguous, all.packets.then), (0, ports[3].rx_packets), "{all:?}");
        assert_eq!((all.latency.min_ns, all.latency.max_ns), (Some(27_000), Some(27_000)));
        assert_eq!((all.latency.before_departure, all.variation.jitter_ns), (0, 0.0));
        assert!(before.lost > 100 && behind.lost > 200 && behind.duplicated > 300, "{before:?} {behind:?}");
        // The same by all bytes, which nobody changes on the second wire.
        let wire = told(&outcome, "wire");
        assert_eq!((wire.packets.first, wire.packets.lost), (ports[2].tx_packets, behind.lost));
        assert_eq!((wire.latency.min_ns, wire.latency.max_ns), (Some(7_000), Some(7_000)));
        let median = wire.latency.percentiles.iter().find(|one| one.name == "p50").unwrap();
        assert!(matches!(median.value, PercentileValue::Ns(7_000..=7_008)), "{median}");
        assert_eq!(wire.times, ["lcore", "port"]);
        assert_eq!((all.remarks(), wire.remarks()), (vec![], vec![]));
    }
}

#[test]
fn what_comes_late_is_late_and_what_is_overtaken_reordered() {
    let bench = bench();
    let wires = ["delay=5us", "delay=5us,reorder=5%,reorder-by=1200us"];
    let paths = path("all", SENT, SINK, "");
    let outcome = simulate(&bench, &config(wires, "200 kpps", &paths), 2);
    let wire = outcome.summary.snapshot.ports[2].wire.clone().unwrap();
    let packets = told(&outcome, "all").packets;
    assert!(wire.reordered > 100, "{wire:?}");
    assert_eq!((packets.late, packets.lost), (wire.reordered, 0), "{packets:?} {wire:?}");
    assert!(packets.reordered <= wire.reordered && packets.reordered * 10 > wire.reordered * 8, "{packets:?}");
    // Beyond twice the time-out they are strangers.
    let wires = ["delay=5us", "delay=5us,reorder=5%,reorder-by=3ms"];
    let outcome = simulate(&bench, &config(wires, "200 kpps", &paths), 2);
    let wire = outcome.summary.snapshot.ports[2].wire.clone().unwrap();
    let packets = told(&outcome, "all").packets;
    assert_eq!((packets.late, packets.lost), (0, wire.reordered), "{packets:?} {wire:?}");
    assert!(packets.only_then <= wire.reordered && packets.only_then * 10 > wire.reordered * 6, "{packets:?}");
}

#[test]
fn an_identity_that_is_changed_on_the_way_matches_nothing_and_says_so() {
    let bench = bench();
    let paths = path("all", SENT, SINK, "identity = \"frame\"")
        + &path("number", SENT, SINK, "identity = { offset = 44, len = 12 }")
        + &path("tail", SENT, SINK, "identity = { from = \"end\", offset = 36, len = 12 }")
        + &path("payload", SENT, SINK, "identity = \"payload\"");
    let outcome = simulate(&bench, &config(["delay=5us", "delay=5us"], "100 kpps", &paths), 2);
    let all = told(&outcome, "all");
    assert_eq!((all.packets.in_time, all.packets.lost), (0, all.packets.first));
    assert_eq!(all.packets.only_then, all.packets.then);
    assert!(all.remarks()[0].contains("NONE was seen at both places"), "{:?}", all.remarks());
    for name in ["number", "tail", "payload"] {
        let path = told(&outcome, name);
        assert!(path.packets.first > 1_900 && path.packets.in_time == path.packets.first, "{path:?}");
        assert_eq!((path.latency.min_ns, path.latency.max_ns), (Some(10_000), Some(10_000)));
    }
}

#[test]
fn packets_that_are_all_the_same_are_ambiguous_and_the_remark_says_what_to_do() {
    let bench = bench();
    bench.module("gen.wat", &generator(1, false));
    let paths = path("all", SENT, SINK, "");
    let outcome = simulate(&bench, &config(["delay=5us", "delay=5us"], "100 kpps", &paths), 2);
    let all = told(&outcome, "all");
    // The first one was alone when it was on its way, and was matched or not.
    assert!(all.packets.first > 1_900 && all.packets.ambiguous + 1 >= all.packets.first, "{:?}", all.packets);
    assert!(all.packets.ambiguous_then + 1 >= all.packets.then && all.latency.count <= 1, "{:?}", all.packets);
    let remark = &all.remarks()[0];
    assert!(remark.contains("AMBIGUOUS") && remark.contains("another `identity` may tell them apart"), "{remark}");
}

#[test]
fn strangers_change_no_count_and_two_lcores_see() {
    let bench = bench();
    // One in twenty is somebody else's; then both are.
    let other = "[[chain]]\nname = \"other\"\nsource = { module = \"gen2\", pool = 1023 }\ntx = [\"load\"]\n\
                 [[stream]]\nname = \"other\"\nchain = \"other\"\nrate = \"50 kpps\"\n";
    let text = |by: &str| {
        config(["delay=20us,loss=1%", "delay=5us"], "950 kpps", &(other.to_owned() + &path("all", by, SINK, "")))
    };
    let outcome = simulate(&bench, &text(SENT), 3);
    let (streams, wire) = (&outcome.summary.snapshot.streams, outcome.summary.snapshot.ports[0].wire.clone().unwrap());
    let one = told(&outcome, "all");
    assert_eq!(one.packets.first, streams[0].sent);
    assert_eq!(one.packets.lost + (streams[1].sent - one.packets.only_then), wire.lost, "{one:?} {wire:?}");
    assert!(one.packets.only_then > 900 && one.packets.ambiguous == 0, "{one:?}");
    assert_eq!((one.latency.min_ns, one.latency.max_ns), (Some(25_000), Some(25_000)));
    let outcome = simulate(&bench, &text("sent_by = [\"generate\", \"other\"]"), 3);
    let (both, wire) = (told(&outcome, "all"), outcome.summary.snapshot.ports[0].wire.clone().unwrap());
    assert_eq!(both.packets.first, outcome.summary.snapshot.ports[0].tx_packets);
    assert_eq!((both.packets.lost, both.packets.only_then), (wire.lost, 0), "{both:?}");
    // The same seed gives the same again.
    let again = simulate(&bench, &text("sent_by = [\"generate\", \"other\"]"), 3);
    assert_eq!((again.digest.clone(), told(&again, "all")), (outcome.digest.clone(), both));
}

#[test]
fn what_a_chain_itself_takes_is_a_path_too() {
    let bench = bench();
    let cost = "[sim]\ncosts = { forward = { batch = \"3us\", packet = \"1us\" } }\n";
    let paths = path("chain", "received_by = [\"forward\"]", "sent_by = [\"forward\"], to = \"far\"", "")
        + &path("all", SENT, SINK, "");
    let outcome = simulate(&bench, &config(["delay=5us", "delay=5us"], "100 kpps", &(paths + cost)), 3);
    let (chain, all) = (told(&outcome, "chain"), told(&outcome, "all"));
    assert_eq!((chain.packets.first, chain.packets.in_time), (all.packets.first, all.packets.first));
    // A turn's cost comes behind its packets, and before the next turn: at 10 us nobody waits for it.
    assert_eq!((chain.latency.min_ns, all.latency.min_ns), (Some(0), Some(10_000)));
    assert_eq!(chain.times, ["port", "lcore"]);
    // A module that takes longer than the gap makes packets wait.
    let slow = cost.replace("3us", "12us");
    let text = config(
        ["delay=5us", "delay=5us"],
        "100 kpps",
        &(path("chain", "received_by = [\"forward\"]", "sent_by = [\"forward\"]", "") + &slow),
    );
    let waited = simulate(&bench, &text, 3);
    assert!(told(&waited, "chain").latency.max_ns > Some(1_000), "{:?}", told(&waited, "chain").latency);
}
