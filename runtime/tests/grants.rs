//! What a module is granted, in runs with real ports: each grant once with it and once without.

use perigee_abi::{source, tx_flags, verdict as v};
use perigee_lab::{Bench, OUT_COUNT, OUTPUTS, Outcome, SPARES, each, module, packets, verdict};
use std::time::{Duration, Instant};

/// A chain through module `m` from the input to the output, where the module has these grants.
fn chain(grants: &str) -> String {
    format!(
        "[[module]]\nname = \"m\"\nfile = \"m.wat\"\n[module.grants]\n{grants}\n[[chain]]\nsource = {{ port = \"in\" }}\n\
         stages = [\"m\"]\ntx = [\"out\"]\n"
    )
}

fn run(module_text: &str, input: &[Vec<u8>], grants: &str) -> Outcome {
    let bench = Bench::new();
    bench.module("m.wat", module_text).input(input);
    bench.run(&bench.config(&chain(grants)))
}

/// `process` with `body` for each packet, and `after` behind the last.
fn process(body: &str, after: &str) -> String {
    each("process", body).trim_end_matches(')').to_owned() + ")))\n" + after + ")"
}

/// A generator on one port, with these grants, for so long; `more` is part of its chain. Its `prefill` leaves packets that
/// are much longer than those it sends.
fn generate(bench: &Bench, body: &str, grants: &str, more: &str, time: Duration) -> (Outcome, Duration) {
    let long = "(i32.store16 offset=4 (local.get $d) (i32.const 1900))";
    bench.module("m.wat", &module(&(each("prefill", long) + &each("generate", body))));
    let config = format!(
        "[[port]]\nname = \"out\"\ndevice = \"net_null0\"\n[[module]]\nname = \"m\"\nfile = \"m.wat\"\n[module.grants]\n\
         {grants}\n[[chain]]\nsource = {{ module = \"m\" }}\ntx = [\"out\"]\n{more}\n"
    );
    let begin = Instant::now();
    let run = bench.start(&config).unwrap_or_else(|e| panic!("{e}\n{config}"));
    std::thread::sleep(time);
    let outcome = bench.finish(run);
    (outcome, begin.elapsed())
}

#[test]
fn without_a_grant_a_module_drops_and_passes_on() {
    let input = packets(200, 60);
    assert_eq!(run(&module(&each("process", &verdict(v::NEXT))), &input, "").out, input);
    assert_eq!(run(&module(&each("process", "")), &input, "").dropped("verdict"), 200);
}

#[test]
fn a_port_is_sent_to_where_it_is_granted() {
    let input = packets(200, 60);
    // As a whole burst, and packet by packet.
    let second_half = format!("(if (i32.and (local.get $i) (i32.const 1)) (then {}))", verdict(v::NEXT));
    for more in ["", &second_half] {
        let text = module(&each("process", &(verdict(v::tx(1)) + more)));
        let with = run(&text, &input, "tx = [\"out\"]");
        assert_eq!((with.out.len(), with.summary.accounting.dropped.len()), (200, 0));
        let without = run(&text, &input, "tx = [\"in\"]");
        assert_eq!(without.dropped("tx_not_granted") + without.out.len() as u64, 200);
        assert_eq!(without.out.len(), if more.is_empty() { 0 } else { 100 });
    }
}

#[test]
fn a_module_is_told_which_ports_it_may_send_to() {
    // `may_tx` of both ports, into the packet.
    let told = |port: u32| format!("(i32.load (i32.const {}))", 65_536 + 128 + 32 * port + 20);
    let show = |port: u32| format!("(i32.store8 offset={} (i32.load (local.get $d)) {})", 20 + port, told(port));
    let text = module(&each("process", &(verdict(v::NEXT) + &show(0) + &show(1))));
    for (grants, expected) in [("", [0, 0]), ("tx = [\"out\"]", [0, 1]), ("tx = [\"in\", \"out\"]", [0, 1])] {
        let outcome = run(&text, &packets(1, 60), grants);
        assert_eq!(outcome.out[0][20..22], expected, "{grants}: port \"in\" has no queue for the chain");
    }
}

#[test]
fn a_queue_is_used_where_it_is_granted() {
    let body = format!(
        "{} (i32.store offset=28 (local.get $d) (i32.const {})) (i32.store16 offset=36 (local.get $d) (local.get $i))",
        verdict(v::tx(1)),
        tx_flags::QUEUE
    );
    for (granted, expected) in [("[]", [50, 0, 50]), ("[1]", [50, 50, 0]), ("[0]", [50, 0, 50]), ("[2]", [50, 0, 50])] {
        let bench = Bench::new();
        bench.module("m.wat", &module(&each("process", &body))).input(&packets(100, 60));
        let config = bench.config(&chain(&format!("tx = [\"out\"]\ntx_queues = {granted}")));
        let second = bench.path("second.pcap");
        let config = config.replacen("[[module]]", "tx_queues_per_lcore = 2\n[[module]]", 1);
        let first = format!("tx_pcap={}", bench.path("out.pcap").display());
        let config = config.replacen(&first, &format!("{first},tx_pcap={}", second.display()), 1);
        let outcome = bench.run(&format!("[run]\nburst = 10\n{config}"));
        let sent = [outcome.out.len(), perigee_lab::read_pcap(&second).len()];
        assert_eq!(
            [sent[0], sent[1], usize::try_from(outcome.dropped("queue_not_granted")).unwrap()],
            expected,
            "{granted}"
        );
    }
}

#[test]
fn a_ring_is_filled_where_it_is_granted() {
    let input = packets(200, 60);
    for granted in [true, false] {
        let bench = Bench::new();
        bench.module("m.wat", &module(&each("process", &verdict(v::ring(1))))).input(&input);
        let rings = "[[ring]]\nname = \"other\"\n[[ring]]\nname = \"r\"\n[[chain]]\nsource = { ring = \"r\" }\ntx = [\"out\"]\n";
        let grants = if granted { "rings = [\"r\"]" } else { "rings = [\"other\"]" };
        let config = chain(grants).replace("tx = [\"out\"]\n", "");
        let outcome = bench.run(&bench.config(&(config + rings)));
        let expected = if granted { (input.clone(), 0) } else { (Vec::new(), 200) };
        assert_eq!((outcome.out.clone(), outcome.dropped("ring_not_granted")), expected);
    }
}

#[test]
fn packets_are_made_where_that_is_granted() {
    // Of each batch: a copy of the first packet, and a packet in the first spare room.
    let list = format!(
        "(if (local.get $n) (then
           (memory.copy (i32.const {OUTPUTS}) (i32.const {packet}) (i32.const 64))
           (i32.store offset=8 (i32.const {OUTPUTS}) (i32.const {next}))
           (i32.store offset=44 (i32.const {OUTPUTS}) (i32.const 0))
           (memory.copy (i32.const {second}) (i32.const {SPARES}) (i32.const 64))
           (i32.store16 offset=4 (i32.const {second}) (i32.const 60))
           (i32.store offset=8 (i32.const {second}) (i32.const {next}))
           (i32.store offset=44 (i32.const {second}) (i32.const {spare}))
           (i32.store (i32.const {OUT_COUNT}) (i32.const 2))))",
        packet = perigee_lab::PACKETS,
        next = v::NEXT,
        second = OUTPUTS + 64,
        spare = source::SPARE
    );
    let text = module(&format!(
        "(global (export \"perigee_spares\") i32 (i32.const 4)) {}",
        process(&verdict(v::NEXT), &list)
    ));
    let input = packets(100, 60);
    let with = run(&text, &input, "create = true");
    let batches = with.summary.snapshot.chains[0].batches;
    assert_eq!((with.summary.accounting.created, with.out.len() as u64), (2 * batches, 100 + 2 * batches));
    assert_eq!(with.summary.snapshot.chains[0].create_not_granted, 0);
    let without = run(&text, &input, "");
    let chain = &without.summary.snapshot.chains[0];
    assert_eq!((without.summary.accounting.created, chain.create_not_granted), (0, 2 * chain.batches));
    assert_eq!((without.out, chain.bad_outputs), (input, 0));
}

#[test]
fn more_than_the_rate_is_dropped() {
    let input = packets(20_000, 100);
    let text = module(&each("process", &verdict(v::NEXT)));
    for (slow, fast) in [
        ("packets_per_second = 2000", "packets_per_second = 1000000000000"),
        ("bits_per_second = 1600000", "bits_per_second = 8000000000000"),
    ] {
        let begin = Instant::now();
        let outcome = run(&text, &input, slow);
        let most = 2_000.0 * begin.elapsed().as_secs_f64() + 1.0;
        assert!((outcome.out.len() as f64) < most.min(19_000.0), "{slow}: {} of {most}", outcome.out.len());
        assert_eq!(outcome.dropped("over_rate") + outcome.out.len() as u64, 20_000);
        assert!(!outcome.out.is_empty(), "{slow}");
        let outcome = run(&text, &input, fast);
        assert_eq!((outcome.out.len(), outcome.dropped("over_rate")), (20_000, 0), "{fast}");
    }
}

#[test]
fn a_generator_makes_as_much_as_its_rate_and_no_more() {
    let time = Duration::from_millis(400);
    let cpus = perigee_runtime::config::allowed_cpus();
    let both = format!("lcores = {:?}", &cpus[..cpus.len().min(2)]);
    // Each packet has 60 bytes, whatever `prefill` left.
    let send = format!("(i32.store16 offset=4 (local.get $d) (i32.const 60)) {}", verdict(v::NEXT));
    for (grants, more, per_second) in [
        ("packets_per_second = 100000", "", 100_000.0),
        ("packets_per_second = 50", "", 50.0),
        ("packets_per_second = 3000", both.as_str(), 3_000.0),
        ("bits_per_second = 48000000", "", 100_000.0),
        ("bits_per_second = 9600", "", 20.0),
        ("packets_per_second = 100000", both.as_str(), 100_000.0),
        ("bits_per_second = 48000000", both.as_str(), 100_000.0),
    ] {
        let bench = Bench::new();
        let (outcome, took) = generate(&bench, &send, grants, more, time);
        let (sent, most) = (outcome.summary.accounting.sent as f64, per_second * took.as_secs_f64());
        assert!(sent <= most && sent >= 0.5 * per_second * time.as_secs_f64(), "{grants} {more}: {sent} of {most}");
        assert_eq!(outcome.dropped("over_rate"), 0, "it is asked for no more than it may send");
    }
    let bench = Bench::new();
    let (outcome, _) = generate(&bench, &send, "", "", time);
    assert!(outcome.summary.accounting.sent > 100_000, "without a limit: {}", outcome.summary.accounting.sent);
}

/// An Ethernet frame of that source with what follows its type.
fn frame(mac: u8, tags: &[u16], kind: u16, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, mac];
    for tag in tags {
        bytes.extend(tag.to_be_bytes());
        bytes.extend([0, 7]);
    }
    bytes.extend(kind.to_be_bytes());
    bytes.extend(rest);
    bytes
}

fn ipv4(source: [u8; 4]) -> Vec<u8> {
    let header = [0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0];
    [&header[..], &source, &[10, 9, 9, 9], &[0; 8]].concat()
}

fn ipv6(source: u8) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
    header.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, source]);
    header.extend([0xfe; 16]);
    header.extend([0; 8]);
    header
}

fn arp(mac: u8, source: [u8; 4]) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, mac];
    [&head[..], &source, &[0; 10]].concat()
}

const GOOD: [u8; 4] = [10, 0, 0, 1];
const BAD: [u8; 4] = [10, 0, 1, 1];

/// Frames, and whether they may go: from 02:00:00:00:00:02, by 10.0.0.0/24 and 2001:db8::1.
fn frames() -> Vec<(Vec<u8>, bool)> {
    let (qinq, deep) = ([0x88a8, 0x8100], [0x8100; 5]);
    let long = |mut packet: Vec<u8>| {
        packet[3] = 29;
        packet
    };
    vec![
        (frame(2, &[], 0x0800, &ipv4(GOOD)), true),
        (frame(3, &[], 0x0800, &ipv4(GOOD)), false),
        (frame(2, &[], 0x0800, &ipv4(BAD)), false),
        (frame(2, &[0x8100], 0x0800, &ipv4(GOOD)), true),
        (frame(2, &[0x8100], 0x0800, &ipv4(BAD)), false),
        (frame(2, &qinq, 0x0800, &ipv4(GOOD)), true),
        (frame(2, &qinq, 0x0800, &ipv4(BAD)), false),
        (frame(2, &deep, 0x0800, &ipv4(GOOD)), false),
        (frame(2, &[], 0x86dd, &ipv6(1)), true),
        (frame(2, &[], 0x86dd, &ipv6(2)), false),
        (frame(2, &[0x9100], 0x86dd, &ipv6(2)), false),
        (frame(2, &[], 0x0806, &arp(2, GOOD)), true),
        (frame(2, &[], 0x0806, &arp(3, GOOD)), false),
        (frame(2, &[], 0x0806, &arp(2, BAD)), false),
        // Not IP, cut off, and longer than it is.
        (frame(2, &[], 0x88b5, &[0; 46]), false),
        (frame(2, &[], 46, &[0; 46]), false),
        (frame(2, &[], 0x0800, &ipv4(GOOD)[..19]), false),
        (frame(2, &[], 0x0800, &long(ipv4(GOOD))), false),
        (frame(2, &[], 0x86dd, &ipv6(1)[..47]), false),
        (frame(2, &[], 0x0806, &arp(2, GOOD)[..20]), false),
        (frame(2, &[0x8100], 0x8100, &[]), false),
        // Padded, and a fragment: both have their source as any packet has.
        (frame(2, &[], 0x0800, &[ipv4(GOOD), vec![0; 18]].concat()), true),
        (
            {
                let mut fragment = ipv4(GOOD);
                fragment[6] = 0x20;
                frame(2, &[], 0x0800, &fragment)
            },
            true,
        ),
    ]
}

const ADDRESSES: &str = "source_mac = [\"02:00:00:00:00:02\"]\nsource_ip = [\"10.0.0.0/24\", \"2001:db8::1/128\"]\n";

#[test]
fn only_granted_source_addresses_leave() {
    let (input, good): (Vec<Vec<u8>>, Vec<bool>) = frames().into_iter().unzip();
    let expected: Vec<Vec<u8>> = frames().into_iter().filter_map(|(frame, good)| good.then_some(frame)).collect();
    for way in [v::NEXT, v::tx(1)] {
        let text = module(&each("process", &verdict(way)));
        let outcome = run(&text, &input, &format!("tx = [\"out\"]\n{ADDRESSES}"));
        assert_eq!(outcome.out, expected);
        assert_eq!(outcome.dropped("bad_source"), good.iter().filter(|good| !**good).count() as u64);
        assert!(outcome.summary.pools.iter().any(|pool| pool.name == "checked" && pool.full));
        assert_eq!(run(&text, &input, "tx = [\"out\"]").out, input, "without the grant any address leaves");
    }
}

#[test]
fn a_source_mac_alone_lets_other_protocols_go() {
    let input = packets(50, 60);
    let text = module(&each("process", &verdict(v::NEXT)));
    assert_eq!(run(&text, &input, "source_mac = [\"02:00:00:00:00:02\"]").out, input);
    let outcome = run(&text, &input, "source_mac = [\"02:00:00:00:00:03\"]");
    assert_eq!((outcome.out.len(), outcome.dropped("bad_source")), (0, 50));
}

#[test]
fn checked_packets_pass_a_ring_and_come_back_into_a_window() {
    let input: Vec<Vec<u8>> = frames().into_iter().map(|(frame, _)| frame).collect();
    let expected: Vec<Vec<u8>> = frames().into_iter().filter_map(|(frame, good)| good.then_some(frame)).collect();
    let bench = Bench::new();
    bench.module("m.wat", &module(&each("process", &verdict(v::ring(0))))).input(&input);
    let config = chain(&format!("rings = [\"r\"]\n{ADDRESSES}")).replace("tx = [\"out\"]\n", "");
    let rest = "[[ring]]\nname = \"r\"\n[[module]]\nname = \"n\"\nfile = \"n.wat\"\ndomain = \"next\"\n[[chain]]\n\
                source = { ring = \"r\" }\nstages = [\"n\"]\ntx = [\"out\"]\n";
    bench.module("n.wat", &module(&each("process", &verdict(v::NEXT))));
    let outcome = bench.run(&bench.config(&(config + rest)));
    assert_eq!(outcome.out, expected);
    let copied: u64 = outcome.summary.snapshot.chains.iter().map(|chain| chain.copied_in).sum();
    assert_eq!(copied, expected.len() as u64);
}

#[test]
fn no_checksum_is_written_where_an_address_stands() {
    // The port, or the host in its place, writes at the layer lengths that the module gives: 2 bytes too far is the source.
    let ask = |l2: u32, l3: u32, flags: u32| {
        format!(
            "{} (i32.store offset=28 (local.get $d) (i32.const {flags})) (i32.store8 offset=40 (local.get $d) (i32.const {l2}))
             (i32.store8 offset=41 (local.get $d) (i32.const {l3}))",
            verdict(v::NEXT)
        )
    };
    let ip = tx_flags::IPV4 | tx_flags::IP_CHECKSUM;
    let input = vec![frame(2, &[], 0x0800, &[ipv4(GOOD), vec![0; 40]].concat()); 10];
    for (l2, l3, flags, sent) in [
        (14, 20, ip, 10),
        (14, 20, tx_flags::IPV4 | tx_flags::UDP_CHECKSUM, 10),
        (16, 20, ip, 0),
        (0, 20, ip, 0),
        (14, 24, ip, 0),
        (0, 0, tx_flags::IPV4 | tx_flags::UDP_CHECKSUM, 0),
    ] {
        let outcome = run(&module(&each("process", &ask(l2, l3, flags))), &input, ADDRESSES);
        assert_eq!(outcome.out.len(), sent, "{l2} {l3} {flags:x}: {:?}", outcome.summary.accounting);
        assert!(outcome.out.iter().all(|frame| frame[26..30] == GOOD && frame[6..12] == input[0][6..12]));
    }
}
