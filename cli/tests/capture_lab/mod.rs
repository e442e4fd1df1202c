//! Runs whose packets are numbered, and captures of them.

use super::ctl_lab::Process;
use super::modules::Bench;
use pcap_file::pcapng::{Block, PcapNgReader};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Numbers the files of a test process's captures.
static CAPTURES: AtomicUsize = AtomicUsize::new(0);

/// Longest time that anything here may take.
const LIMIT: Duration = Duration::from_secs(40);
/// Where in a packet its number is: behind the UDP header.
const NUMBER: usize = 42;

/// Packets numbered from 0 on, of that length, which go through a ring, a filter or none, and stages: all are made when the stream goes
/// on. `fwd` is what is said of the second chain, beside its source and port.
pub(crate) fn numbered(count: u64, len: u16, rate: &str, fwd: &str) -> String {
    let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/modules");
    let udp = len - 34;
    let ip = len - 14;
    format!(
        r#"
[run]
capture_memory = "32MiB"
[[port]]
name = "loop"
device = "net_ring0"
[[port]]
name = "sink"
device = "net_null0,no-rx=1"
[[module]]
name = "gen"
file = "{modules}/stream-gen.wasm"
grants = {{ hostcalls = ["log", "counter"] }}
[module.config]
packet = """020000000002 020000000001 0800 45 00 {ip:04x} 0000 0000 40 11 0000 0a000001 0a010001 0400 0009 {udp:04x} 0000 00000000"""
sizes = {{ values = [{len}] }}
checksums = "none"
vary = [{{ offset = {NUMBER}, bits = 32, draw = "counter", from = 0, to = 4294967295 }}]
[[module]]
name = "pass"
file = "good.wat"
[[module]]
name = "end"
file = "{modules}/counter.wasm"
grants = {{ hostcalls = ["log", "counter"] }}
config = {{ then = "drop" }}
[[chain]]
name = "gen"
source = {{ module = "gen" }}
tx = ["loop"]
when_full = "wait"
[[chain]]
name = "fwd"
source = {{ port = "loop" }}
tx = ["sink"]
when_full = "wait"
{fwd}
[[stream]]
name = "s"
chain = "gen"
rate = "{rate}"
count = {count}
paused = true
"#
    )
}

/// Lets the packets of [`numbered`] go, and waits until all have come to the end of the second chain.
pub(crate) fn let_go(run: &Process<'_>, count: u64) {
    run.ctl(&["stream", "resume", "s"]);
    let begun = Instant::now();
    loop {
        let stats: Value = serde_json::from_str(&run.ctl(&["stats", "--json"])).expect("JSON");
        let chain = stats["chains"].as_array().expect("chains").iter().find(|chain| chain["name"] == "fwd");
        let chain = chain.expect("the chain");
        let dropped: u64 = chain["dropped"].as_object().expect("drops").values().filter_map(Value::as_u64).sum();
        if chain["sent"].as_u64().expect("a number") + dropped >= count {
            return;
        }
        assert!(begun.elapsed() < LIMIT, "packets do not come through: {chain}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A `perigee capture` under way; killed where a test fails before its end.
pub(crate) struct Capturing {
    child: Option<Child>,
    log: PathBuf,
    counts: PathBuf,
}

/// How a capture has ended.
pub(crate) struct Captured {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
    /// Its counts, where it has written any.
    pub(crate) counts: Value,
}

impl Capturing {
    /// Starts one, and waits until it captures.
    pub(crate) fn start(bench: &Bench, arguments: &[&str]) -> Self {
        Self::start_by(bench, bench.command(&[]), arguments)
    }

    /// The same by a command that leads to the binary.
    pub(crate) fn start_by(bench: &Bench, mut command: Command, arguments: &[&str]) -> Self {
        let number = CAPTURES.fetch_add(1, Ordering::Relaxed);
        let (log, counts) = (bench.path(&format!("capture{number}.log")), bench.path(&format!("counts{number}.json")));
        command.arg("capture").args(arguments).arg("--json").arg(&counts).env("NO_COLOR", "1");
        command.env("XDG_RUNTIME_DIR", bench.path("runtime")).stdin(Stdio::null());
        command.stderr(File::create(&log).expect("a file"));
        let mut this = Self { child: Some(command.spawn().expect("the binary starts")), log, counts };
        let begun = Instant::now();
        while !this.said().contains("capturing ") {
            assert!(this.is_running() && begun.elapsed() < LIMIT, "it does not capture: {}", this.said());
            std::thread::sleep(Duration::from_millis(5));
        }
        this
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().expect("kill").success());
    }

    /// Ends it as a person does.
    pub(crate) fn stop(self) -> Captured {
        self.signal("INT");
        self.end()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Captured {
        let begun = Instant::now();
        while self.is_running() {
            assert!(begun.elapsed() < LIMIT, "it does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
        let code = self.child.take().expect("it ran").wait().expect("a child").code();
        let counts = fs::read_to_string(&self.counts).unwrap_or_default();
        Captured { code, said: self.said(), counts: serde_json::from_str(&counts).unwrap_or_default() }
    }
}

impl Drop for Capturing {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Captured {
    /// It must have ended well.
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.said);
        assert_eq!((&self.counts["balanced"], &self.counts["complete"]), (&true.into(), &true.into()), "{}", self.said);
        self
    }

    /// A count of one point.
    pub(crate) fn of(&self, point: &str, key: &str) -> u64 {
        let points = self.counts["points"].as_array().expect("points");
        let point = points.iter().find(|found| found["name"] == point).unwrap_or_else(|| panic!("{point}: {points:?}"));
        assert_eq!(
            point["seen"].as_u64(),
            ["filter", "ring", "writer", "surplus", "written"].map(|key| point[key].as_u64()).into_iter().sum(),
            "what has passed is all accounted for: {point}"
        );
        point[key].as_u64().unwrap_or_else(|| panic!("{key}: {point}"))
    }
}

/// A packet of a file.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) number: u32,
    pub(crate) ns: u128,
    pub(crate) original: u32,
    pub(crate) captured: usize,
    pub(crate) comment: Option<String>,
}

/// The packets of pcapng files by interface; the names of all interfaces have an entry.
pub(crate) fn packets(files: &[PathBuf]) -> BTreeMap<String, Vec<Packet>> {
    use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
    use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
    let mut all: BTreeMap<String, Vec<Packet>> = BTreeMap::new();
    for file in files {
        let mut reader = PcapNgReader::new(File::open(file).expect("a file")).expect("a section");
        let mut names = Vec::new();
        while let Some(block) = reader.next_block() {
            match block.unwrap_or_else(|error| panic!("{}: {error}", file.display())) {
                Block::InterfaceDescription(block) => {
                    let name = block.options.iter().find_map(|option| match option {
                        InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
                        _ => None,
                    });
                    names.push(name.expect("a name"));
                    all.entry(names.last().expect("it").clone()).or_default();
                }
                Block::EnhancedPacket(block) => {
                    let number = block
                        .data
                        .get(NUMBER..NUMBER + 4)
                        .map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().expect("4")));
                    let comment = block.options.iter().find_map(|option| match option {
                        EnhancedPacketOption::Comment(comment) => Some(comment.to_string()),
                        _ => None,
                    });
                    let (ns, original, captured) = (block.timestamp.as_nanos(), block.original_len, block.data.len());
                    let packets = all.get_mut(&names[block.interface_id as usize]).expect("its interface");
                    packets.push(Packet { number, ns, original, captured, comment });
                }
                _ => {}
            }
        }
    }
    all
}

/// The numbers of packets.
pub(crate) fn numbers(packets: &[Packet]) -> Vec<u32> {
    packets.iter().map(|packet| packet.number).collect()
}

/// What a tool prints; it must end well.
pub(crate) fn printed(program: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(program).args(arguments).arg(file).env("LC_ALL", "C").output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {err}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
