//! A module on trial: verdicts, output list, custody and mailbox as in a run, without one.

use perigee_abi::verdict as v;
use perigee_lab::{MAILBOX, OUT_COUNT, OUTPUTS, PACKETS, SPARES, each, module, packets, verdict};
use perigee_runtime::Limits;
use perigee_runtime::trial::{Failure, Fate, MAX_BATCH, Packet, Setting, Subject, Trial, rx_flags, tx_flags};

fn subject(text: &str) -> Subject {
    Subject::from_bytes("m", text.as_bytes(), Limits::default()).unwrap()
}

fn start(text: &str) -> Trial {
    Trial::start(&subject(text), &Setting::default()).unwrap()
}

fn batch(n: u32) -> Vec<Packet> {
    packets(n, 60).into_iter().map(|bytes| Packet { bytes, ..Packet::default() }).collect()
}

fn fates(trial: &mut Trial, n: u32) -> Vec<Fate> {
    trial.process(&batch(n)).unwrap().packets.iter().map(|seen| seen.fate).collect()
}

#[test]
fn a_packet_without_a_verdict_is_dropped_even_if_the_last_one_in_its_place_had_one() {
    let once = r#"(if (i64.eq (i64.load (i32.const 65552)) (i64.const 1)) (then (i32.store offset=8 (local.get $d) (i32.const 1))))"#;
    let mut trial = start(&module(&each("process", once)));
    assert_eq!(fates(&mut trial, 3), [Fate::Next; 3]);
    assert_eq!(fates(&mut trial, 3), [Fate::Drop; 3]);
}

#[test]
fn each_verdict_is_judged_as_in_a_run() {
    for (value, fate) in [
        (v::NEXT, Fate::Next),
        (v::tx(1), Fate::Tx(1)),
        (v::tx(2), Fate::Bad("tx_not_granted")),
        (v::ring(0), Fate::Ring(0)),
        (v::ring(1), Fate::Bad("bad_verdict")),
        (v::NEXT | 1 << 16, Fate::Bad("bad_verdict")),
        (v::LISTED, Fate::Bad("unlisted")),
        (9, Fate::Bad("bad_verdict")),
    ] {
        assert_eq!(fates(&mut start(&module(&each("process", &verdict(value)))), 2), [fate; 2], "{value:#x}");
    }
    let next = verdict(v::NEXT);
    let long = format!("{next} (i32.store16 offset=4 (local.get $d) (i32.const 2049))");
    assert_eq!(fates(&mut start(&module(&each("process", &long))), 1), [Fate::Bad("bad_descriptor")]);
    let both = tx_flags::UDP_CHECKSUM | tx_flags::TCP_CHECKSUM | tx_flags::IPV4;
    let both = format!("{next} (i32.store offset=28 (local.get $d) (i32.const {both}))");
    assert_eq!(fates(&mut start(&module(&each("process", &both))), 1), [Fate::Bad("bad_offload")]);
}

#[test]
fn descriptors_tell_what_is_known() {
    // All of the descriptor becomes the packet.
    let body = format!("(memory.copy (i32.load (local.get $d)) (local.get $d) (i32.const 56)) {}", verdict(v::NEXT));
    let mut trial = start(&module(&each("process", &body)));
    let mut packet = batch(1).remove(0);
    (packet.port, packet.mark, packet.vlan, packet.hash, packet.time) = (1, 7, 0x2064, 0x1234, 99);
    packet.rx_flags = rx_flags::VLAN_STRIPPED | rx_flags::HASH | rx_flags::TIME;
    packet.tx_flags = tx_flags::VLAN_INSERT;
    for generation in [1, 2] {
        let outcome = trial.process(std::slice::from_ref(&packet)).unwrap();
        let seen = &outcome.packets[0];
        let word = |at: usize| u32::from_le_bytes(seen.bytes[at..at + 4].try_into().unwrap());
        assert_eq!([word(4), word(8), word(12)], [60 | 1 << 16, 0, 7]);
        assert_eq!([word(20), word(24), word(28)], [generation, packet.rx_flags, packet.tx_flags]);
        assert_eq!([word(32), word(36), word(48)], [0x1234, 0x2064 << 16, 99]);
        assert_eq!((seen.mark, seen.tx_flags, seen.vlan), (7, tx_flags::VLAN_INSERT, 0x2064));
    }
}

/// Entry 0 of the output list, from the descriptor at `from`.
fn output(from: u32, source: u32, verdict: u32) -> String {
    format!(
        "(memory.copy (i32.const {OUTPUTS}) (i32.const {from}) (i32.const 64))
         (i32.store (i32.const {}) (i32.const {source})) (i32.store (i32.const {}) (i32.const {verdict}))
         (i32.store (i32.const {OUT_COUNT}) (i32.const 1))",
        OUTPUTS + 44,
        OUTPUTS + 8
    )
}

#[test]
fn listed_packets_are_moved_and_others_copied() {
    for (own, fate) in [(v::LISTED, Fate::Listed), (v::NEXT, Fate::Next)] {
        let body = format!("{} {}", verdict(own), output(PACKETS, 0, v::tx(1)));
        let mut trial = start(&module(&each("process", &body)));
        let outcome = trial.process(&batch(1)).unwrap();
        assert_eq!((outcome.packets[0].fate, outcome.listed.len(), outcome.bad_outputs), (fate, 1, 0));
        assert_eq!((outcome.listed[0].fate, &outcome.listed[0].bytes), (Fate::Tx(1), &batch(1)[0].bytes));
    }
    let body = format!("{} {}", verdict(v::NEXT), output(PACKETS, 5, v::tx(1)));
    assert_eq!(start(&module(&each("process", &body))).process(&batch(1)).unwrap().bad_outputs, 1);
}

#[test]
fn a_held_packet_stays_and_comes_back() {
    // Holds a batch's packets; on a tick gives the first of them back.
    let back = output(4_096, 0x2_0000, v::NEXT);
    let keep = format!(
        "{} (if (i32.eqz (local.get $i)) (then (memory.copy (i32.const 4096) (local.get $d) (i32.const 64))))",
        verdict(v::HOLD)
    );
    let text = module(&format!("{} (func (export \"tick\") {back})", each("process", &keep)));
    let mut trial = Trial::start(&subject(&text), &Setting { hold: 3, ..Setting::default() }).unwrap();
    assert_eq!(fates(&mut trial, 4), [Fate::Hold, Fate::Hold, Fate::Hold, Fate::Bad("hold_quota")]);
    assert_eq!(trial.held(), 3);
    let outcome = trial.tick(false).unwrap();
    assert_eq!((outcome.listed[0].fate, &outcome.listed[0].bytes), (Fate::Next, &batch(1)[0].bytes));
    assert_eq!((trial.held(), trial.tick(true).unwrap().bad_outputs), (2, 1));
}

#[test]
fn spare_rooms_become_packets_and_are_replaced() {
    let make = format!(
        "(memory.fill (i32.load (i32.const {SPARES})) (i32.const 0x77) (i32.const 20)) {}
         (i32.store16 (i32.const {}) (i32.const 20))",
        output(SPARES, 0x1_0000, v::NEXT),
        OUTPUTS + 4
    );
    let spares = r#"(global (export "perigee_spares") i32 (i32.const 2))"#;
    let text = module(&format!("{spares} {} (func (export \"tick\") {make})", each("process", "")));
    let mut trial = start(&text);
    for _ in 0..2_000 {
        let outcome = trial.tick(false).unwrap();
        assert_eq!((outcome.listed[0].fate, outcome.listed[0].bytes.as_slice()), (Fate::Next, &[0x77; 20][..]));
        assert_eq!((outcome.trespasses.len(), outcome.bad_outputs), (0, 0));
    }
}

#[test]
fn a_header_may_be_put_in_front_and_the_headroom_before_it_not() {
    let push = |written: u32| {
        format!(
            "(i32.store (local.get $d) (i32.sub (i32.load (local.get $d)) (i32.const 8)))
             (i32.store16 offset=4 (local.get $d) (i32.const 68)) {}
             (memory.fill (i32.sub (i32.load (local.get $d)) (i32.const {written})) (i32.const 0) (i32.const 8))",
            verdict(v::NEXT)
        )
    };
    let outcome = |written: u32| start(&module(&each("process", &push(written)))).process(&batch(2)).unwrap();
    let good = outcome(0);
    assert!(good.trespasses.is_empty(), "{:?}", good.trespasses);
    assert_eq!((good.packets[1].bytes.len(), &good.packets[1].bytes[..8]), (68, &[0; 8][..]));
    let bad = outcome(1).trespasses;
    assert_eq!(bad.len(), 2);
    assert_eq!((bad[0].len, bad[0].place.contains("byte 119 of the headroom of packet 0")), (1, true), "{bad:?}");
}

#[test]
fn a_generator_gets_the_template_length() {
    let prefill = each("prefill", "(i32.store16 offset=4 (local.get $d) (i32.const 99))");
    let mut trial = start(&module(&format!("{prefill} {}", each("generate", &verdict(v::NEXT)))));
    trial.prefill().unwrap();
    for n in [0, 1, MAX_BATCH] {
        let outcome = trial.generate(n).unwrap();
        assert_eq!(outcome.packets.len(), n);
        assert!(outcome.packets.iter().all(|seen| (seen.fate, seen.bytes.len()) == (Fate::Next, 99)));
    }
}

#[test]
fn after_a_trap_it_is_not_called_again() {
    let mut trial = start(&module(&each("process", "unreachable")));
    let Err(Failure::Trap(text)) = trial.process(&batch(1)) else { panic!("no trap") };
    assert!(text.contains("trap in \"process\"") && text.contains("unreachable"), "{text}");
    assert!(matches!(trial.process(&[]), Err(Failure::Trap(text)) if text.contains("failed before")));
}

#[test]
fn init_messages_and_state_are_answers_refusals_or_breaches() {
    let callback = |name: &str, body: &str| format!("(func (export \"{name}\") (param i32) (result i32) {body})");
    let process = each("process", "");
    let refuses = callback("init", &format!("(i32.store (i32.const {MAILBOX}) (i32.const 0x6f6e)) (i32.const -2)"));
    let text = module(&format!("{refuses} {process}"));
    let failure = Trial::start(&subject(&text), &Setting::default()).unwrap_err();
    assert_eq!(failure, Failure::Refused("init refused: no".to_owned()));
    let mut trial = start(&module(&format!("{} {process}", callback("message", "(local.get 0)"))));
    assert_eq!(trial.message(b"echo").unwrap(), b"echo");
    assert!(matches!(trial.save(), Err(Failure::Refused(text)) if text.contains("no \"save\"")));
    let mut trial = start(&module(&format!("{} {process}", callback("message", "(i32.const 70000)"))));
    assert!(matches!(trial.message(b""), Err(Failure::Broken(text)) if text.contains("70000")));
}

#[test]
fn what_a_module_prints_with_wasi_is_in_its_log() {
    let import = r#"(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#;
    let long = "x".repeat(300);
    let text = format!("one\\ntwo\\1b[31m\\n\\n{long}\\nno end");
    let print = |fd: u32| {
        format!(
            "(i32.store (i32.const 4096) (i32.const 1024)) (i32.store (i32.const 4100) (i32.const 321))
             (if (call $write (i32.const {fd}) (i32.const 4096) (i32.const 1) (i32.const 4104)) (then unreachable))"
        )
    };
    let items = format!(
        r#"(data (i32.const 1024) "{text}") (func (export "message") (param i32) (result i32)
    (if (local.get 0) (then (call $exit (i32.const 1)))) {} {} (i32.const 0)) {}"#,
        print(1),
        print(2),
        each("process", "")
    );
    let mut trial = start(&module(&items).replacen("(module", import, 1));
    trial.message(b"").unwrap();
    let expected = ["one", "two\u{fffd}[31m", &long[..240], &long[240..]];
    let lines: Vec<_> = [3, 2].into_iter().flat_map(|level| expected.map(|text| (level, text.to_owned()))).collect();
    assert_eq!(trial.log(), lines);
    let Err(Failure::Trap(text)) = trial.message(b"end") else { panic!("no exit") };
    assert!(text.contains("exit code 1"), "{text}");
    assert_eq!(trial.log(), [(3, "no end".to_owned()), (2, "no end".to_owned())]);
}
