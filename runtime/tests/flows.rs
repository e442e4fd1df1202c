//! Flow rules that are done in software, and filters: what becomes of each packet, in which order, under which name.

use perigee_abi::verdict as v;
use perigee_lab::{Bench, Outcome, each, module, read_pcap, verdict, write_pcap};
use perigee_runtime::{ChainStats, FlowStats};

/// UDP from 10.0.0.1 to 192.0.2.1, in a VLAN where one is named, with a number at its end.
fn udp(vlan: Option<u16>, dst_port: u16, number: u32) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    if let Some(vlan) = vlan {
        bytes.extend([0x81, 0]);
        bytes.extend(vlan.to_be_bytes());
    }
    bytes.extend([8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 192, 0, 2, 1, 0x9c, 0x40]);
    bytes.extend(dst_port.to_be_bytes());
    bytes.extend([0, 26, 0, 0]);
    bytes.resize(bytes.len() + 14, 0);
    bytes.extend(number.to_be_bytes());
    bytes
}

fn number(packet: &[u8]) -> u32 {
    u32::from_be_bytes(*packet.last_chunk().unwrap())
}

fn dst_port(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[36], packet[37]])
}

/// Two rx queues of a port, each with a capture, a chain for each, and the rules.
fn two_queues(bench: &Bench, rules: &str, chains: &str) -> String {
    let path = |name: &str| bench.path(name).display().to_string();
    format!(
        "[[port]]\nname = \"in\"\ndevice = \"net_pcap0,rx_pcap={},rx_pcap={}\"\n{rules}\n\
         [[port]]\nname = \"first\"\ndevice = \"net_pcap1,tx_pcap={}\"\n\
         [[port]]\nname = \"second\"\ndevice = \"net_pcap2,tx_pcap={}\"\n\
         [[chain]]\nname = \"first\"\nsource = {{ port = \"in\", queue = 0 }}\ntx = [\"first\"]\n{chains}\n\
         [[chain]]\nname = \"second\"\nsource = {{ port = \"in\", queue = 1 }}\ntx = [\"second\"]\n{chains}\n",
        path("0.pcap"),
        path("1.pcap"),
        path("first.pcap"),
        path("second.pcap"),
    )
}

fn chain<'a>(outcome: &'a Outcome, name: &str) -> &'a ChainStats {
    outcome.summary.snapshot.chains.iter().find(|chain| chain.name == name).unwrap()
}

fn rules(outcome: &Outcome) -> &[FlowStats] {
    &outcome.summary.snapshot.ports[0].flows
}

/// Runs both captures to their ends; what left by each port.
fn run_two(captures: [&[Vec<u8>]; 2], rules: &str, chains: &str) -> (Outcome, Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let bench = Bench::new();
    write_pcap(&bench.path("0.pcap"), captures[0]);
    write_pcap(&bench.path("1.pcap"), captures[1]);
    let outcome = bench.run(&two_queues(&bench, rules, chains));
    let read = |name: &str| read_pcap(&bench.path(name));
    let (first, second) = (read("first.pcap"), read("second.pcap"));
    (outcome, first, second)
}

const TO_SECOND: &str = "[[port.flow]]\nmatch = { protocol = \"udp\", dst_port = \"53-54\" }\naction = { queue = 1 }";

/// More than an inbox holds: ports 53, 54 and 80 in turn.
fn mixed(n: u32, start: u32) -> Vec<Vec<u8>> {
    let port = |i: u32| [53, 54, 80][i as usize % 3];
    (0..n).map(|i| udp(None, port(i), start + i)).collect()
}

#[test]
fn packets_of_another_queue_go_to_the_chain_that_reads_it_in_order_and_without_loss() {
    let (zero, one) = (mixed(9_000, 0), mixed(900, 100_000));
    let (outcome, first, second) = run_two([&zero, &one], TO_SECOND, "when_full = \"wait\"");
    let (kept, led): (Vec<_>, Vec<_>) = zero.iter().cloned().partition(|packet| dst_port(packet) == 80);
    assert_eq!(first, kept);
    // Those of each queue are in order; between them there is none.
    let from = |captured: &[Vec<u8>]| {
        let numbers: std::collections::BTreeSet<u32> = captured.iter().map(|packet| number(packet)).collect();
        second.iter().filter(|packet| numbers.contains(&number(packet))).cloned().collect::<Vec<_>>()
    };
    assert_eq!((from(&led), from(&one)), (led.clone(), one.clone()));
    assert_eq!(second.len(), led.len() + one.len());
    assert_eq!(outcome.summary.accounting.received, 9_900);
    assert!(outcome.summary.accounting.dropped.is_empty(), "{:?}", outcome.summary.accounting.dropped);
    let (first, second) = (chain(&outcome, "first"), chain(&outcome, "second"));
    assert_eq!((first.received, first.to_queue, first.from_queue), (9_000, 6_000, 0));
    assert_eq!((second.received, second.to_queue, second.from_queue), (900, 0, 6_000));
    let rule = &rules(&outcome)[0];
    assert_eq!((rule.matches.as_str(), rule.action.as_str()), ("protocol udp, dst_port 53-54", "queue 1"));
    assert_eq!((rule.place.as_str(), rule.hits), ("software", Some(6_600)));
    assert_eq!(rule.reason.as_deref(), Some("virtual ports do none"));
}

#[test]
fn what_a_full_queue_does_not_take_is_dropped_by_name() {
    let zero = mixed(30_000, 0);
    let (outcome, first, second) = run_two([&zero, &[]], TO_SECOND, "");
    assert_eq!(first.len(), 10_000);
    assert_eq!(second.len() as u64 + outcome.dropped("queue_full"), 20_000, "{:?}", outcome.summary.accounting);
    let numbers: Vec<u32> = second.iter().map(|packet| number(packet)).collect();
    assert!(numbers.is_sorted(), "what came is in order");
}

#[test]
fn rules_may_lead_both_ways_at_once() {
    let both = "[[port.flow]]\nmatch = { protocol = \"udp\", dst_port = 53 }\naction = { queue = 1 }\n\
                [[port.flow]]\nmatch = { protocol = \"udp\", dst_port = 80 }\naction = { queue = 0 }";
    let (zero, one) = (mixed(9_000, 0), mixed(9_000, 100_000));
    let (outcome, first, second) = run_two([&zero, &one], both, "when_full = \"wait\"");
    assert!(outcome.summary.accounting.dropped.is_empty(), "{:?}", outcome.summary.accounting.dropped);
    assert!(first.iter().all(|packet| dst_port(packet) != 53) && second.iter().all(|packet| dst_port(packet) != 80));
    assert_eq!((first.len(), second.len()), (9_000, 9_000));
    assert_eq!(rules(&outcome).iter().map(|rule| rule.hits).collect::<Vec<_>>(), [Some(6_000), Some(6_000)]);
}

/// A port whose capture has these rules and settings, a module that passes on what has the mark 7, and the rest.
fn marked(input: &[Vec<u8>], port: &str, chain: &str) -> Outcome {
    let bench = Bench::new();
    let body = format!(
        "(if (i32.eq (i32.load offset=12 (local.get $d)) (i32.const 7)) (then {}) (else {}))",
        verdict(v::NEXT),
        verdict(v::DROP)
    );
    bench.module("m.wat", &module(&each("process", &body))).input(input);
    let config = bench.config(&format!(
        "[[module]]\nname = \"m\"\nfile = \"m.wat\"\n[[chain]]\nsource = {{ port = \"in\" }}\nstages = [\"m\"]\n\
         tx = [\"out\"]\n{chain}"
    ));
    bench.run(&config.replacen("\n[[port]]\nname = \"out\"", &format!("\n{port}\n[[port]]\nname = \"out\""), 1))
}

#[test]
fn modules_see_the_mark_of_the_first_rule_that_a_packet_meets() {
    let input: Vec<_> = [53, 80, 81, 90, 53].into_iter().zip(0..).map(|(port, n)| udp(None, port, n)).collect();
    let rules = "[[port.flow]]\nmatch = { protocol = \"udp\", dst_port = 80 }\naction = \"drop\"\n\
                 [[port.flow]]\nmatch = { protocol = \"udp\", dst_port = \"80-81\" }\naction = { mark = 7 }\n\
                 [[port.flow]]\nmatch = { src = \"10.0.0.0/24\", protocol = \"udp\", dst_port = 53 }\naction = { mark = 7 }\n\
                 [[port.flow]]\nmatch = { ether_type = 0x0800 }\naction = { mark = 6 }\n";
    let outcome = marked(&input, rules, "");
    assert_eq!(outcome.out, [&input[0], &input[2], &input[4]].map(Clone::clone));
    assert_eq!((outcome.dropped("flow_drop"), outcome.dropped("verdict")), (1, 1));
    let hits: Vec<_> = self::rules(&outcome).iter().map(|rule| rule.hits).collect();
    assert_eq!(hits, [Some(1), Some(1), Some(2), Some(1)]);
    let reason = self::rules(&outcome)[1].reason.as_deref();
    assert_eq!(reason, Some("packets may meet flow rule 0 as well, which goes first"));
}

#[test]
fn a_tag_is_seen_whether_it_is_taken_off_or_not() {
    let input = [udp(Some(42), 53, 0), udp(Some(43), 53, 1), udp(None, 53, 2)];
    for strip in ["", "vlan_strip = true\n"] {
        let rules = format!("{strip}[[port.flow]]\nmatch = {{ vlan = 42 }}\naction = {{ mark = 7 }}\n");
        assert_eq!(marked(&input, &rules, "").out, [input[0].clone()], "{strip}");
        let all = format!("{strip}[[port.flow]]\naction = {{ mark = 7 }}\n");
        assert_eq!(marked(&input, &all, "filter = \"vlan 43 and udp port 53\"").out, [input[1].clone()], "{strip}");
        assert_eq!(marked(&input, &all, "filter = \"udp port 53\"").out, [input[2].clone()], "{strip}");
    }
}

#[test]
fn what_does_not_pass_a_filter_is_dropped_before_the_first_module() {
    let mut input: Vec<_> = mixed(3_000, 0);
    input.push(vec![1; 10]);
    let bench = Bench::new();
    bench.module("m.wat", &module(&each("process", &verdict(v::NEXT)))).input(&input);
    let outcome = bench.run(&bench.config(&perigee_lab::CHAIN.replacen(
        "[[chain]]",
        "[[chain]]\nfilter = \"udp port 53 or udp port 80\"",
        1,
    )));
    let passes: Vec<_> = input.iter().filter(|packet| packet.len() > 40 && dst_port(packet) != 54).cloned().collect();
    assert_eq!(outcome.out, passes);
    assert_eq!(outcome.summary.accounting.dropped, [("filtered".to_owned(), 1_001)].into());
    assert_eq!(outcome.summary.accounting.received, 3_001);
}

#[test]
fn a_filter_stands_behind_a_ring_too() {
    let input = mixed(600, 0);
    let bench = Bench::new();
    bench.module("m.wat", &module(&each("process", &verdict(v::ring(0))))).input(&input);
    let outcome = bench.run(&bench.config(
        "[[ring]]\nname = \"r\"\nsize = 1024\n[[module]]\nname = \"m\"\nfile = \"m.wat\"\ngrants = { rings = [\"r\"] }\n\
         [[chain]]\nsource = { port = \"in\" }\nstages = [\"m\"]\n[[chain]]\nsource = { ring = \"r\" }\n\
         filter = \"dst port 80\"\ntx = [\"out\"]\n",
    ));
    let passes: Vec<_> = input.iter().filter(|packet| dst_port(packet) == 80).cloned().collect();
    assert_eq!((outcome.out, outcome.summary.accounting.dropped), (passes, [("filtered".to_owned(), 400)].into()));
}

#[test]
fn a_port_that_hands_packets_on_has_neither_their_marks_nor_their_tags() {
    // Through net_ring: the second chain's module wants the mark 7, which only the first port's rule gave.
    let input: Vec<_> = (0..100).map(|n| udp(Some(42), 53, n)).collect();
    for (filter, sent, cause) in [("", 0, "verdict"), ("filter = \"not vlan 42\"", 0, "filtered")] {
        let bench = Bench::new();
        let body = format!(
            "(if (i32.eq (i32.load offset=12 (local.get $d)) (i32.const 7)) (then {}) (else {}))",
            verdict(v::NEXT),
            verdict(v::DROP)
        );
        bench.module("m.wat", &module(&each("process", &body))).input(&input);
        let config = bench.config(&format!(
            "[[port]]\nname = \"wire\"\ndevice = \"net_ring0\"\n[[module]]\nname = \"m\"\nfile = \"m.wat\"\n\
             [[chain]]\nsource = {{ port = \"in\" }}\ntx = [\"wire\"]\nwhen_full = \"wait\"\n\
             [[chain]]\nsource = {{ port = \"wire\" }}\nstages = [\"m\"]\ntx = [\"out\"]\n{filter}"
        ));
        let rule = "\nvlan_strip = true\n[[port.flow]]\naction = { mark = 7 }\n[[port]]\nname = \"out\"";
        let run = bench.start(&config.replacen("\n[[port]]\nname = \"out\"", rule, 1)).unwrap();
        let begin = std::time::Instant::now();
        let seen = |run: &perigee_runtime::Run| run.snapshot().chains[1].received;
        while seen(&run) < 100 {
            assert!(begin.elapsed() < std::time::Duration::from_secs(20), "{:#?}", run.snapshot());
            std::thread::yield_now();
        }
        let outcome = bench.finish(run);
        assert_eq!((outcome.out.len(), outcome.dropped(cause)), (sent, 100), "{filter}");
    }
}
