//! What a generator varies, as machine code beside the interpreter: the same packets, byte for byte. The module is needed:
//! ./x build-modules.

use perigee_runtime::Limits;
use perigee_runtime::trial::{Failure, Seen, Setting, Subject, Trial};
use std::fmt::Write as _;
use std::path::Path;

/// Programs that are tried in each run of this test; `PERIGEE_FIELDS` says another number.
const PROGRAMS: u64 = 1_200;

/// Templates, and their lengths.
const TEMPLATES: [(&str, u64); 6] = [
    // IPv4 and UDP with a checksum; with none; IPv4 and TCP; IPv4 and ICMP; no headers that are known; VLAN, IPv6 and TCP.
    ("02000000000202000000000108004500002200000000401100000a0000010a01000104000009000effff706572696765", 48),
    ("02000000000202000000000108004500002200000000401100000a0000010a01000104000009000e0000706572696765", 48),
    (
        "02000000000202000000000108004500002800000000400600000a0000010a010001040000500000000000000000500200ff00000000",
        54,
    ),
    ("02000000000202000000000108004500002000000000400100000a0000010a0100010800000000010001aabbccdd", 46),
    ("02000000000202000000000188b5aabbccddeeff00112233445566778899", 30),
    (
        "0200000000020200000000018100006486dd600000000014064020010db800000000000000000000000120010db800000000\
         00000000000000020400005000000000000000005002ffff00000000",
        78,
    ),
];

/// Random numbers for the programs (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// Numbers of all sizes, each as likely.
    fn of_bits(&mut self, most: u64) -> u64 {
        let bits = self.below(most + 1);
        if bits == 0 { 0 } else { self.next() >> (64 - bits) }
    }
}

/// An item, as JSON. `names` are the items before that have one, with whether they have rounds.
fn item(random: &mut Random, number: u64, len: u64, names: &mut Vec<(u64, bool)>) -> String {
    let bits = [1, 3, 8, 8, 12, 16, 16, 16, 32, 32, 33, 48, 64, 64, 7, 24][random.index(16)];
    let bit = if bits % 8 == 0 && !random.one_in(4) { 0 } else { random.below(8) };
    let room = len - (bit + bits).div_ceil(8);
    // Mostly behind the addresses of Ethernet, and where words are even.
    let offset = if random.one_in(3) { random.below(room + 1) } else { (14 + random.below(36) / 2 * 2).min(room) };
    let mut text = format!(r#""offset": {offset}, "bit": {bit}, "bits": {bits}"#);
    let mut say = |key: &str, value: String| write!(text, ", \"{key}\": {value}").unwrap();
    let most = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
    let is_free = random.one_in(4);
    if is_free {
        // Any value fits a place whose bits are said.
        say("mask", format!("\"{:#x}\"", random.next() & most));
    }
    if is_free && random.one_in(2) {
        say("add", (random.next().cast_signed() >> 40).to_string());
    }
    if is_free && random.one_in(2) {
        say("shift", (random.below(41).cast_signed() - 20).to_string());
    }
    if bits % 8 == 0 && bit == 0 && random.one_in(6) {
        say("little_endian", "true".to_owned());
    }
    let order = random.below(9);
    let mut has_rounds = false;
    match (order, names.is_empty()) {
        (0, false) => {
            let (of, _) = names[random.index(names.len())];
            say("of", format!("\"n{of}\""));
        }
        (1, _) if random.one_in(3) => say("of", "\"length\"".to_owned()),
        _ => has_rounds = draw(random, order, most, &mut say),
    }
    if random.one_in(4) {
        say("times", (1 + random.of_bits(5)).to_string());
    }
    let carriers: Vec<u64> = names.iter().filter(|(_, rounds)| *rounds).map(|(name, _)| *name).collect();
    if random.one_in(3) && !carriers.is_empty() {
        say("carry", format!("\"n{}\"", carriers[random.index(carriers.len())]));
    }
    if random.one_in(5) {
        say("split", "false".to_owned());
    }
    say("name", format!("\"n{number}\""));
    names.push((number, has_rounds));
    format!("{{{text}}}")
}

/// Values and their order; whether they come in rounds that others can carry from.
fn draw(random: &mut Random, order: u64, most: u64, say: &mut dyn FnMut(&str, String)) -> bool {
    let count = 2 + random.below(15);
    let is_list = random.one_in(4) || order == 8;
    if is_list {
        let values: Vec<u64> = (0..count).map(|_| random.of_bits(64).min(most)).collect();
        say("values", format!("{values:?}"));
    } else {
        let (a, b) = (random.of_bits(64).min(most), random.of_bits(64).min(most));
        let (from, to) = if random.one_in(3) { (0, a) } else { (a.min(b), a.max(b)) };
        say("from", from.to_string());
        say("to", to.to_string());
        if random.one_in(4) {
            let step = random.of_bits(12).max(1);
            say("step", if random.one_in(2) { format!("-{step}") } else { step.to_string() });
        } else if order == 7 {
            say("start", (from + (to - from) / 3).to_string());
        }
    }
    let mut is_once = false;
    let name = match order {
        2..=4 => "random",
        5 => "shuffle",
        6 => "repeatable",
        8 if is_list => "weighted",
        _ => {
            is_once = random.one_in(6);
            "counter"
        }
    };
    say("draw", format!("\"{name}\""));
    match name {
        "repeatable" => say("period", (1 + random.of_bits(8)).to_string()),
        "weighted" => {
            let weights: Vec<u64> = (0..count).map(|_| random.of_bits(31)).collect();
            say("weights", format!("{weights:?}"));
        }
        _ if random.one_in(3) => say("limit", (1 + random.of_bits(9)).to_string()),
        _ => {}
    }
    if matches!(name, "shuffle" | "repeatable") {
        say("seed", random.below(1 << 32).to_string());
    }
    if is_once {
        say("once", "true".to_owned());
    }
    matches!(name, "counter" | "shuffle" | "repeatable") && !is_once
}

/// A configuration: a template and its items.
fn config(random: &mut Random) -> String {
    let (packet, len) = TEMPLATES[random.index(TEMPLATES.len())];
    let mut names = Vec::new();
    let items: Vec<String> = (0..random.below(5) + 1).map(|n| item(random, n, len.max(60), &mut names)).collect();
    let sums = if random.one_in(5) { "none" } else { "software" };
    let count = if random.one_in(6) { random.below(300) } else { 0 };
    let items = items.join(", ");
    format!(r#"{{"packet": "{packet}", "checksums": "{sums}", "count": {count}, "vary": [{items}]}}"#)
}

/// Packets of some bursts, or why there are none; and whether they were made by machine code.
fn packets(subject: &Subject, setting: &Setting, bursts: &[usize]) -> Result<(Vec<Seen>, bool), Failure> {
    let mut trial = Trial::start(subject, setting)?;
    trial.prefill()?;
    let mut made = Vec::new();
    for burst in bursts {
        let outcome = trial.generate(*burst)?;
        assert!(outcome.trespasses.is_empty(), "{:?}", outcome.trespasses);
        made.extend(outcome.packets);
    }
    Ok((made, trial.has_compiled_fields()))
}

fn subject() -> Subject {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/modules/stream-gen.wasm");
    Subject::load(&file, Limits::default()).expect("./x build-modules makes it")
}

/// The same configuration with the key that turns compiling off.
fn interpreted(config: &str) -> String {
    config.replacen('{', r#"{"compile": false, "#, 1)
}

#[test]
fn random_programs_make_the_packets_of_the_interpreter() {
    let programs = std::env::var("PERIGEE_FIELDS").ok().and_then(|n| n.parse().ok()).unwrap_or(PROGRAMS);
    let subject = subject();
    let (mut compiled, mut refused, mut made) = (0, 0, 0);
    for program in 0..programs {
        let mut random = Random(program);
        let config = config(&mut random);
        let instances = 1 + u32::try_from(random.below(4)).unwrap();
        let instance = u32::try_from(random.below(instances.into())).unwrap();
        let bursts: Vec<usize> = (0..4).map(|_| 1 + random.index(64)).collect();
        let setting = |config: &str| Setting {
            config: config.as_bytes().to_vec(),
            seed: program,
            instance,
            instances,
            rooms: 64,
            ..Setting::default()
        };
        let by_code = packets(&subject, &setting(&config), &bursts);
        let by_hand = packets(&subject, &setting(&interpreted(&config)), &bursts);
        match (by_code, by_hand) {
            (Ok((code, is_compiled)), Ok((hand, false))) => {
                compiled += u64::from(is_compiled);
                made += code.len();
                let differs = code.iter().zip(&hand).position(|(code, hand)| code != hand);
                assert_eq!((code.len(), differs), (hand.len(), None), "program {program}: {config}");
            }
            (Err(code), Err(hand)) => {
                assert_eq!(code, hand, "program {program}: {config}");
                refused += 1;
            }
            (code, hand) => panic!("program {program}: {config}: {:?}, {:?}", code.err(), hand.err()),
        }
    }
    println!("{programs} programs: {compiled} compiled, {refused} refused, {made} packets");
    assert!(compiled * 10 >= programs * 7, "only {compiled} of {programs} programs were compiled");
}

/// A sum of 0 is written as 0xffff by UDP, and as it is by all others: of all values of a word one makes it 0.
#[test]
fn all_sums_that_a_word_can_make_are_those_of_the_interpreter() {
    let subject = subject();
    for (packet, field) in [(TEMPLATES[0].0, "udp.source_port"), (TEMPLATES[2].0, "tcp.source_port")] {
        let config = format!(r#"{{"packet": "{packet}", "vary": [{{"field": "{field}"}}]}}"#);
        let all = |config: String, is_compiled| {
            let setting = Setting { config: config.into(), rooms: 256, ..Setting::default() };
            let (made, was_compiled) = packets(&subject, &setting, &[256; 256]).expect(packet);
            assert_eq!((made.len(), was_compiled), (65_536, is_compiled));
            made
        };
        let (code, hand) = (all(config.clone(), true), all(interpreted(&config), false));
        assert_eq!(code.iter().zip(&hand).position(|(code, hand)| code != hand), None, "{field}");
    }
}

#[test]
fn what_is_not_compiled_makes_packets_all_the_same() {
    let subject = subject();
    let packet = TEMPLATES[0].0;
    for rest in [
        r#""vary": [{"field": "ipv4.ttl", "draw": "zipf", "from": 1, "to": 64}]"#,
        r#""vary": [{"field": "ipv4.ttl", "draw": "normal", "from": 1, "to": 64}]"#,
        r#""vary": [{"field": "ipv4.source", "clients": {"from": "10.0.0.1", "to": "10.0.0.9"}}]"#,
        r#""vary": [{"field": "ipv4.source"}], "sizes": {"imix": "simple"}"#,
        r#""vary": [{"field": "ipv4.source"}], "fill": "always""#,
        r#""vary": [{"field": "ipv4.source"}], "gaps": {"packets_per_second": 1000}"#,
        r#""vary": []"#,
    ] {
        let setting = Setting { config: format!(r#"{{"packet": "{packet}", {rest}}}"#).into(), ..Setting::default() };
        let (made, is_compiled) = packets(&subject, &setting, &[8]).expect(rest);
        assert_eq!((made.len(), is_compiled), (8, false), "{rest}");
    }
}
