//! Pacing: when packets leave, by what arrives at the end of a simulated wire, which knows each time to the nanosecond.

use perigee_abi::{rx_flags, tx_flags, verdict as v};
use perigee_lab::{Bench, each, module, verdict};
use perigee_runtime::StreamState;
use perigee_runtime::sim::Outcome;

/// Nanoseconds from one end of the wire to the other.
const DELAY: u64 = 5_000;

/// A generator, a wire, and a module that looks at what arrives.
fn config(stream: &str) -> String {
    format!(
        r#"
[run]
duration = "10ms"
[[port]]
name = "load"
device = "wire:lab,end=a,delay=5us"
[[port]]
name = "in"
device = "wire:lab,end=b"
[[module]]
name = "gen"
file = "gen.wat"
grants = {{ tx = ["load"], pace = true }}
[[module]]
name = "check"
file = "check.wat"
[[chain]]
name = "generate"
source = {{ module = "gen", pool = 2047 }}
tx = ["load"]
[[chain]]
name = "check"
source = {{ port = "in" }}
stages = ["check"]
{stream}
"#
    )
}

/// Makes packets, and asks for nothing.
pub(crate) fn generator() -> String {
    module(&each("generate", &verdict(v::NEXT)))
}

/// Looks at the time of each packet: `$t` is the arrival, `$k` its number from 0, `$first` the arrival of the first one. What
/// `wrong` says of it is a trap.
pub(crate) fn checker(wrong: &str) -> String {
    let body = format!(
        r#"(if (i32.eqz (i32.and (i32.load offset=24 (local.get $d)) (i32.const {time}))) (then unreachable))
  (global.set $t (i64.load offset=48 (local.get $d)))
  (if (i64.eqz (global.get $k)) (then (global.set $first (global.get $t))))
  (if {wrong} (then unreachable))
  (global.set $k (i64.add (global.get $k) (i64.const 1)))
  {drop}"#,
        time = rx_flags::TIME,
        drop = verdict(v::DROP)
    );
    let globals = ["t", "k", "first"].map(|name| format!("(global ${name} (mut i64) (i64.const 0))")).concat();
    module(&format!("{globals} {}", each("process", &body)))
}

/// `$t` is more than a nanosecond from `$first + $k * over / under`.
fn away(over: u64, under: u64) -> String {
    format!(
        "(i64.gt_u (i64.add (i64.sub (global.get $t)
           (i64.add (global.get $first) (i64.div_u (i64.mul (global.get $k) (i64.const {over})) (i64.const {under}))))
         (i64.const 1)) (i64.const 2))"
    )
}

pub(crate) fn sound(bench: &Bench, text: &str) -> Outcome {
    let outcome = bench.simulate(text, 3).unwrap();
    assert_eq!(outcome.broken, Vec::<String>::new(), "{:#?}", outcome.summary.snapshot);
    assert!(outcome.summary.accounting.balanced && outcome.summary.pools.iter().all(|pool| pool.full));
    let failed = outcome.summary.snapshot.modules.iter().filter_map(|module| module.failed.clone());
    assert_eq!(failed.collect::<Vec<_>>(), Vec::<String>::new());
    outcome
}

#[test]
fn a_constant_rate_has_no_error_that_adds_up() {
    let bench = Bench::new();
    for (rate, per_second) in
        [("3 Mpps", 3_000_000), ("700 kpps", 700_000), ("1 kpps", 1_000), ("7654.321 kpps", 7_654_321)]
    {
        bench.module("gen.wat", &generator());
        bench.module("check.wat", &checker(&away(1_000_000_000, per_second)));
        let stream = format!("[[stream]]\nname = \"s\"\nchain = \"generate\"\nrate = \"{rate}\"\n");
        let outcome = sound(&bench, &config(&stream));
        let stream = &outcome.summary.snapshot.streams[0];
        // The first leaves at once, the last one before the 10 ms are over; some wait for their time then, and leave at it.
        let asked = per_second / 100;
        assert!(stream.sent >= asked && stream.sent <= asked + asked / 100 + 2, "{rate}: {} of {asked}", stream.sent);
        assert_eq!((stream.late, stream.dropped_late, stream.missed.as_ref()), (0, 0, None), "{rate}");
        // Those of the last 5 us are still on the wire when the run ends.
        let came = outcome.summary.snapshot.ports[1].rx_packets;
        assert!(came <= stream.sent && came + per_second / 50_000 + 1 >= asked, "{rate}: {came} of {}", stream.sent);
    }
}

#[test]
fn a_stream_ends_by_its_count_and_the_next_one_follows() {
    let bench = Bench::new();
    bench.module("gen.wat", &generator());
    bench.module("check.wat", &checker("(i32.const 0)"));
    let text = config(
        "[[chain]]\nname = \"second\"\nsource = { module = \"gen\", pool = 2047 }\ntx = [\"load\"]\n\
         [[stream]]\nname = \"one\"\nchain = \"generate\"\nrate = \"100 kpps\"\ncount = 100\n\
         [[stream]]\nname = \"two\"\nchain = \"second\"\nrate = \"50 kpps\"\nafter = \"one\"\nstart = \"500us\"\ncount = 50\n",
    );
    let outcome = sound(&bench, &text);
    let streams = &outcome.summary.snapshot.streams;
    assert_eq!((streams[0].sent, streams[0].state), (100, StreamState::Over));
    assert_eq!((streams[1].sent, streams[1].state), (50, StreamState::Over));
    // From when the first packet was due until the last one left, however rarely somebody looks.
    assert_eq!((streams[0].ran_ns, streams[1].ran_ns), (990_000, 980_000));
    assert!(streams.iter().all(|stream| stream.missed.is_none()), "{streams:?}");
}

#[test]
fn a_module_says_when_its_packets_leave_and_gets_the_time_written() {
    let bench = Bench::new();
    for (asked, value, by) in [
        (tx_flags::GAP, "(i64.const 1500)".to_owned(), 1_500),
        (tx_flags::TIME, "(i64.mul (global.get $n64) (i64.const 2000))".to_owned(), 2_000),
    ] {
        let body = format!(
            "(global.set $n64 (i64.add (global.get $n64) (i64.const 1)))
             (i64.store offset=48 (local.get $d) {value})
             (i32.store16 offset=42 (local.get $d) (i32.const 20))
             (i32.store offset=28 (local.get $d) (i32.const {}))
             {}",
            asked | tx_flags::STAMP,
            verdict(v::tx(0))
        );
        bench.module("gen.wat", &module(&format!("(global $n64 (mut i64) (i64.const 0)) {}", each("generate", &body))));
        // What stands in the packet is its departure, in network order: from the highest byte on.
        let stamp = (0..8)
            .map(|i| {
                format!(
                    "(i64.shl (i64.load8_u offset={} (i32.load (local.get $d))) (i64.const {}))",
                    20 + i,
                    56 - 8 * i
                )
            })
            .reduce(|all, byte| format!("(i64.or {all} {byte})"))
            .unwrap();
        let wrong = format!("(i32.or {} (i64.ne (i64.add {stamp} (i64.const {DELAY})) (global.get $t)))", away(by, 1));
        bench.module("check.wat", &checker(&wrong));
        let outcome = sound(&bench, &config(""));
        let chain = &outcome.summary.snapshot.chains[0];
        let expected = 10_000_000 / by;
        assert!(chain.sent >= expected && chain.sent <= expected + 64, "{} of {expected}", chain.sent);
        assert_eq!(chain.tx_time_ignored, 0);
    }
}

#[test]
fn a_stamp_beyond_the_packet_is_a_bad_request_and_without_the_grant_it_is_ignored() {
    let bench = Bench::new();
    let body = format!(
        "(i32.store16 offset=42 (local.get $d) (i32.const 51)) (i32.store offset=28 (local.get $d) (i32.const {})) {}",
        tx_flags::STAMP,
        verdict(v::tx(0))
    );
    bench.module("gen.wat", &module(&each("generate", &body)));
    bench.module("check.wat", &checker("(i32.const 0)"));
    let sparse = "[sim]\nturn = \"100us\"\n";
    let outcome = sound(&bench, &(config("") + sparse));
    let chain = &outcome.summary.snapshot.chains[0];
    assert!(chain.sent == 0 && chain.dropped["bad_offload"] == chain.created && chain.created > 0, "{chain:?}");
    bench.module("gen.wat", &module(&each("generate", &body.replace("(i32.const 51)", "(i32.const 50)"))));
    let text = config("").replace(", pace = true", "") + sparse;
    let chain = &sound(&bench, &text).summary.snapshot.chains[0];
    assert!(chain.sent > 0 && chain.tx_time_ignored == chain.created, "{chain:?}");
}

#[test]
fn what_is_late_is_made_up_for_moved_or_dropped_as_the_operator_says() {
    let bench = Bench::new();
    bench.module("gen.wat", &generator());
    bench.module("check.wat", &checker("(i32.const 0)"));
    // For 2 of 10 ms the lcore does nothing.
    let event = "[[sim.event]]\nat = \"3ms\"\njump = { by = \"2ms\" }\n";
    let with = |late: &str| {
        let stream =
            format!("[[stream]]\nname = \"s\"\nchain = \"generate\"\nrate = \"100 kpps\"\nlate = \"{late}\"\n{event}");
        sound(&bench, &config(&stream)).summary.snapshot.streams[0].clone()
    };
    let caught_up = with("catch-up");
    assert!((1_000..=1_005).contains(&caught_up.sent), "{caught_up:?}");
    assert!((190..=200).contains(&caught_up.late) && caught_up.late_worst_ns > 1_900_000, "{caught_up:?}");
    let moved = with("shift");
    assert!((800..=806).contains(&moved.sent) && (1_900_000..=2_000_000).contains(&moved.moved_ns), "{moved:?}");
    assert!(moved.missed.unwrap().contains("moved"));
    let dropped = with("drop");
    assert!((800..=812).contains(&dropped.sent) && (190..=200).contains(&dropped.dropped_late), "{dropped:?}");
    assert!(dropped.missed.unwrap().contains("dropped late"));
}
