//! Somebody else owns the time: a line protocol over a Unix socket, with times in nanoseconds since the simulation's beginning.
//! We say `reached T` when all before T has happened, the other side answers `until T`, and so on to its end.

use anyhow::{Context, bail};
use perigee_runtime::Error;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longest line that is read.
const LONGEST: u64 = 128;

/// Who owns the time.
pub(super) struct Owner {
    stream: BufReader<UnixStream>,
    patience: Duration,
}

impl Owner {
    pub(super) fn connect(path: &Path, patience: Duration) -> anyhow::Result<Self> {
        let told = path.display();
        let found = std::fs::metadata(path).with_context(|| format!("--clock-from {told}"))?;
        let own = std::fs::metadata("/proc/self").map(|own| own.uid()).unwrap_or_default();
        if !found.file_type().is_socket() {
            bail!("--clock-from {told}: is no socket");
        }
        if found.uid() != own {
            bail!("--clock-from {told}: belongs to user {}, and this is user {own}", found.uid());
        }
        let stream = UnixStream::connect(path).with_context(|| format!("--clock-from {told}"))?;
        // Set before the jail is entered, which need not allow it.
        stream.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
        stream.set_write_timeout(Some(patience.max(Duration::from_millis(1))))?;
        Ok(Self { stream: BufReader::new(stream), patience })
    }

    fn ask(&mut self, reached: u64) -> std::io::Result<String> {
        self.stream.get_mut().write_all(format!("reached {reached}\n").as_bytes())?;
        let mut line = String::new();
        std::io::Read::take(&mut self.stream, LONGEST).read_line(&mut line)?;
        Ok(line)
    }
}

impl Owner {
    /// Until when it lets the simulation go on, which has come to `reached`.
    pub(super) fn until(&mut self, reached: u64) -> Result<u64, Error> {
        let failed = |what: String| Error::Request(format!("--clock-from: {what}"));
        let line = self.ask(reached).map_err(|e| match e.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                failed(format!("no word for {:?} after \"reached {reached}\" (--clock-timeout)", self.patience))
            }
            _ => failed(format!("{e} after \"reached {reached}\"")),
        })?;
        if line.is_empty() {
            return Err(failed(format!("who owns the time is gone, at {reached} ns")));
        }
        let until = line.trim().strip_prefix("until ").and_then(|time| time.parse::<u64>().ok());
        let until =
            until.ok_or_else(|| failed(format!("{:?} is not understood; \"until NANOSECONDS\" is", line.trim())))?;
        if until < reached {
            return Err(failed(format!("time cannot go back from {reached} to {until} ns")));
        }
        Ok(until)
    }
}
