//! `[[capture]]`: files of a run's own, from its first packet to its last, written by a process that can do nothing else.

use crate::capture_lab::{let_go, numbered, numbers, packets, printed};
use crate::ctl_lab::Process;
use crate::modules::Bench;
use std::fs;
use std::path::PathBuf;

const N: u64 = 2_000;

fn config(more: &str) -> String {
    format!("{}{more}", numbered(N, 100, "100kpps", "stages = [\"pass\", \"end\"]"))
}

/// The processes that a run has started, by their command lines.
fn writers(run: &Process<'_>) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", run.pid())).expect("its children");
    let is_writer = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("capture-writer")
    };
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).filter(is_writer).collect()
}

#[test]
fn a_run_writes_its_own_captures_to_the_last_packet() {
    let bench = Bench::new();
    let more = r#"
[[capture]]
at = ["fwd:rx", "fwd:drops"]
file = "own/all.pcapng"
rotate_count = 1000
[[capture]]
at = ["gen:tx"]
file = "few.pcap"
format = "pcap"
filter = "udp[8:4] < 10"
snaplen = 60
memory = "1MiB"
"#;
    let run = Process::start(&bench, &config(more), &[]);
    let pids = writers(&run);
    assert_eq!(pids.len(), 2, "each has a process");
    for pid in &pids {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
        let of = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).expect(key).trim().to_owned();
        assert_eq!(
            (of("Seccomp:"), of("NoNewPrivs:"), of("CapEff:")),
            ("2".into(), "1".into(), "0000000000000000".into())
        );
    }
    let_go(&run, N);
    let (summary, _) = run.stop();
    assert_eq!(summary["accounting"]["balanced"], true);
    // Where root becomes somebody else, files are that one's: below a folder that belongs to root.
    let is_there = |name: &str| Some(bench.path(name)).filter(|path| path.exists());
    let few = is_there("few.pcap").or_else(|| is_there("uid-65534/few.pcap")).expect("the other file");
    let files: Vec<PathBuf> = (1..=4).map(|number| bench.path(&format!("own/all-0000{number}.pcapng"))).collect();
    let found = packets(&files);
    let all: Vec<u32> = (0..2_000).collect();
    assert_eq!((numbers(&found["fwd:rx"]), numbers(&found["fwd:drops"])), (all.clone(), all));
    assert!(found["fwd:drops"].iter().all(|packet| packet.comment.as_deref() == Some("dropped: verdict")));
    let told = printed("capinfos", &["-M"], &few);
    assert!(told.contains("Number of packets:   10") && told.contains("nsecpcap"), "{told}");
    assert!(pids.iter().all(|pid| !PathBuf::from(format!("/proc/{pid}")).exists()), "they end with the run");
    // What is there is not written over: one file is refused, and those that follow each other go on behind the last.
    let again = || bench.perigee(&["run", "run.toml", "--control", "off", "--duration", "100ms"]);
    let said = again();
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("few.pcap is there already"), "{}", said.err);
    // Behind four full ones a fifth was begun.
    let there = |number: u32| files[0].with_file_name(format!("all-{number:05}.pcapng"));
    let before = fs::read(there(4)).expect("the last full one");
    fs::remove_file(&few).expect("the other file");
    let said = again();
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!([5, 6, 7].map(|number| there(number).exists()), [true, true, false]);
    assert_eq!(fs::read(there(4)).expect("it"), before);
}

#[test]
fn what_is_wrong_with_an_entry_is_found_before_the_start() {
    let bench = Bench::new();
    let refused = |more: &str, told: &str| {
        bench.write("run.toml", &config(more));
        let said = bench.perigee(&["check", "run.toml"]);
        assert_eq!(said.code, Some(1), "{more}: {}{}", said.out, said.err);
        let all = said.out + &said.err;
        assert!(all.contains(told), "{more}: {all}");
    };
    refused("[[capture]]\nat = [\"fw:rx\"]\nfile = \"a\"", "unknown chain \"fw\"");
    refused("[[capture]]\nat = [\"fwd:after:ent\"]\nfile = \"a\"", "did you mean \"end\"?");
    refused("[[capture]]\nat = [\"gen:rx\"]\nfile = \"a\"", "made by its first module");
    refused("[[capture]]\nat = [\"fwd:around\"]\nfile = \"a\"", "is no point");
    refused("[[capture]]\nat = []\nfile = \"a\"", "no point is named");
    refused("[[capture]]\nat = [\"fwd:tx\"]\nfile = \"a\"\nkeep = 3", "add rotate_size");
    refused("[[capture]]\nat = [\"fwd:tx\"]\nfile = \"a\"\nfilter = \"tcp prot 5\"", "filter");
    let same = "[[capture]]\nat = [\"fwd:tx\"]\nfile = \"a\"\n";
    refused(&format!("{same}{same}"), "two captures write it");
}

#[test]
fn a_simulation_refuses_them_by_name() {
    let bench = Bench::new();
    bench.write("run.toml", &config("[[capture]]\nat = [\"fwd:tx\"]\nfile = \"a\""));
    let said = bench.perigee(&["sim", "run.toml", "--for", "1ms"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("a simulation makes no captures"), "{}", said.err);
}
