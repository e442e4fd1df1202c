//! Measuring: what the host counts of probes is what the simulated wire says that it did to them.

use perigee_abi::verdict as v;
use perigee_lab::{Bench, each, module, verdict};
use perigee_runtime::sim::Outcome;
use perigee_runtime::{PercentileValue, StreamStats};

/// A generator of frames of 80 bytes, a wire with `line`, a sink that reads the probes, and what `more` adds.
fn config(line: &str, stream: &str, more: &str) -> String {
    format!(
        r#"
[run]
duration = "20ms"
[[port]]
name = "load"
device = "wire:lab,end=a,{line}"
[[port]]
name = "in"
device = "wire:lab,end=b"
[[module]]
name = "gen"
file = "gen.wat"
[[chain]]
name = "generate"
source = {{ module = "gen", pool = 2047 }}
tx = ["load"]
[[chain]]
name = "sink"
source = {{ port = "in" }}
[[stream]]
name = "s"
chain = "generate"
probes = {{ received_by = ["sink"], timeout = "1ms", places = 65536 }}
{stream}
{more}
"#
    )
}

fn generator(len: u32) -> String {
    module(&each("generate", &format!("(i32.store16 offset=4 (local.get $d) (i32.const {len})) {}", verdict(v::NEXT))))
}

fn balanced(bench: &Bench, text: &str, seed: u64) -> Outcome {
    let outcome = bench.simulate(text, seed).unwrap();
    assert!(outcome.summary.accounting.balanced && outcome.summary.pools.iter().all(|pool| pool.full));
    let stream = &outcome.summary.snapshot.measured[0];
    assert!(stream.probes.is_balanced() && stream.probes.outstanding == 0, "{:?}", stream.probes);
    outcome
}

fn measured(outcome: &Outcome) -> &StreamStats {
    &outcome.summary.snapshot.measured[0]
}

#[test]
fn loss_duplicates_and_order_are_those_that_the_wire_has_injected() {
    let bench = Bench::new();
    bench.module("gen.wat", &generator(80));
    let line = "delay=20us,loss=1%,duplicate=2%,reorder=3%,reorder-by=30us";
    for seed in 1..6 {
        let outcome = balanced(&bench, &config(line, "rate = \"1 Mpps\"", ""), seed);
        let wire = outcome.summary.snapshot.ports[0].wire.clone().unwrap();
        let (stream, probes) = (measured(&outcome), &measured(&outcome).probes);
        assert_eq!(outcome.summary.snapshot.ports[0].tx_packets, probes.sent);
        assert_eq!((probes.lost, probes.duplicated, probes.late), (wire.lost, wire.duplicated, 0), "{wire:?}");
        assert_eq!(probes.in_time, probes.sent - wire.lost);
        // One that comes late by itself is reordered, unless nothing overtook it; never one that does not.
        assert!(
            stream.order.reordered <= wire.reordered && stream.order.reordered * 10 > wire.reordered * 8,
            "{stream:?}"
        );
        assert_eq!(outcome.summary.snapshot.strangers.foreign, 0);
        assert!(wire.lost > 100 && wire.duplicated > 200 && wire.reordered > 300, "{wire:?}");
    }
}

#[test]
fn latency_is_that_of_the_wire_to_the_nanosecond_from_both_departures() {
    let bench = Bench::new();
    bench.module("gen.wat", &generator(80));
    let outcome = balanced(&bench, &config("delay=12345ns", "rate = \"700 kpps\"", ""), 1);
    let stream = measured(&outcome);
    for times in [&stream.latency, &stream.latency_intended] {
        assert_eq!(times.min_ns, Some(12_345));
        assert!((12_345.0..12_345.01).contains(&times.mean_ns.unwrap()), "{times:?}");
        let median = times.percentiles.iter().find(|one| one.name == "p50").unwrap();
        assert!(matches!(median.value, PercentileValue::Ns(12_345..=12_346)), "{median}");
        assert_eq!(times.before_departure, 0);
    }
    // A departure is within a nanosecond of its time.
    assert_eq!((stream.latency.max_ns, stream.variation.jitter_ns), (Some(12_345), 0.0));
    assert!(stream.latency_intended.max_ns <= Some(12_346));
    let gaps = stream.arrival_gaps.as_ref().unwrap();
    assert_eq!((gaps.asked_ns, gaps.within[0].share), (Some(1_429), 1.0));
    // The lcore stands still for 2 ms: what then leaves late has the wire's latency from its real departure, and more from its time.
    let text = config("delay=12345ns", "rate = \"100 kpps\"", "[[sim.event]]\nat = \"5ms\"\njump = { by = \"2ms\" }");
    let outcome = balanced(&bench, &text, 1);
    let stream = measured(&outcome);
    assert_eq!((stream.latency.min_ns, stream.latency.max_ns), (Some(12_345), Some(12_345)), "{stream:#?}");
    assert!(stream.latency_intended.max_ns.unwrap() > 1_900_000, "{stream:#?}");
}

#[test]
fn what_comes_after_its_time_out_is_late_and_not_lost() {
    let bench = Bench::new();
    bench.module("gen.wat", &generator(80));
    let line = "delay=20us,reorder=5%,reorder-by=3ms";
    let outcome = balanced(&bench, &config(line, "rate = \"200 kpps\"", ""), 2);
    let wire = outcome.summary.snapshot.ports[0].wire.clone().unwrap();
    let probes = measured(&outcome).probes;
    // Those of the last milliseconds were waited for no longer than their time-out.
    assert!(probes.late + probes.lost == wire.reordered && probes.lost < wire.reordered / 4, "{probes:?} {wire:?}");
}

#[test]
fn strangers_and_corrupted_probes_change_no_count() {
    let bench = Bench::new();
    bench.module("gen.wat", &generator(80));
    let other = "[[chain]]\nname = \"other\"\nsource = { module = \"gen\", pool = 1023 }\ntx = [\"load\"]\n\
                 [[stream]]\nname = \"strangers\"\nchain = \"other\"\nrate = \"50 kpps\"\n";
    let outcome = balanced(&bench, &config("delay=5us,corrupt=1%", "rate = \"1 Mpps\"", other), 4);
    let (probes, strangers) = (measured(&outcome).probes, outcome.summary.snapshot.strangers);
    let others = outcome.summary.snapshot.streams[1].sent;
    let wire = outcome.summary.snapshot.ports[0].wire.clone().unwrap();
    // Of 80 bytes 32 are the probe; two of these, its complement, are not checked.
    assert!(probes.lost > wire.corrupted / 4 && probes.lost < wire.corrupted / 2, "{probes:?} {wire:?}");
    assert_eq!(strangers.foreign + strangers.corrupted, others + probes.lost, "{strangers:?}");
    assert!(strangers.corrupted * 10 > probes.lost * 8, "{strangers:?} {probes:?}");
    assert_eq!(probes.duplicated, 0);
}

#[test]
fn one_in_ten_is_a_probe_and_none_where_frames_are_too_short() {
    let bench = Bench::new();
    bench.module("gen.wat", &generator(80));
    let stream = "rate = \"1 Mpps\"";
    let text = config("delay=5us", stream, "").replace("timeout = \"1ms\"", "timeout = \"1ms\", every = 10");
    let outcome = balanced(&bench, &text, 1);
    let (sent, probes) = (outcome.summary.snapshot.streams[0].sent, measured(&outcome).probes);
    assert_eq!(probes.sent, sent.div_ceil(10));
    assert_eq!(outcome.summary.snapshot.strangers.foreign, sent - probes.sent);
    bench.module("gen.wat", &generator(45));
    let outcome = balanced(&bench, &config("delay=5us", stream, ""), 1);
    assert_eq!(
        (measured(&outcome).probes.sent, measured(&outcome).too_short),
        (0, outcome.summary.snapshot.streams[0].sent)
    );
}

#[test]
fn two_lcores_send_and_two_receive_and_a_seed_gives_the_same_again() {
    let bench = Bench::new();
    bench.module("gen.wat", &generator(80));
    let text = config("delay=20us,loss=1%", "rate = \"1 Mpps\"", "").replace(
        "source = { module = \"gen\", pool = 2047 }",
        "lcores = [0, 1]\nsource = { module = \"gen\", pool = 2047 }",
    );
    let first = balanced(&bench, &text, 7);
    let wire = first.summary.snapshot.ports[0].wire.clone().unwrap();
    assert_eq!(measured(&first).probes.lost, wire.lost);
    let again = balanced(&bench, &text, 7);
    assert_eq!((first.digest.clone(), measured(&first)), (again.digest.clone(), measured(&again)));
}
