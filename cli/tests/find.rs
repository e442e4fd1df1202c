//! `perigee find`: by its indexes a search finds what a search without them finds, and what tcpdump finds.

use crate::capture_lab::{Capturing, let_go, numbered, printed};
use crate::ctl_lab::Process;
use crate::modules::Bench;
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packets that are captured.
const N: u32 = 40_000;

/// Filters of what is there, of what is not, and of what no index knows.
const FILTERS: &[&str] = &[
    "",
    "ip",
    "ip6",
    "arp",
    "not ip",
    "vlan",
    "vlan 42",
    "vlan 43 and udp port 7003",
    "vlan 42 and vlan 7 and ip6",
    "udp",
    "tcp",
    "icmp",
    "sctp",
    "host 10.3.0.7",
    "src host 10.3.0.7 and udp dst port 53",
    "host 10.200.0.1",
    "net 10.3.0.0/24",
    "net 172.16.0.0/12",
    "ip6 host 2001:db8::5",
    "ip6 host 2001:db8::ffff:1",
    "ip6 net 2001:db8::/32 and udp",
    "port 7003",
    "portrange 7000-7002",
    "tcp[tcpflags] & tcp-syn != 0",
    "ip[6:2] & 0x1fff != 0",
    "ip[6:2] & 0x2000 != 0 and host 10.5.0.9",
    "udp and not port 53",
    "host 10.1.0.3 or host 10.7.0.3",
    "ether host 02:00:00:00:00:05",
    "ether src 02:00:00:00:00:99",
    "ip6 multicast or ether broadcast",
    "greater 900",
    "less 70 and udp",
    "len % 7 = 3 and ip",
    "udp[8:2] = 0x1234",
    "arp host 10.6.0.1",
];

/// Numbers without a pattern, and the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn index(&mut self, end: u64) -> usize {
        usize::try_from(self.below(end)).expect("small")
    }
}

/// A packet of a time in which one of eight networks speaks: tagged or not, IPv4 with fragments, IPv6, ARP.
fn packet(n: u32, random: &mut Random) -> Vec<u8> {
    let network = u8::try_from(n * 8 / N).expect("a byte");
    let host = u8::try_from(random.below(20)).expect("a byte");
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, network];
    for tag in [[].as_slice(), &[40 + network], &[42, 7]][random.index(3)] {
        frame.extend([0x81, 0, 0, *tag]);
    }
    let port = (7_000 + u16::from(network)).to_be_bytes();
    let transport = match random.below(3) {
        0 => (
            6,
            [&port[..], &[0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, [0x02, 0x10][n as usize % 2], 1, 0, 0, 0, 0, 0]]
                .concat(),
        ),
        1 => (1, vec![8, 0, 0, 0, 0, 1, 0, 1]),
        _ => (17, [&port[..], &[0, [53, 99][n as usize % 2], 0, 10, 0, 0, 0x12, host]].concat()),
    };
    let (protocol, behind) = transport;
    match random.below(10) {
        0 => frame.extend(
            [&[
                8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, network, 0, host, 0, 0, 0, 0, 0, 0, 10, network, 0,
                1,
            ][..]]
            .concat(),
        ),
        1..4 => {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, u8::try_from(behind.len()).expect("short"), protocol, 64]);
            frame.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, network]);
            frame.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, host]);
            frame.extend(behind);
        }
        _ => {
            let fragment = [[0x40, 0], [0x20, 0], [0, 9], [0, 0]][random.index(4)];
            frame.extend([8, 0, 0x45, 0, 0, u8::try_from(20 + behind.len()).expect("short"), 0, 1]);
            frame.extend([fragment[0], fragment[1], 64, protocol, 0, 0, 10, network, 0, host, 10, 99, 0, 1]);
            frame.extend(behind);
        }
    }
    frame.resize(frame.len().max(60) + usize::try_from(random.below(400)).expect("few"), 0x5a);
    frame
}

/// A run plays packets of all kinds, and writes them into files that follow each other.
fn captured(bench: &Bench, more: &str) -> Vec<PathBuf> {
    let mut random = Random(7);
    let mut bytes = [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 0x4_0000, 1].map(u32::to_le_bytes).concat();
    // One packet first: it may come before the capture has begun, and all others two seconds later.
    for (n, at) in [(0, 1_000_000)].into_iter().chain((0..N).map(|n| (n, 3_000_000 + 5 * n))) {
        let frame = packet(n, &mut random);
        let len = u32::try_from(frame.len()).expect("short");
        bytes.extend([at / 1_000_000, at % 1_000_000 * 1_000, len, len].map(u32::to_le_bytes).concat());
        bytes.extend(frame);
    }
    fs::write(bench.path("in.pcap"), bytes).expect("a file");
    let config = format!(
        "[run]\ncapture_memory = \"48MiB\"\n\
         [[port]]\nname = \"in\"\ndevice = \"file:in.pcap\"\n[[port]]\nname = \"out\"\ndevice = \"net_null0,no-rx=1\"\n\
         [[module]]\nname = \"pass\"\nfile = \"good.wat\"\n\
         [[chain]]\nname = \"fwd\"\nsource = {{ port = \"in\" }}\ntx = [\"out\"]\nstages = [\"pass\"]\n\
         [[capture]]\nat = [\"fwd:rx\"]\nfile = \"own/a.pcapng\"\nmemory = \"40MiB\"\nrotate_size = \"3MB\"\n{more}"
    );
    bench.write("run.toml", &config);
    let said = bench.perigee(&["run", "run.toml", "--control", "off"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let folder = [bench.path("own/uid-65534"), bench.path("own")].into_iter().find(|folder| folder.exists());
    let mut files = captures(&folder.expect("files"));
    files.sort();
    files
}

fn captures(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).expect("a folder").filter_map(Result::ok).map(|entry| entry.path());
    all.filter(|path| path.extension().is_some_and(|end| end == "pcapng")).collect()
}

/// What a search says: its counts, and its text.
fn find(bench: &Bench, from: &[&Path], arguments: &[&str]) -> (Value, String) {
    let mut command = bench.command(&["find"]);
    let output = command.args(from).args(arguments).args(["--json", "found.json"]).env("NO_COLOR", "1").output();
    let output = output.expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    (serde_json::from_str(&bench.read("found.json")).expect("JSON"), said)
}

fn sum(found: &Value, key: &str) -> u64 {
    found["files"].as_array().expect("files").iter().map(|file| file[key].as_u64().expect("a number")).sum()
}

/// How many packets tcpdump finds in files.
fn by_tcpdump(files: &[PathBuf], filter: &str) -> u64 {
    let count = |file: &PathBuf| {
        let output =
            Command::new("tcpdump").args(["-Z", "root", "-nn", "-t", "--count", "-r"]).arg(file).arg(filter).output();
        let output = output.expect("tcpdump");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let number = text.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
        number.unwrap_or_else(|| panic!("{filter}: {text}{}", String::from_utf8_lossy(&output.stderr)))
    };
    files.iter().map(count).sum()
}

#[test]
fn a_search_by_index_finds_what_all_others_find() {
    let bench = Bench::new();
    let files = captured(&bench, "");
    assert!(files.len() >= 4, "{files:?}");
    let folder = files[0].parent().expect("a folder");
    let n = by_tcpdump(&files, "");
    assert!((u64::from(N)..=u64::from(N) + 1).contains(&n), "{n} were captured");
    let mut spared = 0;
    for filter in FILTERS {
        let arguments = if filter.is_empty() { vec![] } else { vec!["-f", *filter] };
        let (found, said) = find(&bench, &[folder], &arguments);
        let (all, _) = find(&bench, &[folder], &[&arguments[..], &["--no-index"]].concat());
        assert_eq!(found["found"], all["found"], "{filter}");
        assert_eq!(found["found"].as_u64(), Some(by_tcpdump(&files, filter)), "{filter}");
        assert_eq!(sum(&found, "packets") + sum(&found, "skipped"), n, "{filter}: {said}");
        assert_eq!((sum(&all, "packets"), sum(&all, "skipped")), (n, 0), "{filter}");
        assert!(!said.contains("no index") && sum(&all, "read") == sum(&all, "bytes"), "{said}");
        spared += usize::from(sum(&found, "read") < sum(&found, "bytes") / 2);
    }
    assert!(spared >= 12, "of {} filters only {spared} spare half of the files", FILTERS.len());
    // And these are the packets: what is written has their bytes and times, their interface among them.
    let filter = "src host 10.3.0.7 and udp dst port 53";
    let (found, _) = find(&bench, &[folder], &["-f", filter, "-w", "out.pcapng"]);
    let whole = |path: &Path, filter: &str| {
        let output =
            Command::new("tcpdump").args(["-Z", "root", "--nano", "-w", "-", "-r"]).arg(path).arg(filter).output();
        fs::write(bench.path("theirs.pcap"), output.expect("tcpdump").stdout).expect("a file");
        let fields = ["-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.md5_hash"];
        let hashes = ["-o", "frame.generate_md5_hash:TRUE", "-r"];
        printed("tshark", &[&fields[..], &hashes].concat(), &bench.path("theirs.pcap"))
    };
    let theirs: String = files.iter().map(|file| whole(file, filter)).collect();
    assert_eq!(whole(&bench.path("out.pcapng"), ""), theirs);
    assert!(found["found"].as_u64().is_some_and(|found| found > 0), "{found}");
    let names = printed("tshark", &["-T", "fields", "-e", "frame.interface_name", "-r"], &bench.path("out.pcapng"));
    assert!(names.lines().all(|name| name == "fwd:rx") && !names.is_empty(), "{names}");
}

#[test]
fn what_is_known_of_times_spares_files() {
    let bench = Bench::new();
    let files = captured(&bench, "");
    let folder = files[0].parent().expect("a folder");
    let times = printed("tshark", &["-T", "fields", "-e", "frame.time_epoch", "-r"], &files[1]);
    let times: Vec<&str> = times.lines().collect();
    let (from, until) = (times[0], times[times.len() - 1]);
    let (found, said) = find(&bench, &[folder], &["--since", from, "--until", until]);
    // Neighbours may have packets of the very same nanosecond.
    let expected = times.len() as u64;
    assert!((expected..expected + 64).contains(&found["found"].as_u64().expect("a number")), "{said}");
    assert!(sum(&found, "read") < sum(&found, "bytes") * 2 / 3, "{said}");
    let (found, _) = find(&bench, &[folder], &["--since", "2001-01-01 00:00", "--until", "2001-01-01T10:00:00Z"]);
    assert_eq!((&found["found"], sum(&found, "packets")), (&0.into(), 0));
    let (found, _) = find(&bench, &[folder], &["--since", "10min"]);
    assert_eq!(found["found"], by_tcpdump(&files, ""));
}

#[test]
fn an_index_that_does_not_fit_is_told_and_not_used() {
    let bench = Bench::new();
    let files = captured(&bench, "");
    let folder = files[0].parent().expect("a folder");
    let index = |file: &Path| PathBuf::from(format!("{}.index", file.display()));
    let (whole, _) = find(&bench, &[folder], &["-f", "host 10.3.0.7"]);
    // One is missing, one is cut, one is of a file that was touched since.
    fs::remove_file(index(&files[0])).expect("an index");
    let cut = File::options().write(true).open(index(&files[1])).expect("an index");
    cut.set_len(cut.metadata().expect("it").len() / 2).expect("cut");
    let touched = File::options().append(true).open(&files[2]).expect("a file");
    touched.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(1)).expect("a time");
    let (found, said) = find(&bench, &[folder], &["-f", "host 10.3.0.7"]);
    assert_eq!(found["found"], whole["found"], "{said}");
    assert!(said.contains("1 of the files have no index"), "{said}");
    assert!(said.contains("has an index that is damaged") && said.contains("copied without its time"), "{said}");
    // The last file of a writer that was killed: it has no index, and ends within a packet.
    let last = files.last().expect("files");
    fs::remove_file(index(last)).expect("an index");
    let whole = by_tcpdump(std::slice::from_ref(last), "");
    let file = File::options().write(true).open(last).expect("a file");
    // The statistics at the end have some 150 bytes.
    file.set_len(file.metadata().expect("it").len() - 300).expect("cut");
    let (found, said) = find(&bench, &[last], &[]);
    assert!(said.contains("ends within a packet"), "{said}");
    let n = found["found"].as_u64().expect("a number");
    assert!(n < whole && n + 5 > whole, "{n} of {whole}");
    // What is no capture is told, and the others are searched all the same.
    bench.write("own/no.pcap", "nothing of the kind");
    let output = bench.command(&["find"]).args([&bench.path("own/no.pcap"), last]).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("neither a pcap nor a pcapng") && said.contains(&format!("{n} packets found")), "{said}");
}

#[test]
fn indexes_go_with_their_files_and_numbers_go_on() {
    let bench = Bench::new();
    const N: u64 = 2_500;
    let names = |bench: &Bench| {
        let all = fs::read_dir(bench.path("")).expect("a folder").filter_map(Result::ok).map(|entry| entry.file_name());
        let mut all: Vec<_> =
            all.filter_map(|name| name.into_string().ok()).filter(|name| name.contains("a-")).collect();
        all.sort();
        all
    };
    for first in [5, 12] {
        let run = Process::start(&bench, &numbered(N, 100, "100kpps", "stages = [\"pass\"]"), &[]);
        let rotation = ["--at", "fwd:tx", "-w", "a.pcapng", "--rotate-count", "400", "--keep", "3"];
        let capture = Capturing::start(&bench, &rotation);
        let_go(&run, N);
        let captured = capture.stop().well();
        let files: Vec<String> = (first..first + 3).map(|number| format!("a-{number:05}.pcapng")).collect();
        assert_eq!(captured.counts["files"], serde_json::json!(files));
        let both = files.iter().flat_map(|file| [file.clone(), format!("{file}.index")]);
        assert!(both.clone().all(|name| names(&bench).contains(&name)), "{:?}", names(&bench));
        run.stop();
    }
    // Those of the first capture are not this one's, and stay.
    assert_eq!(names(&bench).len(), 12, "{:?}", names(&bench));
}
