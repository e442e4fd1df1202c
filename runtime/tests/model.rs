//! The host's checks of what a module writes, against a slow and obvious model (`model/host.rs`): each case is a run in
//! which a module writes plausible and hostile descriptors and output lists, and the model says beforehand what becomes
//! of every packet.

mod case;
mod host;
mod plan;
mod script;
mod wire;

use case::{Case, ROOM};
use host::Lane;
use perigee_lab::{Bench, Outcome, each, module};
use plan::Plan;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use std::time::{Duration, Instant};

/// A capture for each [`Lane`].
const LANES: [(Lane, &str); 4] =
    [(Lane::Back, "back.pcap"), (Lane::Out, "out.pcap"), (Lane::OutSecond, "second.pcap"), (Lane::Ring, "ring.pcap")];

#[test]
fn the_host_does_with_descriptors_and_lists_what_the_model_says() {
    // The same cases in each run, unless proptest's own variables (PROPTEST_RNG_SEED, PROPTEST_CASES, ...) say otherwise.
    let own = Config::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { own.cases } else { 200 };
    let rng_seed = if own.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { own.rng_seed };
    let max_shrink_iters = if own.max_shrink_iters == u32::MAX { 400 } else { own.max_shrink_iters };
    let config = Config { failure_persistence: None, cases, rng_seed, max_shrink_iters, ..own };
    let mut runner = TestRunner::new(config);
    let result = runner.run(&case::case(), |case| {
        check(&case);
        Ok(())
    });
    // On one line, or the smallest case fills screens.
    if let Err(TestError::Fail(reason, case)) = &result {
        panic!("{reason}\n{case:?}");
    }
    result.unwrap();
}

/// Runs a case and compares.
fn check(case: &Case) {
    let plan = Plan::new(case);
    let bench = Bench::new();
    let callback = if case.generates { "generate" } else { "process" };
    bench.module("m.wat", &module(&script::module(callback, case.spares, &plan.batches)));
    bench.module("show.wat", &module(&each("process", script::SHOW))).input(&plan.frames);
    let outcome = run(&bench, case, plan.batches.len() as u64);
    let counters = &outcome.summary.snapshot.modules[0].counters;
    assert_eq!(counters["batches"], plan.batches.len() as u64, "calls of the script");
    assert_eq!((counters["odd"], counters["room"]), (0, ROOM.into()), "what the host told the module");
    let accounting = &outcome.summary.accounting;
    let expected = &plan.expected;
    assert_eq!(accounting.dropped, expected.dropped, "drops by cause");
    for (lane, file) in LANES {
        let sent = perigee_lab::read_pcap(&bench.path(file));
        let wanted = &expected.sent[lane as usize];
        let first = sent.iter().zip(wanted).position(|(a, b)| a != b);
        assert_eq!((sent.len(), first), (wanted.len(), None), "{file}: {sent:02x?} instead of {wanted:02x?}");
    }
    assert_eq!((accounting.received, accounting.created), (expected.received, expected.created));
    let sum =
        |count: fn(&perigee_runtime::ChainStats) -> u64| outcome.summary.snapshot.chains.iter().map(count).sum::<u64>();
    assert_eq!(sum(|chain| chain.bad_outputs), expected.bad_outputs, "bad outputs");
    assert_eq!(sum(|chain| chain.create_not_granted), expected.create_not_granted, "packets made without a grant");
    let (least, most) = expected.times;
    assert!((least..=most).contains(&sum(|chain| chain.tx_time_ignored)), "departure times: {least} to {most}");
    // What a chain sends to a port with nothing wrong is all that leaves, so the model and the equation agree.
    let sent: usize = expected.sent.iter().map(Vec::len).sum();
    assert_eq!(accounting.sent, sent as u64);
}

fn run(bench: &Bench, case: &Case, batches: u64) -> Outcome {
    let config = config(bench, case);
    if !case.generates {
        return bench.run(&config);
    }
    let run = bench.start(&config).unwrap_or_else(|e| panic!("{e}\n{config}"));
    let begin = Instant::now();
    while run.snapshot().modules[0].counters.get("batches").is_none_or(|made| *made < batches) {
        assert!(begin.elapsed() < Duration::from_secs(20), "the generator does not play its script");
    }
    bench.finish(run)
}

fn config(bench: &Bench, case: &Case) -> String {
    let path = |file: &str| bench.path(file).display().to_string();
    let [input, back, out, second, ring] = ["in.pcap", "back.pcap", "out.pcap", "second.pcap", "ring.pcap"].map(path);
    let source = if case.generates { "{ module = \"m\", pool = 511 }" } else { "{ port = \"in\" }" };
    // A generator is not granted what a chain behind a port is.
    let tx = if case.generates { vec!["out"] } else { vec!["out", "in"] };
    let mut stages = if case.generates { vec![] } else { vec!["m"] };
    stages.extend(case.second_stage.then_some("show"));
    let show = if case.second_stage { "[[module]]\nname = \"show\"\nfile = \"show.wat\"" } else { "" };
    let grants = case.grants;
    let names = [(grants.ports[0], "in"), (grants.ports[1], "out")];
    let granted: Vec<&str> = names.into_iter().filter_map(|(granted, name)| granted.then_some(name)).collect();
    let (queues, rings): (&[u16], &[&str]) =
        (if grants.queue { &[1] } else { &[] }, if grants.ring { &["r"] } else { &[] });
    let create = grants.create;
    let (burst, strip, hold) = (case.burst, case.strip, case.hold);
    format!(
        r#"
[run]
burst = {burst}
[[port]]
name = "in"
device = "net_pcap0,rx_pcap={input},tx_pcap={back}"
vlan_strip = {strip}
pool = 255
[[port]]
name = "out"
device = "net_pcap1,tx_pcap={out},tx_pcap={second}"
tx_queues_per_lcore = 2
pool = 255
[[port]]
name = "from ring"
device = "net_pcap2,tx_pcap={ring}"
pool = 255
[[ring]]
name = "r"
size = 4096
[[module]]
name = "m"
file = "m.wat"
[module.grants]
tx = {granted:?}
tx_queues = {queues:?}
rings = {rings:?}
create = {create}
hostcalls = ["counter"]
hold = {hold}
hold_age = "1h"
{show}
[[chain]]
lcores = [0]
source = {source}
stages = {stages:?}
tx = {tx:?}
[[chain]]
lcores = [0]
source = {{ ring = "r" }}
tx = ["from ring"]
"#
    )
}
