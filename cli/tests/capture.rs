//! `perigee capture`: what is in its files is what has passed, and what is not is counted.

use crate::capture_lab::{Capturing, let_go, numbered, numbers, packets, printed};
use crate::ctl_lab::Process;
use crate::modules::Bench;
use std::path::Path;

const N: u64 = 3_000;

fn all() -> Vec<u32> {
    (0..u32::try_from(N).expect("few")).collect()
}

#[test]
fn each_packet_is_there_once_at_each_point_for_each_reader() {
    let bench = Bench::new();
    let run = Process::start(&bench, &numbered(N, 100, "200kpps", "stages = [\"pass\"]"), &[]);
    let points = ["gen:tx", "fwd:rx", "fwd:before:pass", "fwd:after:0", "fwd:tx", "port:loop", "port:sink:tx"];
    let at: Vec<&str> = points.iter().flat_map(|point| ["--at", point]).collect();
    let capture = Capturing::start(&bench, &[&at[..], &["-w", "all.pcapng"]].concat());
    let_go(&run, N);
    let captured = capture.stop().well();
    let file = bench.path("all.pcapng");
    let found = packets(std::slice::from_ref(&file));
    let names = [
        "gen:tx",
        "fwd:rx",
        "fwd:before:pass",
        "fwd:after:0",
        "fwd:tx",
        "port:loop:rx",
        "port:loop:tx",
        "port:sink:tx",
    ];
    assert_eq!(found.len(), names.len(), "{:?}", found.keys());
    for name in names {
        assert_eq!(numbers(&found[name]), all(), "{name}");
        assert!(found[name].is_sorted_by_key(|packet| packet.ns), "{name}");
        assert!(
            found[name]
                .iter()
                .all(|packet| packet.original == 100 && packet.captured == 100 && packet.comment.is_none())
        );
        assert_eq!((captured.of(name, "seen"), captured.of(name, "written")), (N, N));
    }
    let sent = |number: usize| (found["gen:tx"][number].ns, found["fwd:rx"][number].ns, found["fwd:tx"][number].ns);
    assert!((0..all().len()).map(sent).all(|(left, came, gone)| left <= came && came <= gone), "times go on");
    let count = u64::try_from(names.len()).expect("few") * N;
    read_by_others(&file, count);
    let (summary, _) = run.stop();
    assert_eq!(summary["accounting"]["balanced"], true);
}

/// Wireshark's tools, tcpdump and scapy find as many.
fn read_by_others(file: &Path, count: u64) {
    let lines = printed("tshark", &["-T", "fields", "-e", "frame.interface_name", "-r"], file);
    assert_eq!(lines.lines().count() as u64, count);
    assert_eq!(lines.lines().filter(|line| *line == "fwd:after:0").count() as u64, N);
    let told = printed("capinfos", &["-M"], file);
    let number = |key: &str| told.lines().filter_map(|line| line.trim().strip_prefix(key)).next().map(str::trim);
    assert_eq!(number("Number of packets:"), Some(count.to_string().as_str()), "{told}");
    assert_eq!(number("File timestamp precision:"), Some("nanoseconds (9)"), "{told}");
    assert!(told.contains("Number of stat entries = 1"), "{told}");
    assert_eq!(printed("tcpdump", &["-nn", "-t", "-r"], file).lines().count() as u64, count);
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/venv/bin/python3");
    let script = "import sys; from scapy.utils import rdpcap; print(len(rdpcap(sys.argv[1])))";
    assert_eq!(printed(python, &["-c", script], file).trim(), count.to_string());
}

#[test]
fn drops_are_captured_with_their_causes() {
    let bench = Bench::new();
    // Every other packet does not pass the filter, the others are dropped by the second module.
    let fwd = "filter = \"udp[11] & 1 = 0\"\nstages = [\"pass\", \"end\"]";
    let run = Process::start(&bench, &numbered(N, 60, "200kpps", fwd), &[]);
    let capture = Capturing::start(&bench, &["--at", "fwd:drops", "--at", "fwd:rx", "-w", "drops.pcapng"]);
    let_go(&run, N);
    let captured = capture.stop().well();
    let found = packets(&[bench.path("drops.pcapng")]);
    let by = |cause: &str| {
        let comment = format!("dropped: {cause}");
        let packets = found["fwd:drops"].iter().filter(|packet| packet.comment.as_deref() == Some(&comment));
        packets.map(|packet| packet.number).collect::<Vec<_>>()
    };
    assert_eq!(by("filtered"), all().into_iter().filter(|number| number % 2 == 1).collect::<Vec<_>>());
    assert_eq!(by("verdict"), all().into_iter().filter(|number| number % 2 == 0).collect::<Vec<_>>());
    assert_eq!(numbers(&found["fwd:rx"]), by("verdict"), "behind the filter");
    assert_eq!((captured.of("fwd:drops", "seen"), captured.of("fwd:rx", "seen")), (N, N / 2));
    let shown = printed(
        "tshark",
        &["-T", "fields", "-e", "frame.comment", "-Y", "frame.comment contains \"filtered\"", "-r"],
        &bench.path("drops.pcapng"),
    );
    assert_eq!(shown.lines().filter(|line| *line == "dropped: filtered").count() as u64, N / 2, "{shown}");
    let (summary, _) = run.stop();
    let dropped = &summary["accounting"]["dropped"];
    assert_eq!((dropped["filtered"].as_u64(), dropped["verdict"].as_u64()), (Some(N / 2), Some(N / 2)), "{dropped}");
}

#[test]
fn packets_are_cut_and_chosen_as_asked() {
    let bench = Bench::new();
    let run = Process::start(&bench, &numbered(N, 600, "200kpps", "stages = [\"pass\"]"), &[]);
    let arguments =
        ["--at", "fwd:tx", "-w", "few.pcapng", "-f", "udp[8:4] < 100 or udp[8:4] >= 2900", "--snaplen", "64"];
    let capture = Capturing::start(&bench, &arguments);
    let_go(&run, N);
    let captured = capture.stop().well();
    let found = packets(&[bench.path("few.pcapng")]);
    let wanted: Vec<u32> = (0..100).chain(2_900..3_000).collect();
    assert_eq!(numbers(&found["fwd:tx"]), wanted);
    assert!(found["fwd:tx"].iter().all(|packet| (packet.original, packet.captured) == (600, 64)));
    let counts = ["seen", "filter", "written"].map(|key| captured.of("fwd:tx", key));
    assert_eq!(counts, [N, N - 200, 200]);
    run.stop();
}

#[test]
fn old_files_and_the_first_packets_only() {
    let bench = Bench::new();
    let run = Process::start(&bench, &numbered(N, 60, "200kpps", "stages = [\"pass\"]"), &[]);
    let capture = Capturing::start(&bench, &["--at", "fwd:rx", "-w", "x.pcap", "--format", "pcap", "--count", "10"]);
    let_go(&run, N);
    let captured = capture.end().well();
    assert_eq!(captured.of("fwd:rx", "written"), 10);
    let told = printed("capinfos", &["-M"], &bench.path("x.pcap"));
    assert!(told.contains("nsecpcap") && told.contains("Number of packets:   10"), "{told}");
    run.stop();
}

#[test]
fn what_is_wrong_is_said_with_its_cure() {
    let bench = Bench::new();
    let run = Process::start(&bench, &numbered(1, 60, "1kpps", "stages = [\"pass\", \"pass\"]"), &[]);
    bench.write("there.pcapng", "mine");
    let refused = |arguments: &[&str]| {
        let mut command = bench.command(&["capture"]);
        let output = command.args(arguments).env("XDG_RUNTIME_DIR", bench.path("runtime")).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        said
    };
    for (at, told) in [
        ("fwd", "is no point: write CHAIN:rx"),
        ("fw:rx", "there is no chain \"fw\" (there are: gen, fwd)"),
        ("fwd:after:pass", "say which by its number"),
        ("fwd:after:pas", "did you mean \"pass\""),
        ("gen:rx", "made by its first module"),
        ("gen:before:0", "there are none before it"),
        ("port:lop", "did you mean \"loop\""),
        ("port:sink:rx", "in this direction"),
    ] {
        let said = refused(&["--at", at, "-w", "x.pcapng"]);
        assert!(said.contains(told), "{at}: {said}");
    }
    assert!(refused(&["--at", "fwd:rx", "--at", "fwd:rx", "-w", "x"]).contains("asked for twice"));
    assert!(refused(&["--at", "fwd:rx", "-w", "there.pcapng"]).contains("--overwrite"));
    assert!(refused(&["--at", "fwd:rx", "-w", "x", "-f", "tcp prot 5"]).contains("filter \"tcp prot 5\": "));
    assert!(refused(&["--at", "fwd:rx", "-w", "x", "--memory", "1GiB"]).contains("[run] capture_memory"));
    assert!(refused(&["--at", "fwd:rx", "-w", "x", "--memory", "1000"]).contains("are too few"));
    assert!(refused(&["--at", "fwd:rx", "-w", "-", "--rotate-count", "5"]).contains("a stream is not rotated"));
    assert_eq!(bench.read("there.pcapng"), "mine");
    assert!(!bench.path("x.pcapng").exists() || bench.path("x.pcapng").metadata().expect("it").len() == 0);
    run.stop();
}

#[test]
fn wireshark_lists_the_points_and_captures_at_them() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let run = Process::start(&bench, &numbered(N, 100, "20kpps", "stages = [\"pass\"]"), &[]);
    let folder = bench.path("extcap");
    std::fs::create_dir(&folder).expect("a folder");
    let wrapper = folder.join("perigee");
    std::fs::write(&wrapper, format!("#!/bin/sh\nexec {} capture \"$@\"\n", env!("CARGO_BIN_EXE_perigee")))
        .expect("a script");
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    // For root Wireshark 4.0 looks into no folder of the user's: it is run as nobody in particular, whose rights are root's all the same.
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("itself")) == 0;
    let tshark = |arguments: &[&str]| {
        let mut command = std::process::Command::new(if is_root { "unshare" } else { "tshark" });
        if is_root {
            command.args(["--user", "tshark"]);
        }
        command.args(arguments).env("WIRESHARK_EXTCAP_DIR", &folder).env("LC_ALL", "C");
        command.env("XDG_RUNTIME_DIR", bench.path("runtime"));
        command
    };
    let listed = tshark(&["-D"]).output().expect("tshark");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    for point in ["gen:tx", "gen:after:gen", "fwd:after:pass", "fwd:drops", "port:loop"] {
        assert!(listed.contains(&format!("perigee/run/{point} (Perigee run: {point})")), "{point}: {listed}");
    }
    let seen =
        tshark(&["-i", "perigee/run/fwd:tx", "-f", "udp[8:4] >= 100", "-c", "50", "-T", "fields", "-e", "data.data"]);
    let mut seen =
        { seen }.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().expect("tshark");
    let begun = std::time::Instant::now();
    while !run.ctl_get("/v1/captures").contains("fwd:tx") {
        assert!(begun.elapsed().as_secs() < 30, "Wireshark does not begin");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    run.ctl(&["stream", "resume", "s"]);
    let mut text = String::new();
    std::io::Read::read_to_string(seen.stdout.as_mut().expect("its output"), &mut text).expect("text");
    assert!(seen.wait().expect("tshark").success());
    let numbers: Vec<u32> = text.lines().map(|line| u32::from_str_radix(&line[..8], 16).expect("a number")).collect();
    assert_eq!(numbers, (100..150).collect::<Vec<_>>());
    run.stop();
}

#[test]
fn whatever_wireshark_is_told_or_asks_there_is_an_answer() {
    let bench = Bench::new();
    // What would end a value of the protocol, and what a terminal would obey, in names that a configuration may have.
    let config = numbered(N, 100, "20kpps", "stages = [\"pass\"]")
        .replace("name = \"fwd\"", "name = \"f}{x=\\u001b[31m\"")
        .replace("name = \"pass\"", "name = \"pa\\\"s,s\"")
        .replace("stages = [\"pass\"]", "stages = [\"pa\\\"s,s\"]");
    let run = Process::start(&bench, &config, &[]);
    let ask = |arguments: &[&str]| {
        let mut command = bench.command(&[]);
        command.arg("capture").args(arguments).env("XDG_RUNTIME_DIR", bench.path("runtime")).env("NO_COLOR", "1");
        let output = command.output().expect("the binary starts");
        let code = output.status.code();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(code, Some(0..=2)) && !said.contains("panicked"), "{arguments:?}: {code:?} {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let listed = ask(&["--extcap-interfaces"]);
    for line in listed.lines() {
        let whole = line.strip_suffix('}').and_then(|line| line.split_once(" {")).map(|(_, values)| values.split("}{"));
        let values: Vec<_> = whole.expect("a sentence of the protocol").collect();
        assert!(values.iter().all(|value| value.contains('=') && !value.contains(['{', '}', '\u{1b}'])), "{line:?}");
    }
    assert!(listed.contains("perigee/run/port:loop") && !listed.contains("f}{x"), "{listed}");
    let known = [
        "--extcap-interfaces",
        "--extcap-version=4.0",
        "--extcap-interface",
        "perigee/run/port:loop",
        "--extcap-dlts",
        "--extcap-config",
        "--capture",
        "--fifo",
        "--extcap-capture-filter",
        "tcp port 80",
        "perigee/run/",
        "perigee//",
        "perigee/../x",
        "",
        "-",
        "--",
        "a\u{1b}b",
        "\u{202e}",
        "--at",
        "}{",
        "--snaplen=-1",
        "--memory=99999999999999999999EiB",
    ];
    let mut state = 1_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    for _ in 0..150 {
        let arguments: Vec<&str> = (0..=next(5)).map(|_| known[next(known.len())]).collect();
        // One that captures into a FIFO goes on until somebody ends it.
        if !arguments.contains(&"--capture") || !arguments.contains(&"--fifo") {
            ask(&arguments);
        }
    }
    let (summary, _) = run.stop();
    assert_eq!(summary["accounting"]["balanced"], true);
}
