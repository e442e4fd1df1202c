//! A network of a scenario's own.

use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::fs;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A network namespace with a veth pair, kept by a process that sleeps. It needs root.
pub(crate) struct Namespace(Child);

impl Namespace {
    /// With the interfaces `soak-a` and `soak-b`, up.
    pub(crate) fn new() -> Result<Self> {
        let keeper = Command::new("unshare").args(["--net", "sleep", "infinity"]).spawn().context("no unshare")?;
        let space = Self(keeper);
        // The namespace is there when the process has become sleep.
        let name = || fs::read_to_string(format!("/proc/{}/comm", space.0.id())).unwrap_or_default();
        let begin = Instant::now();
        while name().trim() != "sleep" {
            ensure!(begin.elapsed() < Duration::from_secs(5), "no network namespace: it needs root");
            std::thread::sleep(Duration::from_millis(5));
        }
        space.ip(&["link", "add", "soak-a", "type", "veth", "peer", "name", "soak-b"])?;
        space.ip(&["link", "set", "soak-a", "up"])?;
        space.ip(&["link", "set", "soak-b", "up"])?;
        Ok(space)
    }

    /// A program that runs inside.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.0.id().to_string(), "--net", "--"]).arg(program);
        command
    }

    /// Calls `ip` inside.
    pub(crate) fn ip(&self, args: &[&str]) -> Result<String> {
        let output = self.command("ip").args(args).output()?;
        ensure!(output.status.success(), "ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
