//! Files that are played from the disk: the same packets at the same times as from memory, however small the memory is, and whatever
//! becomes of the files meanwhile.

use crate::replay::{Timed, frame, line, of_flow, on_time, write};
use perigee_abi::verdict as v;
use perigee_lab::{Bench, check, each, module, verdict};
use perigee_runtime::ReplayStats;
use perigee_runtime::sim::Outcome;
use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

/// The least that one queue can do with.
const LEAST: &str = "preload=no,memory=256K";

/// Packets of all lengths and many flows, whose times stand still now and then, and once go back.
fn mixed(packets: u32) -> Vec<Timed> {
    let packet = |n: u32| {
        let mut bytes = of_flow(u8::try_from(n % 50).unwrap(), n / 50);
        bytes.resize(60 + usize::try_from(n * 7_919 % 1_400).unwrap(), u8::try_from(n % 251).unwrap());
        let at = u64::from(n) * 1_237 + u64::from(n % 7) * 11;
        (if n == 1_000 { at / 2 } else { at - at % 3_000 * u64::from(n.is_multiple_of(11)) }, bytes)
    };
    (0..packets).map(packet).collect()
}

fn stats(outcome: &Outcome) -> ReplayStats {
    assert_eq!(outcome.broken, Vec::<String>::new());
    check(&outcome.summary);
    outcome.summary.snapshot.ports[0].replay.clone().unwrap()
}

/// Digests are of each packet's bytes and of the nanosecond in which it comes.
#[test]
fn it_is_what_is_played_from_memory() {
    let bench = Bench::new();
    bench.module("m.wat", &module(&each("process", &verdict(v::DROP))));
    let packets = mixed(6_000);
    write(&bench, "in.pcap", &packets);
    write(&bench, "few.pcap", &packets[..3]);
    write(&bench, "long.pcap", &[(0, frame(0, 60)), (5_000, frame(0, 9_000)), (9_000, frame(0, 60))]);
    let cut = std::fs::read(bench.path("few.pcap")).unwrap();
    std::fs::write(bench.path("cut.pcap"), &cut[..cut.len() - 5]).unwrap();
    let two = ("source = { port = \"in\" }", "source = { port = \"in\" }\nlcores = [0, 1]");
    for (device, lcores, memory) in [
        ("file:in.pcap", 1, "256K"),
        ("file:in.pcap,speed=0.3,loop=3", 1, "300K"),
        ("file:in.pcap,speed=20000", 1, "1M"),
        ("file:in.pcap,rate=3Mpps,loop=2,gap=3ms", 1, "256K"),
        ("file:in.pcap,rate=7Gbit/s,loop=3", 1, "1M"),
        ("file:in.pcap,speed=max,loop=2", 1, "256K"),
        ("file:in.pcap,file=few.pcap,file=long.pcap,file=cut.pcap,loop=2,gap=1ms", 1, "256K"),
        ("file:few.pcap,loop=5000", 1, "256K"),
        ("file:few.pcap,file=long.pcap,speed=7,loop=300", 2, "512K"),
        ("file:in.pcap,loop=3", 2, "512K"),
        ("file:in.pcap,rate=2Mpps,file=cut.pcap", 2, "2M"),
    ] {
        let text = |device: &str| {
            let text = line(device, "");
            if lcores == 2 { text.replace(two.0, two.1) } else { text }
        };
        let memory = format!("preload=no,memory={memory}");
        let [kept, read] =
            [text(device), text(&format!("{device},{memory}"))].map(|text| bench.simulate(&text, 1).unwrap());
        assert_eq!(kept.digest, read.digest, "{device}");
        let [kept, read] = [stats(&kept), stats(&read)];
        assert!(read.from_disk && !kept.from_disk && read.memory <= 2 << 20 && kept.packets > 1_000, "{read:?}");
        let like_kept = ReplayStats { memory: kept.memory, from_disk: false, ..read };
        assert_eq!(like_kept, kept, "{device}");
    }
    let other = bench.simulate(&line("file:few.pcap,preload=no,loop=5001", ""), 1).unwrap();
    let one_more = bench.simulate(&line("file:few.pcap,loop=5000", ""), 1).unwrap();
    assert_ne!(other.digest, one_more.digest, "the test can fail");
}

/// A file of so many packets of 1,500 bytes, a microsecond apart.
fn large(path: &Path, packets: u32) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    file.write_all(&[0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 0, 1].map(u32::to_le_bytes).concat()).unwrap();
    let mut bytes = frame(0, 1_500);
    for n in 0..packets {
        let [sec, ns] = [n / 1_000_000, n % 1_000_000 * 1_000];
        bytes[30..34].copy_from_slice(&n.to_be_bytes());
        file.write_all(&[sec, ns, 1_500, 1_500].map(u32::to_le_bytes).concat()).unwrap();
        file.write_all(&bytes).unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
}

/// A module that fails unless the packets' numbers follow each other, and begin again at `packets`.
fn in_order(packets: u32) -> String {
    // The number is in network order: its bytes are compared one by one with a counter's.
    let body = format!(
        "(local.set $at (i32.add (i32.load (local.get $d)) (i32.const 30)))
         (if (i32.ne (i32.or (i32.or (i32.shl (i32.load8_u (local.get $at)) (i32.const 24))
                                     (i32.shl (i32.load8_u offset=1 (local.get $at)) (i32.const 16)))
                             (i32.or (i32.shl (i32.load8_u offset=2 (local.get $at)) (i32.const 8))
                                     (i32.load8_u offset=3 (local.get $at))))
                     (i32.load (i32.const 1024)))
           (then (unreachable)))
         (i32.store (i32.const 1024) (i32.rem_u (i32.add (i32.load (i32.const 1024)) (i32.const 1)) (i32.const {packets})))
         {}",
        verdict(v::DROP)
    );
    module(&each("process", &body).replace("(local $i i32)", "(local $i i32) (local $at i32)"))
}

fn real(device: &str) -> String {
    format!(
        "[[port]]\nname = \"in\"\ndevice = \"{device}\"\n[[module]]\nname = \"m\"\nfile = \"m.wat\"\non_fault = \"stop\"\n\
         [[chain]]\nsource = {{ port = \"in\" }}\nstages = [\"m\"]\n"
    )
}

/// 64 MiB through 4 MiB, read ahead by a thread, as fast as it goes and at times.
#[test]
fn a_file_that_is_larger_than_its_memory_is_played() {
    const PACKETS: u32 = 44_000;
    let bench = Bench::new();
    bench.module("m.wat", &in_order(PACKETS));
    large(&bench.path("in.pcap"), PACKETS);
    assert!(std::fs::metadata(bench.path("in.pcap")).unwrap().len() > 63 << 20);
    let refused = bench.start(&real("file:in.pcap,memory=4M")).unwrap_err().to_string();
    assert!(
        refused.contains("needs 65 MiB of memory (44000 packets, 66000000 bytes), and may take 4 MiB"),
        "{refused}"
    );
    assert!(refused.contains("`memory=65M` lets it, `preload=no` reads it from the disk"), "{refused}");
    for how in ["speed=max", "speed=0.5,loop=2", "rate=200kpps"] {
        let outcome = bench.run(&real(&format!("file:in.pcap,preload=no,memory=4M,{how}")));
        let rounds = if how.contains("loop") { 2 } else { 1 };
        let replay = outcome.summary.snapshot.ports[0].replay.clone().unwrap();
        assert_eq!(
            (replay.packets, replay.rounds, replay.changed),
            (rounds * u64::from(PACKETS), rounds, 0),
            "{replay:?}"
        );
        assert!(replay.from_disk && replay.memory <= 4 << 20 && replay.memory > 3 << 20, "{replay:?}");
        let failed: Vec<_> =
            outcome.summary.snapshot.modules.iter().filter_map(|module| module.failed.clone()).collect();
        assert_eq!(failed, Vec::<String>::new(), "{how}: a packet is not the next one");
        // How often the disk is late depends on who else has the machine; packets that it made late are late.
        assert!(replay.starved <= replay.late || how == "speed=max", "{replay:?}");
    }
}

#[test]
fn memory_that_is_too_little_is_refused() {
    let bench = Bench::new();
    bench.module("m.wat", &on_time());
    write(&bench, "in.pcap", &mixed(10));
    let text = real("file:in.pcap,preload=no,memory=256K").replace("[[chain]]\n", "[[chain]]\nlcores = [0, 1]\n");
    let told = bench.start(&text).unwrap_err().to_string();
    let expected =
        "port \"in\": memory is 256 KiB, and to read ahead for 2 rx queues takes 512 KiB at least; `memory=512K`";
    assert!(told.contains(expected), "{told}");
}

/// What somebody does to a file after it was looked at, and whether packets go missing by it.
type Deed = (&'static str, fn(&Path), bool);

const DEEDS: [Deed; 5] = [
    ("is cut to nothing", |path| OpenOptions::new().write(true).open(path).unwrap().set_len(0).unwrap(), true),
    (
        "is cut in the middle",
        |path| OpenOptions::new().write(true).open(path).unwrap().set_len(3_000_001).unwrap(),
        true,
    ),
    ("gets a length that cannot be", |path| scribble(path, 24 + 8, &[0xff; 8]), true),
    ("gets other bytes everywhere", |path| scribble(path, 0, &vec![0x5a; 4 << 20]), true),
    (
        "becomes longer",
        |path| OpenOptions::new().append(true).open(path).unwrap().write_all(&[7; 9_999]).unwrap(),
        false,
    ),
];

fn scribble(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

/// Files that others write to while they are played end where they cannot be read, once and for all or for a round; the run ends, all
/// that came is accounted for, and the count says that there were changes.
#[test]
fn files_that_change_meanwhile_end_and_are_counted() {
    let bench = Bench::new();
    bench.module("m.wat", &module(&each("process", &verdict(v::DROP))));
    for (what, deed, is_missed) in DEEDS {
        for device in ["file:in.pcap,loop=3", "file:in.pcap,file=few.pcap,loop=3"] {
            write(&bench, "few.pcap", &mixed(100));
            write(&bench, "in.pcap", &mixed(6_000));
            let simulator = bench.simulator(&line(&format!("{device},{LEAST}"), "")).unwrap();
            deed(&bench.path("in.pcap"));
            let outcome = simulator.simulate(1, None, None).unwrap();
            let replay = outcome.summary.snapshot.ports[0].replay.clone().unwrap();
            check(&outcome.summary);
            let all = replay.in_round * 3;
            assert_eq!((replay.packets < all, replay.changed != 0), (is_missed, is_missed), "{what}: {replay:?}");
            assert!(replay.packets <= all && (!device.contains("few") || replay.packets >= 300), "{what}: {replay:?}");
        }
    }
}

/// As above, in a run, while the file is read.
#[test]
fn a_run_whose_file_is_cut_ends() {
    const PACKETS: u32 = 44_000;
    let bench = Bench::new();
    bench.module("m.wat", &module(&each("process", &verdict(v::DROP))));
    for (what, deed, is_missed) in DEEDS {
        large(&bench.path("in.pcap"), PACKETS);
        let run = bench.start(&real("file:in.pcap,preload=no,memory=1M,loop=4,speed=1")).unwrap();
        deed(&bench.path("in.pcap"));
        let begin = std::time::Instant::now();
        while !run.is_finished() {
            assert!(begin.elapsed() < Duration::from_secs(20), "{what}: the run does not end: {:#?}", run.snapshot());
            std::thread::sleep(Duration::from_millis(2));
        }
        let outcome = bench.finish(run);
        let replay = outcome.summary.snapshot.ports[0].replay.clone().unwrap();
        assert_eq!(
            (replay.packets < 4 * u64::from(PACKETS), replay.changed != 0),
            (is_missed, is_missed),
            "{what}: {replay:?}"
        );
        let told = outcome.summary.losses.join("\n");
        assert_eq!(told.contains("of the 176000 that its captures had at the start"), is_missed, "{what}: {told}");
    }
}
