//! What a message about a capture tells to type makes a file that comes in whole, with its times.

use crate::files::cases::{Case, packets, pcapng, refused};
use crate::files::{Pcap, frame, interface, packet_block_at};
use crate::modules::Bench;
use std::path::Path;
use std::process::Command;

const THROUGH: &str = r#"
[[port]]
name = "in"
device = "net_pcap0,rx_pcap=in.pcap"
[[module]]
name = "m"
file = "good.wat"
[[chain]]
source = { port = "in" }
stages = ["m"]
"#;

/// In nanoseconds.
const TIME: u64 = 1_700_000_000_123_456_789;

/// How many packets came from `in.pcap`, or what was said of it.
fn received(bench: &Bench) -> Result<u64, String> {
    bench.write("run.toml", THROUGH);
    let said = bench.perigee(&["run", "run.toml", "--quiet", "--json", "s.json", "--duration", "20s"]);
    if said.code != Some(0) {
        return Err(said.err);
    }
    let summary: serde_json::Value = serde_json::from_str(&bench.read("s.json")).expect("the summary is JSON");
    Ok(summary["accounting"]["received"].as_u64().expect("a number"))
}

/// Types what stands between backticks in a message, and has its last file read in place of the one that was refused.
fn follow(bench: &Bench, message: &str) {
    let commands = message.split('`').skip(1).step_by(2);
    let commands = commands.filter(|command| command.contains("PART") || command.contains("OUT"));
    let script: Vec<_> =
        commands.map(|command| command.replace("IN ", "in.pcap ").replace("'IN'", "'in.pcap'")).collect();
    assert!(!script.is_empty(), "no cure: {message}");
    let mut program = if message.contains("in Scapy") {
        let mut python = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/venv/bin/python3"));
        python.args(["-c", &format!("from scapy.all import *\n{}", script.join("\n"))]);
        python
    } else {
        let mut shell = Command::new("sh");
        shell.args(["-ec", &script.join("\n")]);
        shell
    };
    let status = program.current_dir(bench.path(".")).status().expect("`./x setup` installs it");
    assert!(status.success(), "{script:?}");
    std::fs::rename(bench.path("OUT"), bench.path("in.pcap")).expect("the cure writes OUT");
}

#[test]
fn a_capture_that_is_refused_comes_in_after_its_cure() {
    let bench = Bench::new();
    let expected = [
        ("cut", 1),
        ("snap lengths", 6),
        ("errors first", 100),
        ("link types", 3),
        ("no such interface", 3),
        ("longer than its snap length", 3),
        ("longer than libpcap takes", 1),
        ("longer than DPDK takes", 3),
    ];
    let mut cured = 0;
    for Case(name, bytes, _) in refused() {
        std::fs::write(bench.path("in.pcap"), bytes).unwrap();
        let message = received(&bench).expect_err(name);
        if message.contains("in Scapy") {
            // One for all link types: it is for raw IP, with the times that the packets have.
            continue;
        }
        let Some((_, packets)) = expected.iter().find(|(case, _)| *case == name) else {
            assert!(!message.contains("OUT`"), "{name} has a cure that nobody tries: {message}");
            continue;
        };
        follow(&bench, &message);
        assert_eq!(received(&bench).as_ref(), Ok(packets), "{name}: {message}");
        cured += 1;
    }
    assert_eq!(cured, expected.len());
}

/// The time of the first packet of `in.pcap`, as Wireshark reads it.
fn first_time(bench: &Bench) -> String {
    let mut tshark = Command::new("tshark");
    tshark.args(["-r", "in.pcap", "-T", "fields", "-e", "frame.time_epoch", "-c", "1"]);
    let said = tshark.current_dir(bench.path(".")).output().expect("`./x setup` installs it");
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

#[test]
fn raw_ip_gets_a_header_and_keeps_its_times() {
    let bench = Bench::new();
    // IPv4 and UDP from and to documentation addresses.
    let ip = [0x45, 0, 0, 0x1c, 0, 1, 0, 0, 0x40, 0x11, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 3, 0xe8, 0, 9, 0, 8, 0, 0];
    let nanoseconds = interface(101, 65_535, &[9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
    let blocks = [nanoseconds, packet_block_at(0, TIME, &ip), packet_block_at(0, TIME + 1, &ip)];
    std::fs::write(bench.path("in.pcap"), pcapng(&blocks)).unwrap();
    let message = received(&bench).expect_err("it has no header");
    follow(&bench, &message);
    assert_eq!((received(&bench), first_time(&bench).as_str()), (Ok(2), "1700000000.123456789"));
}

#[test]
fn a_cure_keeps_nanoseconds() {
    let bench = Bench::new();
    // Times in units of 10^-9 s (option 9, if_tsresol), and two lengths, so that libpcap stops.
    let nanoseconds = |length| interface(1, length, &[9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
    let first = packet_block_at(0, TIME, &frame(1, 64));
    let blocks = [nanoseconds(65_535), first, nanoseconds(262_144), packets(1, 2..=2)];
    std::fs::write(bench.path("in.pcap"), pcapng(&blocks)).unwrap();
    let message = received(&bench).expect_err("two snap lengths");
    follow(&bench, &message);
    assert_eq!((received(&bench), first_time(&bench).as_str()), (Ok(2), "1700000000.123456789"));
}

#[test]
fn a_frame_check_sequence_is_taken_off() {
    let bench = Bench::new();
    let old = Pcap { link: 0x2400_0001, ..Pcap::default() }.file(&[frame(1, 64), frame(2, 64)]);
    // Option 13, if_fcslen.
    let four_bytes = interface(1, 65_535, &[13, 0, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0]);
    for bytes in [old, pcapng(&[four_bytes, packets(0, 1..=2)])] {
        std::fs::write(bench.path("in.pcap"), bytes).unwrap();
        assert_eq!(received(&bench), Ok(2));
        let warning = bench.perigee(&["check", "run.toml"]).err;
        assert!(warning.contains("frame check sequence"), "{warning}");
        follow(&bench, &warning);
        assert_eq!(received(&bench), Ok(2));
        let checked = bench.perigee(&["check", "run.toml"]).err;
        assert!(!checked.contains("warning: "), "{checked}");
    }
}
