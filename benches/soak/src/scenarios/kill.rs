//! `perigee run`, ended by SIGKILL at random moments: the next start works at once, and nothing is left behind.

use crate::generated::splitmix;
use crate::namespace::Namespace;
use crate::{Report, Scenario, Task};
use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "kill",
    about: "kill -9 at random moments of perigee run, then a start: up within 2 s, nothing left behind",
    unit: "kills",
    quick: 20,
    full: 200,
    run,
};

/// A start after a kill has this long until packets flow.
const UP: Duration = Duration::from_secs(2);
/// Kills come within this time of a start: while it loads, and while it runs.
const MOMENTS_MS: u64 = 400;
/// A run that is told to stop has this long.
const STOP: Duration = Duration::from_secs(10);

/// Ports that a run can have here: name, device, whether it needs a network namespace of ours.
const DEVICES: [(&str, &str, bool); 5] = [
    ("net_ring", "net_ring0", false),
    ("net_null", "net_null0", false),
    ("net_tap", "net_tap0,iface=soak-tap", true),
    ("net_af_packet", "net_af_packet0,iface=soak-a", true),
    ("net_af_xdp", "net_af_xdp0,iface=soak-b,start_queue=0,queue_count=1", true),
];

fn run(task: &Task) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    let space = Namespace::new();
    let lab = Lab { perigee: task.binary("perigee")?, folder: folder.path().to_owned(), space: space.as_ref().ok() };
    let devices: Vec<_> = DEVICES.iter().filter(|(_, _, needs)| !needs || space.is_ok()).collect();
    if let Err(error) = &space {
        println!("without net_tap, net_af_packet and net_af_xdp: {error:#}");
    }
    let module = task.module("udp-gen");
    for (name, device, _) in &devices {
        fs::write(lab.folder.join(format!("{name}.toml")), config(device, &module))?;
    }
    // Once, so that what stays for good (a module's compiled code, say) is there before it is compared.
    for (name, _, _) in &devices {
        lab.start_and_stop(name).with_context(|| format!("{name}, before any kill"))?;
    }
    let before = leftovers(lab.space)?;
    let (mut up, mut random) = (Histogram::<u64>::new(3)?, task.seed);
    for number in 0..task.size {
        let (name, _, _) = devices[usize::try_from(number)? % devices.len()];
        random = splitmix(random);
        let mut victim = lab.start(name)?;
        std::thread::sleep(Duration::from_micros(random % (MOMENTS_MS * 1_000)));
        victim.0.kill().and_then(|()| victim.0.wait()).context("cannot kill it")?;
        let taken = lab.start_and_stop(name).with_context(|| format!("kill {number}, {name}"))?;
        up.record(u64::try_from(taken.as_millis())?)?;
    }
    let after = leftovers(lab.space)?;
    let left: Vec<_> = after.difference(&before).collect();
    ensure!(left.is_empty(), "left behind: {left:?}");
    let names: Vec<_> = devices.iter().map(|(name, _, _)| *name).collect();
    Ok(Report::new(task.size)
        .figure("devices", names.join(","))
        .figure("up_p50_ms", up.value_at_quantile(0.5))
        .figure("up_p99_ms", up.value_at_quantile(0.99))
        .figure("up_worst_ms", up.max())
        .figure("left_behind", left.len()))
}

/// A generator that sends on a port, and a chain that takes what comes in: on one lcore, for the queues of some devices come
/// in pairs.
fn config(device: &str, module: &Path) -> String {
    format!(
        r#"
[[port]]
name = "a"
device = "{device}"
[[module]]
name = "gen"
file = "{}"
grants = {{ hostcalls = ["log", "counter"] }}
config = {{ dst = "10.1.0.10", dst_port = 5000, src = "10.0.0.1", size = 60 }}
[[chain]]
lcores = [0]
source = {{ module = "gen", pool = 1023 }}
tx = ["a"]
[[chain]]
lcores = [0]
source = {{ port = "a" }}
"#,
        module.display()
    )
}

struct Lab<'a> {
    perigee: PathBuf,
    folder: PathBuf,
    space: Option<&'a Namespace>,
}

/// A run that is killed when it is given up.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Lab<'_> {
    fn start(&self, name: &str) -> Result<Running> {
        let log = self.folder.join("log");
        let file = File::create(&log)?;
        // nsenter becomes the program, so that the process is the one that is killed.
        let mut command = match self.space {
            Some(space) => space.command(&self.perigee),
            None => Command::new(&self.perigee),
        };
        command.args(["--log", "info", "run"]).arg(self.folder.join(format!("{name}.toml"))).arg("--quiet");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn();
        Ok(Running(child.context("cannot start perigee")?))
    }

    /// Starts a run, waits until it says that it runs, and stops it. Returns how long it took to be up.
    fn start_and_stop(&self, name: &str) -> Result<Duration> {
        let begin = Instant::now();
        let mut run = self.start(name)?;
        let said = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        while !said().contains("running") {
            if let Some(status) = run.0.try_wait()? {
                bail!("it ended with {status}: {}", said());
            }
            ensure!(begin.elapsed() < UP, "not up after {UP:?}: {}", said());
            std::thread::sleep(Duration::from_millis(1));
        }
        let taken = begin.elapsed();
        let pid = run.0.id().to_string();
        ensure!(Command::new("kill").args(["-TERM", &pid]).status()?.success(), "cannot send a signal");
        let begin = Instant::now();
        loop {
            if let Some(status) = run.0.try_wait()? {
                ensure!(status.success(), "after SIGTERM it ended with {status}: {}", said());
                return Ok(taken);
            }
            ensure!(begin.elapsed() < STOP, "it does not stop: {}", said());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// What a run might leave: files where DPDK and we put some, huge pages in use, interfaces and XDP programs on them.
fn leftovers(space: Option<&Namespace>) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for folder in ["/dev/shm", "/run/dpdk", "/var/run/dpdk", "/dev/hugepages", "/run/perigee", "/tmp"] {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let ours = |name: &String| folder != "/tmp" || name.contains("perigee") || name.contains("dpdk");
        found.extend(names.filter(ours).map(|name| format!("{folder}/{name}")));
    }
    let memory = fs::read_to_string("/proc/meminfo")?;
    found.extend(memory.lines().filter(|line| line.starts_with("HugePages_Free")).map(str::to_owned));
    if let Some(space) = space {
        for line in space.ip(&["-oneline", "link"])?.lines() {
            let mut words = line.split_whitespace().skip(1);
            let name = words.next().unwrap_or("").to_owned();
            let xdp = if words.any(|word| word.contains("xdp")) { " with an XDP program" } else { "" };
            found.insert(format!("interface {name}{xdp}"));
        }
    }
    Ok(found)
}
