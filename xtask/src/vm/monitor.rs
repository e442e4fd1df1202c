//! QEMU's monitor (QMP), by its Unix socket: what pulls a card out, or its plug.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A connection that commands can be given on.
pub(super) struct Monitor {
    stream: BufReader<UnixStream>,
}

impl Monitor {
    /// Connects; QEMU must have made the socket already.
    pub(super) fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket).context("cannot connect to QEMU's monitor")?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).context("cannot set a timeout")?;
        let mut monitor = Self { stream: BufReader::new(stream) };
        monitor.line()?;
        monitor.ask(&json!({ "execute": "qmp_capabilities" }))?;
        Ok(monitor)
    }

    /// Carries out a command, and gives back its answer.
    pub(super) fn ask(&mut self, command: &Value) -> Result<Value> {
        writeln!(self.stream.get_mut(), "{command}").context("cannot write to QEMU's monitor")?;
        loop {
            let answer: Value = serde_json::from_str(&self.line()?).context("QEMU's monitor speaks no JSON")?;
            if let Some(answer) = answer.get("return") {
                return Ok(answer.clone());
            }
            if let Some(error) = answer.get("error") {
                bail!("QEMU refuses {command}: {error}");
            }
            // An event, which nobody asked for.
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let length = self.stream.read_line(&mut line).context("QEMU's monitor does not answer")?;
        if length == 0 { bail!("QEMU's monitor has ended") } else { Ok(line) }
    }
}
