//! Captures: what is in them comes, all of it, or the run does not start; and what is written to them is in them, or the run
//! says so. Each test runs the binary as a person would.

use crate::files::cases::{Case, packets, pcapng, readable, refused};
use crate::files::{Pcap, frame, interface, read_frames};
use crate::modules::{Bench, Said};
use serde_json::Value;

/// From `in.pcap` to `out.pcap`.
const THROUGH: &str = r#"
[[port]]
name = "in"
device = "net_pcap0,rx_pcap=in.pcap"
[[port]]
name = "out"
device = "net_pcap1,tx_pcap=out.pcap"
[[module]]
name = "m"
file = "good.wat"
grants = { tx = ["out"] }
[[chain]]
name = "through"
source = { port = "in" }
stages = ["m"]
tx = ["out"]
"#;

/// Runs a configuration, with the summary in `s.json`; nobody waits for longer than the given time.
fn run(bench: &Bench, toml: &str, duration: &str) -> Said {
    bench.write("run.toml", toml);
    bench.perigee(&["run", "run.toml", "--quiet", "--json", "s.json", "--duration", duration])
}

fn summary(bench: &Bench) -> Value {
    serde_json::from_str(&bench.read("s.json")).expect("the summary is JSON")
}

#[test]
fn what_is_in_a_capture_comes_or_the_run_does_not_start() {
    let bench = Bench::new();
    for Case(name, bytes, expected) in readable().into_iter().chain(refused()) {
        std::fs::write(bench.path("in.pcap"), bytes).unwrap();
        let said = run(&bench, THROUGH, "20s");
        let checked = bench.perigee(&["check", "run.toml"]);
        match expected {
            Ok(packets) => {
                assert_eq!(said.code, Some(0), "{name}: {}", said.err);
                assert_eq!(summary(&bench)["accounting"]["received"], packets, "{name}");
                let came = read_frames(&bench.path("out.pcap"));
                assert_eq!(came.len(), packets, "{name}");
                for (frame, tag) in came.iter().zip(1..) {
                    assert_eq!(frame.get(14).copied().unwrap_or(tag), tag, "{name}: in order, with their bytes");
                }
                assert_eq!(checked.code, Some(0), "{name}: {}", checked.err);
            }
            Err(fragments) => {
                for said in [said, checked] {
                    assert_eq!(said.code, Some(1), "{name}: {}", said.err);
                    assert!(said.err.contains("run.toml:4: port \"in\": capture \"in.pcap\" "), "{name}: {}", said.err);
                    for fragment in fragments {
                        assert!(said.err.contains(fragment), "{name}: {fragment:?} is not in {}", said.err);
                    }
                }
            }
        }
    }
}

#[test]
fn a_capture_is_a_plain_file() {
    let bench = Bench::new();
    let fifo = std::process::Command::new("mkfifo").arg(bench.path("pipe")).status().expect("mkfifo is there");
    assert!(fifo.success());
    std::fs::create_dir(bench.path("folder")).unwrap();
    let cases = [
        ("pipe", "is a pipe; a capture is read twice"),
        ("folder", "is a directory"),
        ("-", "is standard input"),
        ("/dev/zero", "is a device"),
        ("no.pcap", "does not exist; DPDK takes such a path from the working directory"),
    ];
    for (path, expected) in cases {
        bench.write("run.toml", &THROUGH.replace("in.pcap", path));
        for command in ["run", "check"] {
            let said = bench.perigee(&[command, "run.toml"]);
            assert_eq!(said.code, Some(1), "{path}: {}", said.err);
            let text = format!("run.toml:4: port \"in\": capture {path:?} {expected}");
            assert!(said.err.contains(&text), "{text:?} is not in {}", said.err);
        }
    }
}

#[test]
fn surprises_of_a_capture_are_told() {
    let bench = Bench::new();
    let told = |bytes: &[u8], expected: &str| {
        std::fs::write(bench.path("in.pcap"), bytes).unwrap();
        for said in [run(&bench, THROUGH, "20s"), bench.perigee(&["check", "run.toml"])] {
            assert_eq!(said.code, Some(0), "{}", said.err);
            assert!(said.err.contains(expected), "{expected:?} is not in {:?}", said.err);
        }
    };
    let fcs = Pcap { link: 0x2400_0001, ..Pcap::default() }.file(&[frame(1, 64)]);
    told(&fcs, "says that a frame check sequence ends each packet; modules see it");
    let option = interface(1, 65_535, &[13, 0, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0]);
    told(&pcapng(&[option, packets(0, 1..=1)]), "a frame check sequence ends each packet");
    let mut cut = Pcap::default().file(&[frame(1, 64), frame(2, 64)]);
    cut[24 + 12] = 200;
    told(&cut, "has 1 of 2 packets cut short");
    told(
        &Pcap::default().file(&[frame(1, 3_000)]),
        "has packets of up to 3000 bytes, and a room takes 2112; longer ones are dropped",
    );
}

#[test]
fn packets_without_a_whole_header_have_a_name() {
    let bench = Bench::new();
    let frames: Vec<Vec<u8>> = (0..=20).map(|len| frame(7, len)).collect();
    std::fs::write(bench.path("in.pcap"), Pcap::default().file(&frames)).unwrap();
    for toml in [THROUGH.to_owned(), THROUGH.replacen("rx_pcap=in.pcap\"", "rx_pcap=in.pcap\"\nvlan_strip = true", 1)] {
        let said = run(&bench, &toml, "20s");
        assert_eq!(said.code, Some(0), "{}", said.err);
        let accounting = &summary(&bench)["accounting"];
        assert_eq!(accounting["received"], 21, "{accounting}");
        assert_eq!(accounting["dropped"], serde_json::json!({ "too_short": 14 }), "{accounting}");
        assert_eq!(read_frames(&bench.path("out.pcap")).len(), 7);
    }
}

#[test]
fn captures_that_begin_again_fit_their_pool_or_are_refused() {
    let bench = Bench::new();
    let endless = |packets: u32, len: usize, port: &str| {
        let frames: Vec<Vec<u8>> = (0..packets).map(|i| frame(i.to_le_bytes()[0], len)).collect();
        std::fs::write(bench.path("in.pcap"), Pcap::default().file(&frames)).unwrap();
        run(
            &bench,
            &THROUGH.replacen("rx_pcap=in.pcap\"", &format!("rx_pcap=in.pcap,infinite_rx=1\"\n{port}"), 1),
            "300ms",
        )
    };
    for (packets, len, port, expected) in [
        (0, 64, "", "infinite_rx has a capture without a packet"),
        (4_095, 64, "", "keeps the 4095 packets of its captures in the port's pool of 4095 rooms; `pool = 8191`"),
        (10_000, 64, "pool = 10063", "in the port's pool of 10063 rooms; `pool = 16383`"),
        (3, 3_000, "", "a packet of 3000 bytes, and a room takes"),
    ] {
        let said = endless(packets, len, port);
        assert_eq!(said.code, Some(1), "{packets} {port}: {}", said.err);
        assert!(said.err.contains(expected), "{expected:?} is not in {}", said.err);
    }
    for (packets, port) in [(1, ""), (3_900, ""), (10_000, "pool = 10128")] {
        let said = endless(packets, 64, port);
        assert_eq!(said.code, Some(0), "{packets} {port}: {}", said.err);
        let received = summary(&bench)["accounting"]["received"].as_u64().unwrap();
        assert!(received > u64::from(packets), "{packets} {port}: {received} came");
    }
}

#[test]
fn a_port_has_what_it_says() {
    let bench = Bench::new();
    for name in ["in.pcap", "b.pcap"] {
        std::fs::write(bench.path(name), Pcap::default().file(&[frame(1, 64)])).unwrap();
    }
    std::fs::hard_link(bench.path("in.pcap"), bench.path("alias.pcap")).unwrap();
    let cases = [
        (
            "rx_pcap=in.pcap",
            "rx_pcap=in.pcap,rx_pcap=b.pcap",
            "no chain reads \"b.pcap\", which is rx queue 1 of the port",
        ),
        ("rx_pcap=in.pcap", "rx_pcap=in.pcap,iface=lo", "net_pcap passes over \"in.pcap\""),
        ("rx_pcap=in.pcap", "rx_pcap=in.pcap,rx_iface=lo", "net_pcap passes over \"lo\""),
        ("rx_pcap=in.pcap", "iface=any", "interface \"any\" carries packets of all interfaces"),
        ("net_pcap0,rx_pcap=in.pcap", "net_tun0,iface=tun0", "net_tun carries IP packets without an Ethernet header"),
        ("tx_pcap=out.pcap", "tx_pcap=in.pcap", "\"in.pcap\" is what port \"in\" reads; it would be emptied"),
        ("tx_pcap=out.pcap", "tx_pcap=alias.pcap", "\"alias.pcap\" is what port \"in\" reads"),
        ("rx_pcap=in.pcap", "rx_pcap=in.pcap,tx_pcap=./out.pcap", "\"out.pcap\" is written by port \"in\" already"),
        ("tx_pcap=out.pcap", "tx_pcap=no/out.pcap", "cannot be written: No such file or directory"),
        ("tx_pcap=out.pcap", "tx_pcap=/dev/full", "tx_pcap=/dev/full cannot be written: No space left on device"),
        ("tx_pcap=out.pcap", "tx_pcap=.", "\".\" cannot be written: is a directory"),
    ];
    for (from, to, expected) in cases {
        let said = run(&bench, &THROUGH.replacen(from, to, 1), "20s");
        assert_eq!(said.code, Some(1), "{to}: {}", said.err);
        if said.err.contains("this process lacks CAP_") {
            println!("not run: {to}: {}", said.err);
            continue;
        }
        assert!(said.err.contains(expected), "{to}: {expected:?} is not in {}", said.err);
        assert_eq!(read_frames(&bench.path("in.pcap")).len(), 1, "{to}: the input is as it was");
    }
}

#[test]
fn a_start_that_is_refused_empties_no_file() {
    let bench = Bench::new();
    std::fs::write(bench.path("in.pcap"), Pcap::default().file(&[frame(1, 64)])).unwrap();
    let last = "[[port]]\nname = \"last\"\ndevice = \"net_af_packet0,iface=no-such-if\"\n";
    let cases = [
        ("a module that refuses", THROUGH.replace("good.wat", "refuses.wat")),
        ("a module that is none", THROUGH.replace("good.wat", "text.wasm")),
        ("a window too small", THROUGH.replace("good.wat", "small-window.wat")),
        ("another port", format!("{THROUGH}{last}")),
        ("a queue too many", THROUGH.replace("tx_pcap=out.pcap\"", "tx_pcap=out.pcap\"\ntx_queues_per_lcore = 2")),
    ];
    for old in [Some("precious"), None] {
        for (name, toml) in &cases {
            for file in ["out.pcap", "s.json"] {
                let _ = std::fs::remove_file(bench.path(file));
                old.into_iter().for_each(|old| bench.write(file, old));
            }
            let said = run(&bench, toml, "1s");
            assert_eq!(said.code, Some(1), "{name}: {}", said.err);
            for file in ["out.pcap", "s.json"] {
                let now = std::fs::read_to_string(bench.path(file)).unwrap_or_default();
                assert_eq!(now, old.unwrap_or_default(), "{name}: {file} is as it was");
            }
        }
    }
    // Nor does looking at a port.
    bench.write("out.pcap", "precious");
    let said = bench.perigee(&["ports", "--port", "net_pcap0,tx_pcap=out.pcap"]);
    assert_eq!((said.code, bench.read("out.pcap")), (Some(0), "precious".to_owned()), "{}", said.err);
    let said = run(&bench, THROUGH, "20s");
    assert_eq!((said.code, read_frames(&bench.path("out.pcap")).len()), (Some(0), 1), "{}", said.err);
}

/// A generator to `out`.
const MADE: &str = r#"
[[port]]
name = "out"
device = "net_pcap0,tx_pcap=small/out.pcap"
[[module]]
name = "gen"
file = "generator.wat"
grants = { create = true }
[[chain]]
name = "load"
source = { module = "gen", pool = 2047 }
tx = ["out"]
"#;

/// Runs the binary in namespaces of its own, after `before` was done there; nothing, where that cannot be had.
fn apart(bench: &Bench, before: &str, after: &str, arguments: &[&str]) -> Option<Said> {
    let script =
        format!("PATH=$PATH:/sbin:/usr/sbin; {before} || exit 99; \"$0\" \"$@\"; code=$?; {after}; exit $code");
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "--net", "sh", "-c", &script, env!("CARGO_BIN_EXE_perigee")]);
    let output = command.args(arguments).current_dir(bench.path("")).output().expect("unshare is there");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) };
    if said.code == Some(99) || said.err.contains("unshare failed") {
        println!("not run: {}", said.err);
        return None;
    }
    Some(said)
}

/// Runs a configuration where `small` is a disk of 1 MiB.
fn on_a_small_disk(bench: &Bench, toml: &str, duration: &str) -> Option<Said> {
    bench.write("run.toml", toml);
    std::fs::create_dir_all(bench.path("small")).expect("a directory of its own");
    let arguments = ["run", "run.toml", "--quiet", "--json", "s.json", "--duration", duration];
    apart(bench, "mount -t tmpfs -o size=1M none small", "cp small/out.pcap got.pcap", &arguments)
}

#[test]
fn interfaces_without_ethernet_are_refused_whatever_the_driver() {
    let bench = Bench::new();
    let devices = [
        "net_af_packet0,iface=tun0",
        "net_af_xdp0,iface=tun0",
        "net_pcap0,iface=tun0",
        "net_pcap0,rx_iface=tun0",
        "net_pcap0,tx_iface=tun0",
    ];
    for device in devices {
        bench.write("run.toml", &THROUGH.replace("net_pcap0,rx_pcap=in.pcap", device));
        let tun = "ip tuntap add tun0 mode tun && ip link set tun0 up";
        for command in ["check", "run"] {
            let Some(said) = apart(&bench, tun, "true", &[command, "run.toml"]) else { return };
            let told = "interface \"tun0\" carries packets without a link header, as a TUN does (hardware type 65534)";
            assert_eq!(said.code, Some(1), "{device}: {}", said.err);
            // In a user namespace there is no AF_XDP, whatever the interface carries.
            let no_xdp = device.starts_with("net_af_xdp") && said.err.contains("this process lacks root's rights");
            assert!(no_xdp || said.err.contains(told), "{device}: {}", said.err);
            if no_xdp {
                continue;
            }
            let tap = tun.replace("mode tun", "mode tap");
            let said = apart(&bench, &tap, "true", &["check", "run.toml"]).unwrap();
            assert_eq!(said.code, Some(0), "a TAP has Ethernet: {}", said.err);
        }
    }
}

#[test]
fn what_a_full_disk_does_not_take_is_not_sent() {
    let bench = Bench::new();
    let Some(said) = on_a_small_disk(&bench, MADE, "1200ms") else { return };
    assert_eq!(said.code, Some(2), "{}", said.err);
    let there = read_frames(&bench.path("got.pcap")).len() as u64;
    assert!(there > 1_000, "{there} packets fit the disk");
    let told = "packets that were sent, ";
    assert!(said.err.contains(told) && said.err.contains("small/out.pcap (No space left on device"), "{}", said.err);
    assert!(said.err.contains("bytes that were sent are not in its file"), "told while it runs: {}", said.err);
    let summary = summary(&bench);
    let (port, accounting) = (&summary["ports"][0], &summary["accounting"]);
    assert_eq!((&port["tx_packets"], &accounting["sent"]), (&there.into(), &there.into()), "{port}");
    assert_eq!(
        (&port["unwritten"], &port["tx_errors"]),
        (&accounting["dropped"]["unwritten"], &port["unwritten"]),
        "{port}"
    );
    assert_eq!(accounting["balanced"], true, "{accounting}");
}

#[test]
fn what_a_disk_takes_is_in_the_file() {
    let bench = Bench::new();
    let Some(said) = on_a_small_disk(&bench, &MADE.replace("generator.wat", "finishes.wat"), "20s") else { return };
    assert_eq!(said.code, Some(0), "{}", said.err);
    let there = read_frames(&bench.path("got.pcap")).len() as u64;
    let summary = summary(&bench);
    assert_eq!((&summary["ports"][0]["tx_packets"], &summary["losses"]), (&there.into(), &Value::Array(Vec::new())));
}

#[test]
fn a_summary_that_cannot_be_written_is_told_all_the_same() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.path("small")).unwrap();
    bench.write("run.toml", &MADE.replace("net_pcap0,tx_pcap=small/out.pcap", "net_null0"));
    let arguments = ["run", "run.toml", "--json", "small/s.json", "--duration", "200ms"];
    let full = "mount -t tmpfs -o size=64k none small && ! dd if=/dev/zero of=small/ballast 2>dd.txt";
    let Some(said) = apart(&bench, full, "true", &arguments) else { return };
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("cannot write small/s.json"), "{}", said.err);
    assert!(said.out.contains("accounting: received 0"), "{}", said.out);
}

#[test]
fn what_nobody_looks_at_is_said_to_be_believed() {
    let bench = Bench::new();
    let toml = MADE.replace("small/out.pcap", "/dev/null").replace("generator.wat", "finishes.wat");
    bench.write("run.toml", &toml);
    let said = bench.perigee(&["run", "run.toml", "--duration", "20s"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("handed to a pipe or device, which may not have taken them"), "{}", said.out);
}

#[test]
fn a_generator_that_has_finished_ends_its_run() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.path("small")).unwrap();
    let toml = MADE.replace("generator.wat", "finishes.wat");
    bench.write("run.toml", &toml);
    let said = bench.perigee(&["run", "run.toml", "--json", "s.json", "--duration", "60s"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("Stopped: its sources have ended."), "{}", said.out);
    let summary = summary(&bench);
    assert!(summary["accounting"]["created"].as_u64().unwrap() > 0, "{}", summary["accounting"]);
    assert!(summary["elapsed_ns"].as_u64().unwrap() < 10_000_000_000, "{}", summary["elapsed_ns"]);
}

#[test]
fn what_is_left_in_a_ring_port_is_told() {
    let bench = Bench::new();
    let toml = MADE.replace("net_pcap0,tx_pcap=small/out.pcap", "net_ring0").replace("generator.wat", "finishes.wat");
    bench.write("run.toml", &toml);
    let said = bench.perigee(&["run", "run.toml", "--json", "s.json", "--duration", "20s"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let summary = summary(&bench);
    assert_eq!(summary["ports"][0]["discarded"], summary["accounting"]["sent"], "{}", summary["ports"][0]);
    assert!(said.out.contains("packets that were sent to it waited in it at the end"), "{}", said.out);
}
