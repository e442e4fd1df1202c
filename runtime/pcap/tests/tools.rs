//! Files as Wireshark's tools make them: each record is where tshark sees it, to the nanosecond. Where the tools are not there, there
//! is nothing to compare.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use perigee_pcap::file::Reader;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A record: nanoseconds, bytes that were captured, and bytes that there were.
type Seen = (i128, usize, u32);

/// Runs a tool; `None` where it is not there.
fn run(tool: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(tool).args(arguments).output().ok()?;
    assert!(output.status.success(), "{tool} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

fn ours(path: &Path) -> Vec<Seen> {
    let file = File::open(path).unwrap();
    let len = file.metadata().unwrap().len();
    let mut reader = Reader::new(BufReader::new(file), len, "f").unwrap();
    let mut seen = Vec::new();
    while let Some(record) = reader.next_record().unwrap_or_else(|fault| panic!("{}: {fault:?}", path.display())) {
        seen.push((record.time.unwrap(), record.bytes.len(), record.original));
    }
    assert_eq!(reader.cut(), None);
    seen
}

fn tsharks(path: &Path) -> Option<Vec<Seen>> {
    let fields = ["-e", "frame.time_epoch", "-e", "frame.cap_len", "-e", "frame.len"];
    let told = run("tshark", &[&["-n", "-r", path.to_str().unwrap(), "-T", "fields"][..], &fields].concat())?;
    let seen = |line: &str| {
        let mut fields = line.split('\t');
        let (sec, ns) = fields.next().unwrap().split_once('.').unwrap();
        let time = sec.parse::<i128>().unwrap() * 1_000_000_000 + format!("{ns:0<9}").parse::<i128>().unwrap();
        (time, fields.next().unwrap().parse().unwrap(), fields.next().unwrap().parse().unwrap())
    };
    Some(told.lines().map(seen).collect())
}

#[test]
fn what_the_tools_write_is_read_as_tshark_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pcap/in.pcap");
    let source = source.to_str().unwrap();
    let (ns, short, merged) = (at("ns.pcapng"), at("short.pcap"), at("merged.pcapng"));
    let shifted = ["-F", "pcapng", "-t", "0.000000123", source, &text(&ns)];
    if run("editcap", &shifted).is_none() {
        eprintln!("editcap is not there");
        return;
    }
    let mut made = vec![ns.clone()];
    for format in ["pcap", "nsecpcap", "modpcap", "pcapng"] {
        let path = at(&format!("as.{format}"));
        run("editcap", &["-F", format, &text(&ns), &text(&path)]).unwrap();
        made.push(path);
    }
    run("editcap", &["-F", "nsecpcap", "-s", "50", &text(&ns), &text(&short)]).unwrap();
    made.push(short.clone());
    // Interfaces whose snap lengths and resolutions differ: libpcap refuses what comes out.
    run("mergecap", &["-F", "pcapng", "-w", &text(&merged), &text(&ns), &text(&short), source]).unwrap();
    made.push(merged.clone());
    let filtered = at("filtered.pcapng");
    run("tshark", &["-n", "-r", &text(&merged), "-Y", "ip", "-w", &text(&filtered)]).unwrap();
    made.push(filtered);
    for path in made {
        let expected = tsharks(&path).unwrap();
        assert!(expected.len() >= 6, "{}", path.display());
        assert_eq!(ours(&path), expected, "{}", path.display());
    }
}
