//! The data path with modules in WAT: verdicts, lying descriptors, output lists, held packets, traps, rings.

use perigee_abi::verdict as v;
use perigee_lab::{Bench, CHAIN, MAILBOX, OUT_COUNT, OUTPUTS, SPARES, check, each, module, packets, verdict};
use std::time::{Duration, Instant};

fn run(module_text: &str, input: &[Vec<u8>]) -> perigee_lab::Outcome {
    run_with(module_text, input, CHAIN)
}

fn run_with(module_text: &str, input: &[Vec<u8>], rest: &str) -> perigee_lab::Outcome {
    let bench = Bench::new();
    bench.module("m.wat", module_text).input(input);
    bench.run(&bench.config(rest))
}

#[test]
fn next_after_the_last_stage_leaves_by_the_first_tx_port() {
    let input = packets(1_000, 60);
    let outcome = run(&module(&each("process", &verdict(v::NEXT))), &input);
    assert_eq!(outcome.out, input);
    assert_eq!(outcome.summary.accounting.sent, 1_000);
}

#[test]
fn a_verdict_that_is_not_written_drops() {
    let outcome = run(&module(&each("process", "")), &packets(100, 60));
    assert_eq!((outcome.out.len(), outcome.dropped("verdict")), (0, 100));
}

#[test]
fn tx_goes_to_the_port_of_that_number_and_nowhere_else() {
    let input = packets(90, 60);
    // Port 1 is `out`, port 7 does not exist, and verdicts of no kind are no verdicts.
    let body = format!(
        "(i32.store offset=8 (local.get $d) (select (i32.const {}) (select (i32.const {}) (i32.const 77) (i32.eq \
         (i32.rem_u (local.get $i) (i32.const 3)) (i32.const 1))) (i32.eqz (i32.rem_u (local.get $i) (i32.const 3)))))",
        v::tx(1),
        v::tx(7)
    );
    let outcome = run_with(&module(&each("process", &body)), &input, &format!("[run]\nburst = 30\n{CHAIN}"));
    assert_eq!(outcome.dropped("tx_not_granted") + outcome.dropped("bad_verdict") + outcome.out.len() as u64, 90);
    assert!(outcome.dropped("tx_not_granted") >= 30 && outcome.dropped("bad_verdict") >= 28);
    assert!(outcome.out.iter().all(|p| input.contains(p)));
}

#[test]
fn an_address_outside_the_room_drops_that_packet_alone() {
    for lie in [
        "(i32.store (local.get $d) (i32.const 0))",
        "(i32.store (local.get $d) (i32.const -1))",
        "(i32.store (local.get $d) (i32.add (i32.load (local.get $d)) (i32.const 65536)))",
        "(i32.store (local.get $d) (i32.sub (i32.load (local.get $d)) (i32.const 129)))",
        "(i32.store16 offset=4 (local.get $d) (i32.const 65535))",
        "(i32.store16 offset=4 (local.get $d) (i32.const 13))",
        "(i32.store16 offset=4 (local.get $d) (i32.const 0))",
    ] {
        let body = format!("{} (if (i32.eq (local.get $i) (i32.const 2)) (then {lie}))", verdict(v::NEXT));
        let outcome =
            run_with(&module(&each("process", &body)), &packets(8, 60), &format!("[run]\nburst = 8\n{CHAIN}"));
        assert_eq!((outcome.out.len(), outcome.dropped("bad_descriptor")), (7, 1), "{lie}");
    }
}

#[test]
fn headers_are_added_and_removed_in_place() {
    // Four bytes more in front, written there; and ten bytes fewer at the end.
    let body = format!(
        "{} (i32.store (local.get $d) (i32.sub (i32.load (local.get $d)) (i32.const 4)))
         (i32.store (i32.load (local.get $d)) (i32.const 0x44332211))
         (i32.store16 offset=4 (local.get $d) (i32.sub (i32.load16_u offset=4 (local.get $d)) (i32.const 6)))",
        verdict(v::NEXT)
    );
    let input = packets(3, 60);
    let outcome = run(&module(&each("process", &body)), &input);
    let expected: Vec<Vec<u8>> = input.iter().map(|p| [&[0x11, 0x22, 0x33, 0x44], &p[..50]].concat()).collect();
    assert_eq!(outcome.out, expected);
}

#[test]
fn the_output_list_reorders_and_copies() {
    // The packets of a batch leave in reverse, each twice: the first entry moves it, the second makes a copy.
    let list = format!(
        "(local $to i32) (local $from i32)
         (local.set $to (i32.const {OUTPUTS}))
         (block (loop
           (br_if 1 (i32.eqz (local.get $i)))
           (local.set $i (i32.sub (local.get $i) (i32.const 1)))
           (local.set $d (i32.sub (local.get $d) (i32.const 64)))
           (memory.copy (local.get $to) (local.get $d) (i32.const 64))
           (i32.store offset=8 (local.get $to) (i32.const {}))
           (i32.store offset=44 (local.get $to) (local.get $i))
           (local.set $to (i32.add (local.get $to) (i32.const 64)))
           (br 0)))
         (i32.store (i32.const {OUT_COUNT}) (local.get $n))",
        v::tx(1)
    );
    let process = each("process", &verdict(v::LISTED));
    let process = process.trim_end_matches(')').to_owned()
        + ")))\n"
        + &list.replace("(local $to i32) (local $from i32)", "")
        + ")";
    let process = process.replace("(local $i i32)", "(local $i i32) (local $to i32)");
    let input = packets(8, 60);
    let outcome = run_with(&module(&process), &input, &format!("[run]\nburst = 8\n{CHAIN}"));
    let reversed: Vec<Vec<u8>> = input.iter().rev().cloned().collect();
    assert_eq!(outcome.out, reversed);
    assert_eq!(outcome.summary.accounting.created, 0);

    // With a verdict in place, an entry is a copy: the original leaves first, the copies behind it.
    let copying = process.replace(&verdict(v::LISTED), &verdict(v::tx(1)));
    let outcome = run_with(&module(&copying), &input, &format!("[run]\nburst = 8\n{CHAIN}"));
    assert_eq!(outcome.out, [input.clone(), reversed].concat());
    assert_eq!(outcome.summary.accounting.created, 8);
}

#[test]
fn listed_packets_that_the_list_forgets_are_dropped_by_name() {
    let outcome = run(&module(&each("process", &verdict(v::LISTED))), &packets(20, 60));
    assert_eq!(outcome.dropped("unlisted"), 20);
}

#[test]
fn a_list_of_lies_names_no_packet() {
    // 256 entries: foreign slots, wrong generations, sources that do not exist.
    let lies = format!(
        "(local.set $d (i32.const {OUTPUTS}))
         (local.set $i (i32.const 0))
         (block (loop
           (br_if 1 (i32.eq (local.get $i) (i32.const 256)))
           (i32.store offset=8 (local.get $d) (i32.const {}))
           (i32.store offset=16 (local.get $d) (i32.mul (local.get $i) (i32.const 35)))
           (i32.store offset=20 (local.get $d) (i32.const 99))
           (i32.store offset=44 (local.get $d) (i32.mul (local.get $i) (i32.const 0x4001)))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (local.set $d (i32.add (local.get $d) (i32.const 64)))
           (br 0)))
         (i32.store (i32.const {OUT_COUNT}) (i32.const -1))",
        v::tx(1)
    );
    let process = each("process", &verdict(v::NEXT));
    let process = process.trim_end_matches(')').to_owned() + ")))\n" + &lies + ")";
    let input = packets(10, 60);
    let outcome = run_with(&module(&process), &input, &format!("[run]\nburst = 10\n{CHAIN}"));
    assert_eq!(outcome.out, input);
    assert!(outcome.summary.snapshot.chains[0].bad_outputs >= 256);
}

#[test]
fn spare_rooms_become_packets() {
    // For each batch two packets are made of the first two spare rooms.
    let make = |i: u32| {
        let (spare, to) = (SPARES + 64 * i, OUTPUTS + 64 * i);
        format!(
            "(memory.copy (i32.const {to}) (i32.const {spare}) (i32.const 64))
             (memory.fill (i32.load (i32.const {spare})) (i32.const {}) (i32.const 70))
             (i32.store16 (i32.const {}) (i32.const 70))
             (i32.store (i32.const {}) (i32.const {}))
             (i32.store (i32.const {}) (i32.const {}))",
            0x41 + i,
            to + 4,
            to + 8,
            v::NEXT,
            to + 44,
            perigee_abi::source::SPARE + i,
        )
    };
    let list = format!("{}{}(i32.store (i32.const {OUT_COUNT}) (i32.const 2))", make(0), make(1));
    let process = each("process", &verdict(v::DROP));
    let process = process.trim_end_matches(')').to_owned() + ")))\n(if (local.get $n) (then " + &list + ")))";
    let text = module(&format!("(global (export \"perigee_spares\") i32 (i32.const 4)) {process}"));
    let outcome = run_with(&text, &packets(40, 60), &format!("[run]\nburst = 10\n{CHAIN}"));
    let calls = outcome.summary.snapshot.chains[0].batches;
    assert_eq!(outcome.out.len() as u64, 2 * calls);
    assert_eq!(outcome.summary.accounting.created, 2 * calls);
    for pair in outcome.out.chunks(2) {
        assert_eq!(pair, [vec![0x41; 70], vec![0x42; 70]]);
    }
}

/// Holds every packet; in a tick gives all back that it remembers, in order, through the output list.
fn holder(give_back_on: u32) -> String {
    let hold = format!(
        "{} (memory.copy (i32.add (i32.const {MAILBOX}) (i32.shl (global.get $held) (i32.const 6))) (local.get $d) (i32.const 64))
         (global.set $held (i32.add (global.get $held) (i32.const 1)))",
        verdict(v::HOLD)
    );
    let process = each("process", &hold);
    module(&format!(
        "(global $held (mut i32) (i32.const 0))
         {process}
         (func (export \"tick\") (local $i i32) (local $to i32)
           (if (i32.eqz (i32.and (i32.load (i32.const 65540)) (i32.const {give_back_on}))) (then (return)))
           (block (loop
             (br_if 1 (i32.ge_u (local.get $i) (global.get $held)))
             (local.set $to (i32.add (i32.const {OUTPUTS}) (i32.shl (local.get $i) (i32.const 6))))
             (memory.copy (local.get $to) (i32.add (i32.const {MAILBOX}) (i32.shl (local.get $i) (i32.const 6))) (i32.const 64))
             (i32.store offset=8 (local.get $to) (i32.const {}))
             (i32.store offset=44 (local.get $to) (i32.const {}))
             (local.set $i (i32.add (local.get $i) (i32.const 1)))
             (br 0)))
           (i32.store (i32.const {OUT_COUNT}) (global.get $held))
           (global.set $held (i32.const 0)))",
        v::NEXT,
        perigee_abi::source::HELD
    ))
}

const HOLDING: &str = r#"
[[module]]
name = "m"
file = "m.wat"
[module.grants]
tx = ["in", "out"]
create = true
hostcalls = ["log", "counter", "time"]
hold = 200
hold_age = "10s"
[[chain]]
source = { port = "in" }
stages = ["m"]
tx = ["out"]
"#;

#[test]
fn held_packets_come_back_when_the_run_drains() {
    let input = packets(150, 60);
    let outcome = run_with(&holder(perigee_abi::batch_flags::DRAIN), &input, HOLDING);
    assert_eq!(outcome.out, input);
}

#[test]
fn what_is_held_beyond_the_quota_is_dropped() {
    let outcome = run_with(&holder(0), &packets(150, 60), &HOLDING.replace("200", "100"));
    assert_eq!((outcome.dropped("hold_quota"), outcome.dropped("stop")), (50, 100));
}

#[test]
fn what_is_held_too_long_expires() {
    let bench = Bench::new();
    bench.module("m.wat", &holder(0)).input(&packets(64, 60));
    let run = bench.start(&bench.config(&HOLDING.replace("10s", "20ms"))).unwrap();
    let begin = std::time::Instant::now();
    while run.snapshot().chains[0].dropped.get("hold_expired") != Some(&64) {
        assert!(begin.elapsed().as_secs() < 20, "nothing expires: {:#?}", run.snapshot());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let outcome = bench.finish(run);
    assert_eq!(outcome.dropped("hold_expired"), 64);
}

/// The usual chain, whose module stays down after a failure.
fn closed() -> String {
    CHAIN.replace("name = \"m\"\n", "name = \"m\"\non_fault = \"closed\"\n")
}

#[test]
fn a_trap_costs_packets_and_nothing_else() {
    let body = format!(
        "{} (if (i32.eq (i32.load8_u offset=59 (i32.load (local.get $d))) (i32.const 20)) (then unreachable))",
        verdict(v::NEXT)
    );
    let outcome =
        run_with(&module(&each("process", &body)), &packets(64, 60), &format!("[run]\nburst = 8\n{}", closed()));
    assert_eq!(outcome.dropped("trap"), 8);
    assert_eq!(outcome.out.len(), 16);
    assert_eq!(outcome.dropped("failed"), 40);
    let failed = outcome.summary.snapshot.modules[0].failed.as_ref().unwrap();
    assert!(failed.contains("process") && failed.contains("unreachable"), "{failed}");
}

#[test]
fn an_endless_loop_is_stopped() {
    let chain = closed().replace("[module.grants]", "[module.grants]\ndeadline = \"20ms\"");
    let outcome = run_with(&module(&each("process", "(loop (br 0))")), &packets(64, 60), &chain);
    let failed = outcome.summary.snapshot.modules[0].failed.as_ref().unwrap();
    assert!(failed.contains("deadline"), "{failed}");
    assert_eq!(outcome.dropped("trap") + outcome.dropped("failed"), 64);
}

#[test]
fn marks_travel_through_stages_and_rings() {
    let mark = format!(
        "{} (i32.store offset=12 (local.get $d) (i32.add (i32.const 1000) (local.get $i)))",
        verdict(v::ring(0))
    );
    // The second module writes the mark that it finds into the packet.
    let show = format!(
        "{} (i32.store offset=20 (i32.load (local.get $d)) (i32.load offset=12 (local.get $d)))",
        verdict(v::NEXT)
    );
    let bench = Bench::new();
    bench.module("mark.wat", &module(&each("process", &mark))).module("show.wat", &module(&each("process", &show)));
    bench.input(&packets(16, 60));
    let outcome = bench.run(&bench.config(
        r#"
[run]
burst = 16
[[module]]
name = "mark"
file = "mark.wat"
grants = { rings = ["r"] }
[[module]]
name = "show"
file = "show.wat"
[[ring]]
name = "r"
size = 64
[[chain]]
name = "first"
lcores = [0]
source = { port = "in" }
stages = ["mark"]
[[chain]]
name = "second"
lcores = [1]
source = { ring = "r" }
stages = ["show"]
tx = ["out"]
"#,
    ));
    assert_eq!(outcome.out.len(), 16);
    for (i, packet) in (0_u32..).zip(&outcome.out) {
        assert_eq!(packet[20..24], (1_000 + i).to_le_bytes());
    }
}

#[test]
fn a_generator_makes_what_it_gives_a_verdict_and_no_more() {
    // Prefill writes the whole template; generate sends every second room.
    let fill = "(memory.fill (i32.load (local.get $d)) (i32.const 7) (i32.const 80)) (i32.store16 offset=4 (local.get $d) (i32.const 80))";
    let send = format!("(if (i32.and (local.get $i) (i32.const 1)) (then {}))", verdict(v::NEXT));
    let bench = Bench::new();
    bench.module("m.wat", &module(&format!("{}{}", each("prefill", fill), each("generate", &send))));
    let config = format!(
        "[[port]]\nname = \"out\"\ndevice = \"net_pcap1,tx_pcap={}\"\n[[module]]\nname = \"m\"\nfile = \"m.wat\"\n[[chain]]\n\
         source = {{ module = \"m\", pool = 511 }}\ntx = [\"out\"]\n",
        bench.path("out.pcap").display()
    );
    let run = bench.start(&config).unwrap();
    let begin = std::time::Instant::now();
    while run.snapshot().chains[0].created < 100 {
        assert!(begin.elapsed().as_secs() < 20, "nothing is generated: {:#?}", run.snapshot());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let outcome = bench.finish(run);
    assert!(outcome.out.len() >= 100);
    assert_eq!(outcome.summary.accounting.created, outcome.out.len() as u64);
    assert!(outcome.out.iter().all(|p| *p == [7; 80]));
}

#[test]
fn the_rooms_of_a_generator_come_in_turn() {
    // `prefill` writes another number into each room; `generate` leaves them as they are.
    let number = "(i32.store16 offset=4 (local.get $d) (i32.const 60))
        (i32.store offset=20 (i32.load (local.get $d)) (global.get $k))
        (global.set $k (i32.add (global.get $k) (i32.const 1)))";
    let send = format!("(i32.store16 offset=4 (local.get $d) (i32.const 60)) {}", verdict(v::NEXT));
    let text = format!("(global $k (mut i32) (i32.const 0)) {} {}", each("prefill", number), each("generate", &send));
    for (pool, burst) in [(255_usize, 64), (2_047, 64), (2_047, 7), (600, 32)] {
        let bench = Bench::new();
        bench.module("m.wat", &module(&text));
        let run = bench.start(&format!(
            "[run]\nburst = {burst}\n[[port]]\nname = \"out\"\ndevice = \"net_pcap0,tx_pcap={}\"\n[[module]]\nname = \"m\"\n\
             file = \"m.wat\"\n[module.grants]\npackets_per_second = 500_000\n[[chain]]\nsource = {{ module = \"m\", pool = \
             {pool} }}\ntx = [\"out\"]\n",
            bench.path("out.pcap").display()
        ));
        let run = run.unwrap();
        while run.snapshot().chains[0].created < 40 * pool as u64 {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let sent = bench.finish(run).out;
        let mut times = vec![0_usize; pool];
        for packet in &sent {
            times[u32::from_le_bytes(packet[20..24].try_into().unwrap()) as usize] += 1;
        }
        let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        let mean = sent.len() / pool;
        // All of them come; those that came back last do so more often, by as many times as they are taken first.
        assert!(*least > 0 && *most <= 8 * mean, "pool {pool}, burst {burst}: each {least} to {most} times");
    }
}

/// A ring of DPDK's that nobody empties is full, and refuses no packet for what that is: what waits is not tried in another order.
#[test]
fn a_port_that_is_only_full_keeps_the_order() {
    let bench = Bench::new();
    bench.module("m.wat", &module(&each("generate", &verdict(v::NEXT))));
    let run = bench
        .start(
            "[[port]]\nname = \"out\"\ndevice = \"net_ring0\"\n[[module]]\nname = \"m\"\nfile = \"m.wat\"\n\
             [[chain]]\nsource = { module = \"m\", pool = 4095 }\ntx = [\"out\"]\nwhen_full = \"wait\"\n",
        )
        .unwrap();
    let held = || run.snapshot().chains[0].held;
    let begin = Instant::now();
    while held() == 0 {
        assert!(begin.elapsed() < Duration::from_secs(20), "the ring is not full: {:#?}", run.snapshot());
        std::thread::sleep(Duration::from_millis(1));
    }
    // Longer than a port is given that may refuse a packet: then others would be made, to be tried behind the first.
    std::thread::sleep(Duration::from_millis(250));
    assert!((1..=64).contains(&held()), "{}", held());
    let summary = run.stop();
    check(&summary);
    assert!(!summary.accounting.dropped.contains_key("tx_refused"), "{:?}", summary.accounting);
}
