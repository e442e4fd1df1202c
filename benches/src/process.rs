//! Runs in processes of their own, for what is measured from outside.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Child, Command};

/// A child that is ended with this.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What `perigee ctl` prints, of the run whose socket is called `socket` in that folder.
pub(crate) fn ctl(perigee: &Path, folder: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let mut command = Command::new(perigee);
    command.arg("ctl").args(arguments).args(["--socket", "./socket"]).current_dir(folder);
    let output = command.output().context("perigee ctl")?;
    ensure!(output.status.success(), "perigee ctl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}
