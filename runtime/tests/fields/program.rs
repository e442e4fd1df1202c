//! Programs at random: what generators can be told to vary.

use std::fmt::Write as _;

/// Templates, and their lengths.
pub(super) const TEMPLATES: [(&str, u64); 11] = [
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
    // IPv4, SCTP and a chunk of data; the same with two chunks.
    (
        "02000000000202000000000108004500003400000000408400000a0000010a0100010400000900000007000000000003001400000001\
         0000000000000000deadbeef",
        66,
    ),
    (
        "02000000000202000000000108004500004800000000408400000a0000010a0100010400000900000007000000000003001400000001\
         0000000000000000deadbeef0003001400000002000000000000000012345678",
        86,
    ),
    // IPv4 and UDP with a payload that most sizes cut off, of an even and an odd number of bytes.
    (
        "0200000000020200000000010800450000620000000040110000\
         0a0000010a01000104000009004effff\
         000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f\
         303132333435363738393a3b3c3d3e3f404142434445",
        112,
    ),
    (
        "0200000000020200000000010800450000590000000040110000\
         0a0000010a010001040000090045ffff\
         f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f\
         303132333435363738393a3b3c",
        103,
    ),
    // IPv4, UDP, VXLAN, Ethernet, IPv4 and UDP, all with checksums.
    (
        "02000000000202000000000108004500005400000000401100000a0000010a010001c00012b50040ffff0800000000002a00\
         02000000000402000000000308004500002200000000401100000a0000030a01000304000009000effff706572696765",
        98,
    ),
];

/// Random numbers for the programs (SplitMix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    pub(super) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// Numbers of all sizes, each as likely.
    fn of_bits(&mut self, most: u64) -> u64 {
        let bits = self.below(most + 1);
        if bits == 0 { 0 } else { self.next() >> (64 - bits) }
    }
}

/// An item that others can name.
#[derive(Clone, Copy)]
struct Named {
    number: u64,
    has_rounds: bool,
    is_clients: bool,
}

/// An item, as JSON. `names` are the items before.
fn item(random: &mut Random, number: u64, len: u64, names: &mut Vec<Named>) -> String {
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
    let order = random.below(13);
    let (mut has_rounds, mut is_clients) = (false, false);
    match (order, names.is_empty()) {
        (0, false) => {
            let of = names[random.index(names.len())];
            let part = if of.is_clients { ["", ".port", ".mac"][random.index(3)] } else { "" };
            say("of", format!("\"n{}{part}\"", of.number));
        }
        (1, _) if random.one_in(3) => say("of", "\"length\"".to_owned()),
        (12, _) => (has_rounds, is_clients) = (clients(random, most, &mut say), true),
        _ => has_rounds = draw(random, order, most, &mut say),
    }
    if random.one_in(4) {
        say("times", (1 + random.of_bits(5)).to_string());
    }
    let carriers: Vec<u64> = names.iter().filter(|named| named.has_rounds).map(|named| named.number).collect();
    if random.one_in(3) && !carriers.is_empty() {
        say("carry", format!("\"n{}\"", carriers[random.index(carriers.len())]));
    }
    if random.one_in(5) {
        say("split", "false".to_owned());
    }
    say("name", format!("\"n{number}\""));
    names.push(Named { number, has_rounds, is_clients });
    format!("{{{text}}}")
}

/// Flows of clients and their order; whether they come in rounds that others can carry from.
fn clients(random: &mut Random, most: u64, say: &mut dyn FnMut(&str, String)) -> bool {
    let (a, b) = (random.of_bits(64).min(most), random.of_bits(64).min(most));
    let (from, to) =
        if random.one_in(3) { (a, a.saturating_add(random.below(9)).min(most)) } else { (a.min(b), a.max(b)) };
    let mut text = format!(r#"{{"from": {from}, "to": {to}, "macs": {}"#, random.of_bits(48));
    if random.one_in(2) {
        let (first, last) = (random.below(1 << 16), random.below(1 << 16));
        write!(text, r#", "ports": [{}, {}]"#, first.min(last), first.max(last)).unwrap();
    }
    if random.one_in(2) {
        write!(text, r#", "flows": {}"#, 1 + random.of_bits(12)).unwrap();
    }
    say("clients", format!("{text}}}"));
    let name = ["counter", "random", "shuffle", "repeatable"][random.index(4)];
    say("draw", format!("\"{name}\""));
    if name == "repeatable" {
        say("period", (1 + random.of_bits(8)).to_string());
    }
    name != "random"
}

/// Values and their order; whether they come in rounds that others can carry from.
fn draw(random: &mut Random, order: u64, most: u64, say: &mut dyn FnMut(&str, String)) -> bool {
    let count = 2 + random.below(15);
    let is_list = order != 10 && (random.one_in(4) || order == 8);
    // Zipf's law has numbers up to 2^53.
    let most = if (9..=10).contains(&order) { most.min(1 << 40) } else { most };
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
            say("step", if random.one_in(2) && order != 10 { format!("-{step}") } else { step.to_string() });
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
        9 => "zipf",
        10 => "normal",
        _ => {
            is_once = random.one_in(6);
            "counter"
        }
    };
    say("draw", format!("\"{name}\""));
    match name {
        "repeatable" => say("period", (1 + random.of_bits(8)).to_string()),
        "zipf" if random.one_in(2) => say("exponent", ["0", "0.5", "1.2", "3"][random.index(4)].to_owned()),
        "normal" if random.one_in(2) => say("deviation", (1 + random.of_bits(10)).to_string()),
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

/// Lengths of packets.
fn sizes(random: &mut Random) -> String {
    let order = ["counter", "random", "shuffle", "repeatable", "zipf", "normal"][random.index(6)];
    let (a, b) = (random.below(200), random.below(1600));
    let base = match random.below(6) {
        0 => r#""imix": "simple""#.to_owned(),
        1 => r#""imix": "aadfb""#.to_owned(),
        2 => format!(r#""values": [{a}, 60, {b}], "draw": "weighted", "weights": [3, {}, 1]"#, random.below(9)),
        3 => format!(r#""from": {}, "to": {}, "draw": "{order}", "period": 7"#, 50 + a.min(b), 50 + a.max(b)),
        4 => format!(r#""from": 60, "to": {}"#, 60 + a),
        _ => format!(r#""values": [{b}, {a}, 1514], "draw": "random", "add": {}"#, random.below(3)),
    };
    let times = if random.one_in(4) { r#", "times": 3"# } else { "" };
    format!("{{{base}{times}}}")
}

/// What a stream is: a template, its items, and maybe sizes.
fn stream(random: &mut Random, most: u64) -> String {
    let (packet, len) = TEMPLATES[random.index(TEMPLATES.len())];
    let mut names = Vec::new();
    let has_sizes = random.one_in(3);
    // Of sizes, some items lie behind the shortest packets.
    let len = if has_sizes && random.one_in(3) { 200 } else { len.max(60) };
    let items: Vec<String> = (0..random.below(most) + 1).map(|n| item(random, n, len, &mut names)).collect();
    let sizes = if has_sizes { format!(r#", "sizes": {}"#, sizes(random)) } else { String::new() };
    format!(r#""packet": "{packet}", "vary": [{}]{sizes}"#, items.join(", "))
}

/// A configuration: one stream or several, and what all have.
pub(super) fn config(random: &mut Random) -> String {
    let mut text = if random.one_in(3) {
        let count = 1 + random.below(4);
        let streams = (0..count).map(|_| format!(r#"{{{}, "weight": {}}}"#, stream(random, 2), 1 + random.below(5)));
        format!(r#""streams": [{}]"#, streams.collect::<Vec<_>>().join(", "))
    } else {
        stream(random, 5)
    };
    let sums = if random.one_in(5) { "none" } else { "software" };
    let count = if random.one_in(6) { random.below(300) } else { 0 };
    write!(text, r#", "checksums": "{sums}", "count": {count}"#).unwrap();
    if random.one_in(6) {
        let pattern = ["constant", "poisson", "pareto", "bursts"][random.index(4)];
        let rate = ["packets_per_second", "megabits"][random.index(2)];
        let rate = format!(r#""{rate}": {}, "pattern": "{pattern}""#, 1 + random.of_bits(20));
        write!(text, r#", "gaps": {{{rate}, "burst": {}}}"#, 1 + random.below(40)).unwrap();
    }
    if random.one_in(6) {
        text.push_str(r#", "fill": "always""#);
    }
    format!("{{{text}}}")
}
