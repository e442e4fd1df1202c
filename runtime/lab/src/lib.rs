//! Runs modules written in WAT on capture files: packets in, packets out, everything accounted for.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by a panic")]
#![allow(missing_docs, reason = "tests are the only users")]

pub mod canaries;
pub mod failing;
pub mod sequence;
pub mod simulated;

use pcap_file::pcap::{PcapPacket, PcapReader, PcapWriter};
use perigee_runtime::sim::{self, Simulator};
use perigee_runtime::{Error, Options, Run, Summary, config::Config};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Address of the first packet's descriptor in modules made by [`module`].
pub const PACKETS: u32 = 65_536 + 1_664;
/// Of the first spare room's.
pub const SPARES: u32 = 65_536 + 18_048;
/// Of the first output.
pub const OUTPUTS: u32 = 65_536 + 22_144;
/// Of the number of outputs.
pub const OUT_COUNT: u32 = 65_536 + 24;
/// Of the mailbox.
pub const MAILBOX: u32 = 131_072;

/// One chain, through module `m`, from the input to the output.
pub const CHAIN: &str = r#"
[[module]]
name = "m"
file = "m.wat"
[module.grants]
tx = ["in", "out"]
create = true
hostcalls = ["log", "counter", "time"]
[[chain]]
source = { port = "in" }
stages = ["m"]
tx = ["out"]
"#;

/// A module with all areas declared, and `items` in it.
pub fn module(items: &str) -> String {
    format!(
        r#"(module
  (import "perigee" "counter" (func $counter (param i32 i32 i32)))
  (memory (export "memory") 1100)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 65536))
  (global (export "perigee_mailbox") i32 (i32.const {MAILBOX}))
  (global (export "perigee_mailbox_len") i32 (i32.const 65536))
  (global (export "perigee_window") i32 (i32.const 196608))
  (global (export "perigee_window_len") i32 (i32.const 69206016))
  {items})"#
    )
}

/// A callback (`process` or `generate`) that does `body` for each packet; `$d` is its descriptor, `$i` its number.
pub fn each(callback: &str, body: &str) -> String {
    format!(
        r#"(func (export "{callback}") (param $n i32) (local $d i32) (local $i i32)
    (local.set $d (i32.const {PACKETS}))
    (block (loop
      (br_if 1 (i32.ge_u (local.get $i) (local.get $n)))
      {body}
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (br 0))))"#
    )
}

/// Code that writes a verdict into `$d`.
pub fn verdict(value: u32) -> String {
    format!("(i32.store offset=8 (local.get $d) (i32.const {value}))")
}

/// A directory for one run, with its input, modules and output.
pub struct Bench {
    dir: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// What came of a run.
pub struct Outcome {
    pub summary: Summary,
    pub out: Vec<Vec<u8>>,
}

/// One run at a time: they share the machine's cores and DPDK's names.
static ALONE: Mutex<()> = Mutex::new(());

impl Default for Bench {
    fn default() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Self { dir: tempfile::tempdir().unwrap(), _alone: alone }
    }
}

impl Bench {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a module's text.
    pub fn module(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.path(name), text).unwrap();
        self
    }

    /// Writes the packets that the run will read.
    pub fn input(&self, packets: &[Vec<u8>]) -> &Self {
        write_pcap(&self.path("in.pcap"), packets);
        self
    }

    /// The configuration with paths and the usual two ports filled in: `in` reads the input, `out` writes the output.
    pub fn config(&self, rest: &str) -> String {
        format!(
            "[[port]]\nname = \"in\"\ndevice = \"net_pcap0,rx_pcap={}\"\n[[port]]\nname = \"out\"\ndevice = \
             \"net_pcap1,tx_pcap={}\"\n{rest}",
            self.path("in.pcap").display(),
            self.path("out.pcap").display()
        )
    }

    pub fn start(&self, config: &str) -> Result<Run, Error> {
        let config = Config::parse(config, "test.toml").unwrap_or_else(|e| panic!("{e}\n{config}"));
        Run::start(&config, self.dir.path())
    }

    /// Makes a configuration ready to be simulated.
    pub fn simulator(&self, config: &str) -> Result<Simulator, Error> {
        let config = Config::parse(config, "sim.toml").unwrap_or_else(|e| panic!("{e}\n{config}"));
        Simulator::new(&config, self.dir.path(), &Options::default())
    }

    /// Simulates a configuration to its end, from that seed.
    pub fn simulate(&self, config: &str, seed: u64) -> Result<sim::Outcome, Error> {
        self.simulator(config)?.simulate(seed, None, None)
    }

    /// Runs to the end of the input, and checks that every packet is accounted for and every pool full.
    pub fn run(&self, config: &str) -> Outcome {
        let run = self.start(config).unwrap_or_else(|e| panic!("{e}\n{config}"));
        let begin = Instant::now();
        while !run.is_finished() {
            assert!(begin.elapsed() < Duration::from_secs(20), "the run does not end: {:#?}", run.snapshot());
            std::thread::sleep(Duration::from_millis(2));
        }
        self.finish(run)
    }

    /// Stops a run, with the same checks.
    pub fn finish(&self, run: Run) -> Outcome {
        let summary = run.stop();
        check(&summary);
        let out = self.path("out.pcap");
        Outcome { summary, out: if out.exists() { read_pcap(&out) } else { Vec::new() } }
    }
}

/// The fixture of every test: no packet is lost, no buffer is kept.
pub fn check(summary: &Summary) {
    let a = &summary.accounting;
    assert_eq!(a.received + a.created, a.sent + a.dropped.values().sum::<u64>() + a.held, "{summary:#?}");
    assert!(a.balanced && a.held == 0, "{summary:#?}");
    assert!(summary.pools.iter().all(|p| p.full), "{:#?}", summary.pools);
}

impl Outcome {
    pub fn dropped(&self, cause: &str) -> u64 {
        self.summary.accounting.dropped.get(cause).copied().unwrap_or(0)
    }
}

pub fn write_pcap(path: &Path, packets: &[Vec<u8>]) {
    let mut writer = PcapWriter::new(File::create(path).unwrap()).unwrap();
    for (i, bytes) in packets.iter().enumerate() {
        let time = Duration::from_micros(1_000_000 + i as u64);
        let len = u32::try_from(bytes.len()).unwrap();
        writer.write_packet(&PcapPacket::new(time, len, bytes)).unwrap();
    }
}

pub fn read_pcap(path: &Path) -> Vec<Vec<u8>> {
    let mut reader = PcapReader::new(File::open(path).unwrap()).unwrap();
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet() {
        packets.push(packet.unwrap().data.into_owned());
    }
    packets
}

/// `n` packets of `len` bytes that differ in their last four.
pub fn packets(n: u32, len: usize) -> Vec<Vec<u8>> {
    let packet = |i: u32| {
        let mut bytes: Vec<u8> = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5].to_vec();
        bytes.resize(len - 4, 0x5a);
        bytes.extend(i.to_be_bytes());
        bytes
    };
    (0..n).map(packet).collect()
}
