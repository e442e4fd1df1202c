//! Files that are played: in simulations, where each packet comes exactly at its time, and in real time.

use perigee_abi::verdict as v;
use perigee_lab::{Bench, check, each, module, verdict};
use perigee_runtime::sim::Outcome;
use std::time::{Duration, Instant};

/// A packet of a file: nanoseconds after the first, and its bytes.
pub(crate) type Timed = (u64, Vec<u8>);

/// A frame whose bytes 14 to 21 say when it should come, whose byte 22 is 7.
pub(crate) fn frame(due: u64, len: usize) -> Vec<u8> {
    let mut bytes = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5][..], &due.to_le_bytes(), &[7]].concat();
    bytes.resize(len, 0x5a);
    bytes
}

/// UDP of flow `n`, whose packets are numbered.
pub(crate) fn of_flow(n: u8, number: u32) -> Vec<u8> {
    let ip = [0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, n, 10, 0, 1, 1];
    let udp = [1, n, 0, 53, 0, 26, 0, 0];
    let mut bytes =
        [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0][..], &ip, &udp, &[n, 0, 0, 0], &number.to_le_bytes()].concat();
    bytes.resize(60, 0);
    bytes
}

/// A pcap file in nanoseconds, of little-endian numbers.
pub(crate) fn write(bench: &Bench, name: &str, packets: &[Timed]) {
    let mut file = [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 0, 1].map(u32::to_le_bytes).concat();
    for (at, bytes) in packets {
        let (sec, ns) = (1_700_000_000 + at / 1_000_000_000, at % 1_000_000_000);
        for number in [sec, ns, bytes.len() as u64, bytes.len() as u64] {
            file.extend(u32::try_from(number).unwrap().to_le_bytes());
        }
        file.extend(bytes);
    }
    std::fs::write(bench.path(name), file).unwrap();
}

/// A file over a wire to module `m`, in a simulation.
pub(crate) fn line(device: &str, rest: &str) -> String {
    format!(
        "[run]\nduration = \"10s\"\n[[port]]\nname = \"in\"\npool = 2047\ndevice = \"{device}\"\n\
         [[port]]\nname = \"a\"\ndevice = \"wire:lab,end=a\"\n[[port]]\nname = \"b\"\ndevice = \"wire:lab,end=b\"\n\
         [[module]]\nname = \"m\"\nfile = \"m.wat\"\n\
         [[chain]]\nname = \"play\"\nsource = {{ port = \"in\" }}\ntx = [\"a\"]\n\
         [[chain]]\nname = \"see\"\nsource = {{ port = \"b\" }}\nstages = [\"m\"]\n{rest}"
    )
}

fn whole(outcome: &Outcome, packets: u64) {
    assert_eq!(outcome.broken, Vec::<String>::new());
    check(&outcome.summary);
    let snapshot = &outcome.summary.snapshot;
    assert_eq!((snapshot.ports[0].rx_packets, snapshot.ports[2].rx_packets), (packets, packets), "{snapshot:#?}");
    let replay = snapshot.ports[0].replay.as_ref().unwrap();
    assert_eq!((replay.late, replay.late_worst_ns), (0, 0), "{replay:?}");
}

/// Traps where a packet has not come as many nanoseconds after the first as its bytes say.
pub(crate) fn on_time() -> String {
    let body = format!(
        "(if (i64.eqz (i64.load (i32.const 1032)))
           (then (i64.store (i32.const 1024) (i64.load offset=48 (local.get $d)))
                 (i64.store (i32.const 1032) (i64.const 1))))
         (if (i64.ne (i64.sub (i64.load offset=48 (local.get $d)) (i64.load (i32.const 1024)))
                     (i64.load offset=14 (i32.load (local.get $d))))
           (then (unreachable)))
         {}",
        verdict(v::DROP)
    );
    module(&each("process", &body))
}

#[test]
fn each_packet_comes_exactly_at_its_time() {
    let bench = Bench::new();
    bench.module("m.wat", &on_time());
    let at = |n: u64| n * 1_237 + n % 7 * 11;
    for (speed, num, den) in [("1", 1, 1), ("2", 2, 1), ("0.5", 1, 2), ("0.3", 3, 10), ("20000", 20_000, 1)] {
        let packets: Vec<Timed> = (0..3_000).map(|n| (at(n), frame((at(n) * den + num / 2) / num, 60))).collect();
        write(&bench, "in.pcap", &packets);
        let outcome = bench.simulate(&line(&format!("file:in.pcap,speed={speed}"), ""), 1).unwrap();
        whole(&outcome, 3_000);
    }
    let rate: Vec<Timed> = (0..3_000).map(|n| (0, frame((n * 1_000 + 1) / 3, 60))).collect();
    write(&bench, "in.pcap", &rate);
    whole(&bench.simulate(&line("file:in.pcap,rate=3Mpps", ""), 1).unwrap(), 3_000);
    let late: Vec<Timed> = (0..100).map(|n| (n, frame(n + 1, 60))).collect();
    write(&bench, "in.pcap", &late);
    let outcome = bench.simulate(&line("file:in.pcap", ""), 1).unwrap();
    assert!(outcome.broken[0].contains("module \"m\" has failed"), "the test can fail: {:?}", outcome.broken);
}

#[test]
fn a_million_packets_do_not_drift() {
    let bench = Bench::new();
    bench.module("m.wat", &on_time());
    let at = |n: u64| n * 1_237 + n % 7 * 11;
    for (speed, factor) in [("1", 1), ("20000", 20_000), ("20000,preload=no,memory=256K", 20_000)] {
        let packets: Vec<Timed> = (0..1_000_000).map(|n| (at(n), frame((at(n) + factor / 2) / factor, 22))).collect();
        write(&bench, "in.pcap", &packets);
        let text = line(&format!("file:in.pcap,speed={speed}"), "");
        whole(&bench.simulate(&text, 1).unwrap(), 1_000_000);
    }
}

/// A stage changes each packet; the next round has the file's bytes again, and begins a mean gap behind the last packet.
#[test]
fn each_round_delivers_the_files_bytes_again() {
    let bench = Bench::new();
    let add = format!(
        "(i32.store8 offset=22 (i32.load (local.get $d)) (i32.add (i32.load8_u offset=22 (i32.load (local.get $d))) (i32.const 1))) {}",
        verdict(v::NEXT)
    );
    let eight = format!(
        "(if (i32.ne (i32.load8_u offset=22 (i32.load (local.get $d))) (i32.const 8)) (then (unreachable))) {}",
        verdict(v::DROP)
    );
    bench.module("add.wat", &module(&each("process", &add))).module("m.wat", &module(&each("process", &eight)));
    write(&bench, "in.pcap", &[(0, frame(0, 60)), (100, frame(0, 90)), (300, frame(0, 1_000)), (250, frame(0, 60))]);
    write(&bench, "next.pcap", &[(0, frame(0, 61)), (5_000, frame(0, 9_000))]);
    let stage = "[[module]]\nname = \"add\"\nfile = \"add.wat\"\n";
    let text = line("file:in.pcap,file=next.pcap,loop=5000", stage);
    let text = text.replace("tx = [\"a\"]", "stages = [\"add\"]\ntx = [\"a\"]").replace("pool = 2047", "pool = 511");
    let outcome = bench.simulate(&text, 1).unwrap();
    whole(&outcome, 25_000);
    let replay = outcome.summary.snapshot.ports[0].replay.clone().unwrap();
    assert_eq!((replay.rounds, replay.in_round, replay.too_long, replay.backwards), (5_000, 5, 1, 1));
    assert_eq!(replay.bytes, 5_000 * (60 + 90 + 1_000 + 60 + 61));
    assert_eq!(outcome.digest, bench.simulate(&text, 1).unwrap().digest);
}

/// Two lcores share a file by flow: each flow is whole on one of them, and in its order.
#[test]
fn flows_are_split_over_the_lcores_that_read() {
    let bench = Bench::new();
    // The last number of each flow, by its first byte of payload; a lower one than the last is out of order.
    let body = format!(
        "(local.set $at (i32.add (i32.const 4096) (i32.mul (i32.const 4) (i32.load8_u offset=42 (i32.load (local.get $d))))))
         (if (i32.lt_u (i32.load offset=46 (i32.load (local.get $d))) (i32.load (local.get $at))) (then (unreachable)))
         (i32.store (local.get $at) (i32.add (i32.load offset=46 (i32.load (local.get $d))) (i32.const 1)))
         {}",
        verdict(v::NEXT)
    );
    let process = each("process", &body).replace("(local $i i32)", "(local $i i32) (local $at i32)");
    bench.module("m.wat", &module(&process));
    let packets: Vec<Timed> =
        (0..20_000_u32).map(|n| (u64::from(n) * 200, of_flow(u8::try_from(n % 50).unwrap(), n / 50))).collect();
    write(&bench, "in.pcap", &packets);
    let text = line("file:in.pcap", "")
        .replace("source = { port = \"in\" }", "source = { port = \"in\" }\nlcores = [0, 1]\nstages = [\"m\"]");
    let outcome = bench.simulate(&text, 1).unwrap();
    whole(&outcome, 20_000);
    let received: Vec<u64> = outcome.summary.snapshot.chains[..2].iter().map(|chain| chain.received).collect();
    assert!(received.iter().sum::<u64>() == 20_000 && received.iter().all(|n| *n > 5_000), "{received:?}");
}

#[test]
fn as_fast_as_it_goes_waits_for_rooms_and_loses_nothing() {
    let bench = Bench::new();
    bench.module("m.wat", &module(&each("process", &verdict(v::DROP))));
    write(&bench, "in.pcap", &(0..100).map(|n| (n, frame(0, 60))).collect::<Vec<_>>());
    let text = line("file:in.pcap,speed=max,loop=100", "").replace("end=a", "end=a,rate=1G");
    whole(&bench.simulate(&text, 1).unwrap(), 10_000);
}

/// A run whose files are over ends by itself.
#[test]
fn files_are_played_in_real_time() {
    let bench = Bench::new();
    let packets: Vec<Timed> = (0..400).map(|n| (n * 1_000_000, frame(0, 60))).collect();
    write(&bench, "in.pcap", &packets);
    let text = "[[port]]\nname = \"in\"\ndevice = \"file:in.pcap\"\n[[port]]\nname = \"out\"\ndevice = \"net_null0\"\n\
                [[chain]]\nsource = { port = \"in\" }\ntx = [\"out\"]\n";
    let begin = Instant::now();
    let outcome = bench.run(text);
    assert!(begin.elapsed() >= Duration::from_millis(399), "{:?}", begin.elapsed());
    let replay = outcome.summary.snapshot.ports[0].replay.clone().unwrap();
    assert_eq!((replay.packets, outcome.summary.accounting.sent, replay.rounds), (400, 400, 1));
    // How late packets are depends on who else has the machine; that the run knows it does not.
    assert!(replay.late <= 400 && (replay.late == 0 || replay.late_worst_ns > replay.late_from_ns), "{replay:?}");
    let again = bench.run(&text.replace("file:in.pcap", "file:in.pcap,speed=max,loop=1000"));
    assert_eq!(again.summary.accounting.sent, 400_000);
    let sink = bench.run(&text.replace("tx = [\"out\"]\n", "").replace("file:in.pcap", "file:in.pcap,speed=100"));
    assert_eq!((sink.summary.accounting.received, sink.dropped("no_next")), (400, 400));
}

/// Modules cannot send to a file, by whatever way they are granted.
#[test]
fn nothing_is_sent_to_a_file() {
    let bench = Bench::new();
    bench.module("m.wat", &module(&each("process", &verdict(v::TX))));
    write(&bench, "in.pcap", &[(0, frame(0, 60)), (1, frame(0, 60))]);
    let text = "[[port]]\nname = \"in\"\ndevice = \"file:in.pcap\"\n[[module]]\nname = \"m\"\nfile = \"m.wat\"\n\
                [[chain]]\nsource = { port = \"in\" }\nstages = [\"m\"]\n";
    assert_eq!(bench.run(text).dropped("tx_not_granted"), 2);
}

#[test]
fn what_cannot_be_played_is_refused_before_the_start() {
    let bench = Bench::new();
    let text = "[[port]]\nname = \"in\"\ndevice = \"file:in.pcap\"\n[[chain]]\nsource = { port = \"in\" }\n";
    let told = || bench.start(text).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(told().contains("does not exist; paths start from the configuration's folder"), "{}", told());
    bench.module("m.wat", &module(&each("process", &verdict(v::DROP))));
    std::fs::write(bench.path("in.pcap"), [0x28, 0xb5, 0x2f, 0xfd, 0, 0]).unwrap();
    assert!(told().contains("is compressed by zstd; packets come from a file that is not compressed"), "{}", told());
    let mut bytes = [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 0, 1, 1, 1, 60, 100].map(u32::to_le_bytes).concat();
    bytes.extend([0; 60]);
    std::fs::write(bench.path("in.pcap"), bytes).unwrap();
    assert!(told().contains("has 1 of 1 packets cut short, the first one as packet 1; `snapped=send`"), "{}", told());
    let padded = bench.run(&text.replace("in.pcap", "in.pcap,snapped=pad"));
    assert_eq!(padded.summary.snapshot.ports[0].replay.as_ref().unwrap().bytes, 100);
    let simulated = bench.simulate(&line("file:in.pcap", ""), 1).unwrap_err().to_string();
    assert!(simulated.contains("cut short"), "{simulated}");
}
