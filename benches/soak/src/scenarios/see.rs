//! Captures of many gigabytes: files that follow each other while the writer's memory stays what it was, each of them read by others; a
//! disk that is full in the middle; and how near the writer comes to what the disk takes.

use crate::{Report, Scenario, Task};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "see",
    about: "captures that rotate: no growth, every file read by capinfos, all packets accounted for, a full disk survived; and the disk's own rate",
    unit: "MB",
    quick: 1_000,
    full: 10_000,
    run,
};

/// Bytes of each file, and of each packet.
const FILE: u64 = 100_000_000;
const LEN: u32 = 1_000;
/// The writer may grow by so much after its first file.
const GROWTH: u64 = 8 << 20;
/// Something is wrong where a start takes longer, or no more bytes come for so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// A disk that is full soon, and the bytes of its files.
const SMALL_DISK: &str = "64m";
const SMALL_FILE: &str = "10MB";
/// How often the writer and `dd` are compared, for so long each, and the least that the median may come to.
const ROUNDS: usize = 5;
const ROUND: &str = "4s";
const LEAST: f64 = 0.8;
/// As many bytes are written at once, by both.
const BLOCK: u64 = 256 << 10;

fn run(task: &Task) -> Result<Report> {
    // On the disk where the repository is: /tmp may be memory.
    let folder = tempfile::tempdir_in(task.root.join("target"))?;
    let lab = Lab { perigee: task.binary("perigee")?, folder: folder.path().to_owned() };
    lab.prepare(&task.module("udp-gen"))?;
    let run = lab.start_run()?;
    let bytes = task.size * 1_000_000;
    let large = lab.rotate(bytes).context("the large capture")?;
    let small = lab.full_disk().context("the full disk")?;
    drop(run);
    let ratio = lab.beside_dd().context("beside dd")?;
    ensure!(ratio >= LEAST, "the writer takes {ratio:.2} of what dd writes to this disk, and {LEAST} is the least");
    Ok(Report::new(task.size)
        .figure("files", large.files)
        .figure("written", large.written)
        .figure("lost", large.lost)
        .figure("mb_per_s", large.rate)
        .figure("rss_first_kib", large.rss[0])
        .figure("rss_most_kib", large.rss[1])
        .figure("index_per_mille", large.index_per_mille)
        .figure("full_disk_written", small)
        .figure("of_dd_percent", (ratio * 100.0).round()))
}

/// What a capture has come to.
struct Captured {
    files: usize,
    written: u64,
    /// Packets that are in no file.
    lost: u64,
    rate: u64,
    /// KiB: after the first file, and the most.
    rss: [u64; 2],
    index_per_mille: u64,
}

struct Lab {
    perigee: PathBuf,
    folder: PathBuf,
}

/// Ended by being dropped, whatever has happened.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
            let _ = self.0.wait();
        }
    }
}

impl Lab {
    fn prepare(&self, module: &Path) -> Result<()> {
        let config = format!(
            "[run]\ncapture_memory = \"64MiB\"\n[[port]]\nname = \"out\"\ndevice = \"net_null0,no-rx=1\"\n\
             [[module]]\nname = \"gen\"\nfile = \"{}\"\ngrants = {{ hostcalls = [\"log\", \"counter\"] }}\n\
             config = {{ dst = \"10.1.0.10\", dst_port = 5000, src = \"10.0.0.1\", size = {LEN} }}\n\
             [[chain]]\nname = \"made\"\nsource = {{ module = \"gen\" }}\ntx = [\"out\"]\n\
             [[stream]]\nname = \"s\"\nchain = \"made\"\nrate = \"250 kpps\"\n",
            module.display()
        );
        fs::write(self.folder.join("see.toml"), config)?;
        fs::create_dir_all(self.folder.join("runtime"))?;
        Ok(fs::create_dir(self.folder.join("files"))?)
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).env("XDG_RUNTIME_DIR", self.folder.join("runtime")).env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Starts a command, and waits until it says so on standard error.
    fn start(&self, mut command: Command, log: &str, says: &str) -> Result<Running> {
        let log = self.folder.join(log);
        let mut started = Running(command.stderr(File::create(&log)?).spawn()?);
        let begin = Instant::now();
        loop {
            let said = fs::read_to_string(&log)?;
            if said.contains(says) {
                return Ok(started);
            }
            if let Some(status) = started.0.try_wait()? {
                bail!("it ended with {status}: {said}");
            }
            ensure!(begin.elapsed() < PATIENCE, "it does not say {says:?}: {said}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn start_run(&self) -> Result<Running> {
        let mut command = self.command(&self.perigee);
        command.args(["--log", "info", "run", "see.toml", "--quiet"]);
        self.start(command, "run.log", "running")
    }

    /// Captures so many bytes.
    fn rotate(&self, bytes: u64) -> Result<Captured> {
        let mut command = self.command(&self.perigee);
        command.args(["capture", "--at", "made:tx", "-w", "files/a.pcapng", "--memory", "48MiB", "--json", "a.json"]);
        command.args(["--rotate-size", &FILE.to_string()]);
        let begin = Instant::now();
        let mut capture = self.start(command, "capture.log", "capturing")?;
        let folder = self.folder.join("files");
        let (mut rss, mut last) = ([0; 2], (0, Instant::now()));
        loop {
            let there = bytes_of(&folder, "pcapng")?;
            if there >= FILE {
                let now = resident(capture.0.id())?;
                rss = [if rss[0] == 0 { now } else { rss[0] }, rss[1].max(now)];
            }
            if there >= bytes {
                break;
            }
            if there > last.0 {
                last = (there, Instant::now());
            }
            ensure!(last.1.elapsed() < PATIENCE, "nothing more is written after {there} bytes");
            std::thread::sleep(Duration::from_millis(50));
        }
        let taken = begin.elapsed();
        ensure!(Command::new("kill").args(["-INT", &capture.0.id().to_string()]).status()?.success(), "no signal");
        ensure!(capture.0.wait()?.success(), "{}", fs::read_to_string(self.folder.join("capture.log"))?);
        ensure!((rss[1] - rss[0]) << 10 <= GROWTH, "the writer has grown: {rss:?} KiB");
        let counts = self.counts("a.json")?;
        let files = files(&folder)?;
        let written = self.read_by_others(&files)?;
        ensure!(written == counts.written, "files have {written} packets, the capture has counted {}", counts.written);
        let (packets, index) = (bytes_of(&folder, "pcapng")?, bytes_of(&folder, "index")?);
        let rate = packets / u64::try_from(taken.as_millis())?.max(1) / 1_000;
        let (seen, index_per_mille) = (counts.seen, index * 1_000 / packets);
        files.iter().try_for_each(fs::remove_file)?;
        Ok(Captured { files: files.len(), written, lost: seen - written, rate, rss, index_per_mille })
    }

    /// The same onto a disk that is full before it is over, in a namespace of its own: what is on it is copied out.
    fn full_disk(&self) -> Result<u64> {
        for name in ["disk", "copied"] {
            fs::create_dir(self.folder.join(name))?;
        }
        let script = "mount -t tmpfs -o size=\"$1\" tmpfs disk && shift && { \"$@\"; code=$?; cp disk/*.pcapng copied/; exit $code; }";
        let mut command = self.command("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", SMALL_DISK]).arg(&self.perigee);
        command.args([
            "capture",
            "--at",
            "made:tx",
            "-w",
            "disk/a.pcapng",
            "--rotate-size",
            SMALL_FILE,
            "--json",
            "b.json",
        ]);
        let mut capture = self.start(command, "full.log", "capturing")?;
        let begin = Instant::now();
        while capture.0.try_wait()?.is_none() {
            ensure!(begin.elapsed() < PATIENCE, "a full disk does not end it");
            std::thread::sleep(Duration::from_millis(20));
        }
        let said = fs::read_to_string(self.folder.join("full.log"))?;
        ensure!(capture.0.wait()?.code() == Some(1) && said.contains("the disk is full"), "{said}");
        let counts = self.counts("b.json")?;
        let files = files(&self.folder.join("copied"))?;
        ensure!(files.len() > 3, "in the middle of a rotation: {files:?}");
        let written = self.read_by_others(&files)?;
        ensure!(written == counts.written && counts.writer > 0, "{written} packets in files: {said}");
        Ok(written)
    }

    /// What the writer comes to of what `dd` writes in blocks of the same length, both until the disk has it: the median of some rounds, in turn.
    fn beside_dd(&self) -> Result<f64> {
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let mut command = self.command(&self.perigee);
            command.args(["capture", "--dry-net", "-w", "dry.pcapng", "--duration", ROUND, "--json", "dry.json"]);
            well(&command.stderr(Stdio::piped()).output()?)?;
            let dry: Value = serde_json::from_str(&fs::read_to_string(self.folder.join("dry.json"))?)?;
            let number = |key: &str| dry[key].as_f64().with_context(|| format!("no {key}: {dry}"));
            let (bytes, ours) = (number("bytes")?, number("bytes")? / number("seconds")?);
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "as many blocks as the writer wrote"
            )]
            let blocks = (bytes / 262_144.0).round() as u64;
            let mut command = self.command("dd");
            command.args(["if=/dev/zero", "of=dry.dd", "conv=fdatasync"]);
            command.arg(format!("bs={BLOCK}")).arg(format!("count={blocks}"));
            let begin = Instant::now();
            well(&command.stderr(Stdio::piped()).output()?)?;
            let theirs = bytes / begin.elapsed().as_secs_f64();
            fs::remove_file(self.folder.join("dry.dd"))?;
            println!("writer {:.0} MB/s, dd {:.0} MB/s: {:.2}", ours / 1e6, theirs / 1e6, ours / theirs);
            ratios.push(ours / theirs);
        }
        ratios.sort_by(f64::total_cmp);
        Ok(ratios[ROUNDS / 2])
    }

    fn counts(&self, name: &str) -> Result<Counts> {
        let counts: Value = serde_json::from_str(&fs::read_to_string(self.folder.join(name))?)?;
        ensure!(counts["balanced"] == true, "the counts do not add up: {counts}");
        let number = |key: &str| counts["points"][0][key].as_u64().with_context(|| format!("no {key}: {counts}"));
        Ok(Counts { seen: number("seen")?, written: number("written")?, writer: number("writer")? })
    }

    /// How many packets capinfos finds in all, for which every file must be whole.
    fn read_by_others(&self, files: &[PathBuf]) -> Result<u64> {
        let mut all = 0;
        for file in files {
            let output =
                self.command("capinfos").args(["-c", "-M", "-T", "-r"]).arg(file).stdout(Stdio::piped()).output()?;
            well(&output).with_context(|| format!("capinfos {}", file.display()))?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let number = text.split_whitespace().last().and_then(|number| number.parse::<u64>().ok());
            all += number.with_context(|| format!("capinfos says {text:?}"))?;
        }
        Ok(all)
    }
}

struct Counts {
    seen: u64,
    written: u64,
    writer: u64,
}

fn well(output: &Output) -> Result<()> {
    ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        found.push(entry?.path());
    }
    found.retain(|path| path.extension().is_some_and(|end| end == "pcapng"));
    found.sort();
    Ok(found)
}

fn bytes_of(folder: &Path, extension: &str) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|end| end == extension) {
            sum += entry.metadata()?.len();
        }
    }
    Ok(sum)
}

/// KiB of a process that are in memory and its own: what it shares with the run is the run's.
fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kib.with_context(|| format!("/proc/{pid}/status does not say how much memory it has"))
}
