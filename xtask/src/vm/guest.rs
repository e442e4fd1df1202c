//! One virtual machine: how it is started, read and ended.

use super::fetch::Bed;
use super::monitor::Monitor;
use crate::command;
use anyhow::{Context, Result};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Without what protects against other programs on a CPU that is emulated, and without a clock that it must ask a device for.
const APPEND: &str =
    "console=ttyS0 panic=-1 quiet nokaslr mitigations=off tsc=reliable clocksource=tsc no_timer_check audit=0";
/// A CPU as old as the instructions that Debian's DPDK and WebAssembly's vectors need: less of it is emulated. Pages of 1 GiB are
/// one of the things that are tried.
const CPU: &str = "Nehalem,+pdpe1gb";
/// How many of the console's last lines are shown of a guest that failed.
const LAST_LINES: usize = 25;

/// What runs a guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accel {
    /// The host's CPU.
    Kvm,
    /// QEMU's translator.
    Tcg,
}

impl Accel {
    /// Its name for QEMU.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg,thread=multi",
        }
    }
}

/// Where a guest's root is.
pub(crate) enum Root {
    /// The host's own tree, by 9p, not to be written to.
    Host,
    /// A disk image with ext4 on it, which the guest writes to.
    Image(PathBuf),
}

/// A virtual machine to be.
pub(crate) struct Guest {
    /// Its own folder: `console.log`, `job.log`, the monitor's socket. The guest may write there (9p, tag `out`).
    pub(crate) folder: PathBuf,
    /// `q35` or `pc`, with options.
    pub(crate) machine: String,
    /// Of memory, in MiB.
    pub(crate) memory: u32,
    /// Added to the kernel's command line.
    pub(crate) append: String,
    /// Added to QEMU's arguments: cards above all.
    pub(crate) devices: Vec<String>,
    /// Where its root is.
    pub(crate) root: Root,
    /// What is started as process 1: an absolute path in the root.
    pub(crate) init: String,
    /// A shell script that QEMU is started by, in a network namespace of its own and with its command line as arguments: for
    /// interfaces that it is joined to.
    pub(crate) wrapper: Option<PathBuf>,
    /// After so long it is ended.
    pub(crate) limit: Duration,
}

/// How a guest ended.
pub(crate) struct Outcome {
    /// What it wrote to its second serial port (`/dev/ttyS1`), line by line.
    pub(crate) lines: Vec<String>,
    /// It switched itself off in time.
    pub(crate) ended: bool,
    /// QEMU itself was ended by a signal: one of its assertions does not hold.
    pub(crate) crashed: bool,
    /// The console's and QEMU's last lines.
    pub(crate) last: Vec<String>,
    /// How long it ran.
    pub(crate) taken: Duration,
}

impl Guest {
    /// Starts it and waits for its end. `each` sees each line that it writes to `/dev/ttyS1`; a line `ask {...}` is a command to
    /// QEMU's monitor, which is carried out.
    pub(crate) fn run(&self, bed: &Bed, accel: Accel, each: impl Fn(&str)) -> Result<Outcome> {
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        let socket = self.folder.join("qmp.sock");
        let _ = fs::remove_file(&socket);
        let mut command = self.command(bed, accel)?;
        let start = Instant::now();
        let errors = fs::File::create(self.folder.join("qemu.log")).context("cannot write QEMU's log")?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", command::shown(&command)))?;
        let (lines, is_over) = self.follow(&mut child, start, &socket, each)?;
        if !is_over {
            let _ = child.kill();
        }
        let status = child.wait().context("cannot wait for QEMU")?;
        let last = [last_lines(&self.folder.join("console.log")), last_lines(&self.folder.join("qemu.log"))].concat();
        let crashed = is_over && status.signal().is_some();
        Ok(Outcome { lines, ended: is_over && status.success(), crashed, last, taken: start.elapsed() })
    }

    /// Reads lines until QEMU ends or its time is over. True: it has ended.
    fn follow(
        &self,
        child: &mut Child,
        start: Instant,
        socket: &Path,
        each: impl Fn(&str),
    ) -> Result<(Vec<String>, bool)> {
        let output = child.stdout.take().context("QEMU has no standard output")?;
        let (send, receive) = mpsc::channel();
        // Ends with QEMU, whose end it reads.
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                if send.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                    return;
                }
            }
        });
        let mut log = fs::File::create(self.folder.join("job.log")).context("cannot write the job's log")?;
        let (mut lines, mut monitor) = (Vec::new(), None);
        loop {
            let line = match receive.recv_timeout(self.limit.saturating_sub(start.elapsed())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => return Ok((lines, false)),
                Err(RecvTimeoutError::Disconnected) => return Ok((lines, true)),
            };
            writeln!(log, "{:7.1} {line}", start.elapsed().as_secs_f64()).context("cannot write the job's log")?;
            if let Some(ask) = line.strip_prefix("ask ") {
                let ask = serde_json::from_str(ask).context("a guest asks for something that is no JSON")?;
                let monitor = match &mut monitor {
                    Some(monitor) => monitor,
                    none => none.insert(Monitor::connect(socket)?),
                };
                if let Err(error) = monitor.ask(&ask) {
                    lines.push(format!("FAILED monitor {error:#}"));
                }
                continue;
            }
            each(&line);
            lines.push(line);
        }
    }

    fn command(&self, bed: &Bed, accel: Accel) -> Result<Command> {
        let qemu = bed.qemu();
        let mut command = match &self.wrapper {
            None => Command::new(qemu.get_program()),
            Some(script) => {
                let mut unshare = Command::new("unshare");
                unshare
                    .args(["--user", "--map-root-user", "--net", "--", "sh", "-e"])
                    .arg(script)
                    .arg(qemu.get_program());
                unshare
            }
        };
        command.args(qemu.get_args());
        command.envs(qemu.get_envs().filter_map(|(name, value)| Some((name, value?))));
        // Relative, for a socket's path must be short.
        command.current_dir(&self.folder);
        let root = match &self.root {
            Root::Host => "",
            Root::Image(_) => "bed.disk",
        };
        let cpu = if accel == Accel::Kvm { "host" } else { CPU };
        command.args(["-accel", accel.name(), "-cpu", cpu, "-smp", "2", "-machine", &self.machine]);
        command.args([
            "-m",
            &self.memory.to_string(),
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
        ]);
        command.arg("-kernel").arg(bed.kernel()).arg("-initrd").arg(bed.initramfs());
        command.arg("-append").arg(format!("{APPEND} {root} bed.init={} {}", self.init, self.append));
        command.args(["-serial", "file:console.log", "-chardev", "stdio,id=job,signal=off", "-serial", "chardev:job"]);
        command.args(["-qmp", "unix:qmp.sock,server=on,wait=off"]);
        // An IOMMU must come before all devices that it is to see.
        command.args(&self.devices);
        // With an image too: there it can be mounted, for the kernel's modules and for what was built.
        command.args(["-fsdev", "local,id=host,path=/,readonly=on,security_model=none,multidevs=remap"]);
        command.args(["-device", "virtio-9p-pci,fsdev=host,mount_tag=host"]);
        command.args([
            "-fsdev",
            "local,id=out,path=.,security_model=none",
            "-device",
            "virtio-9p-pci,fsdev=out,mount_tag=out",
        ]);
        if let Root::Image(path) = &self.root {
            let path = path.to_str().context("the image's path is no text")?;
            command.args(["-drive", &format!("file={path},format=raw,if=none,id=root,cache=unsafe")]);
            command.args(["-device", "virtio-blk-pci,drive=root"]);
        }
        Ok(command)
    }
}

/// A file's last lines, without what a terminal is told.
fn last_lines(path: &Path) -> Vec<String> {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let plain = |line: &str| line.chars().filter(|c| !c.is_control() || *c == '\t').collect::<String>();
    let lines: Vec<String> = text.lines().map(plain).filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].to_vec()
}
