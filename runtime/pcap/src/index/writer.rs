//! Makes an index while a file is written. It has another name until it is whole, so that whoever finds it finds all of it.

use super::sketch::Sketcher;
use super::{MAGIC, STRETCH, checksum, modified_ns, path};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The index of a file that is being written. One that is dropped before its end is removed.
#[derive(Debug)]
pub struct Writer {
    /// Until it is whole, and from then on.
    part: PathBuf,
    whole: PathBuf,
    file: File,
    is_whole: bool,
    sketcher: Sketcher,
    open: Option<Open>,
    bytes: Vec<u8>,
}

/// The stretch that packets come to.
#[derive(Clone, Copy, Debug)]
struct Open {
    begin: u64,
    end: u64,
    packets: u64,
    first_ns: u64,
    last_ns: u64,
}

impl Writer {
    /// Begins the index of a file; who writes it alone can read it.
    ///
    /// # Errors
    /// The system's.
    pub fn new(of: &Path) -> Result<Self> {
        let whole = path(of);
        let mut name = std::ffi::OsString::from(".");
        name.push(whole.file_name().unwrap_or_default());
        name.push(".part");
        let part = whole.with_file_name(name);
        let open = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
        // One that a process has left behind which was killed.
        let file = open().or_else(|_| std::fs::remove_file(&part).and_then(|()| open()))?;
        let mut this = Self {
            part: part.clone(),
            whole,
            file,
            is_whole: false,
            sketcher: Sketcher::new(),
            open: None,
            bytes: Vec::new(),
        };
        this.file.write_all(&MAGIC)?;
        Ok(this)
    }

    /// A packet, at these bytes of the file, in the order in which they are written.
    ///
    /// # Errors
    /// The system's.
    pub fn packet(&mut self, begin: u64, end: u64, ns: u64, frame: &[u8]) -> Result<()> {
        let open = self.open.get_or_insert(Open { begin, end, packets: 0, first_ns: ns, last_ns: ns });
        open.end = end;
        open.packets += 1;
        open.first_ns = open.first_ns.min(ns);
        open.last_ns = open.last_ns.max(ns);
        self.sketcher.packet(frame);
        if end - open.begin < STRETCH { Ok(()) } else { self.close() }
    }

    fn close(&mut self) -> Result<()> {
        let Some(Open { begin, end, packets, first_ns, last_ns }) = self.open.take() else { return Ok(()) };
        self.bytes.clear();
        self.bytes.extend_from_slice(&[0; 4]);
        for number in [begin, end, packets, first_ns, last_ns] {
            self.bytes.extend_from_slice(&number.to_le_bytes());
        }
        self.sketcher.take().encode(&mut self.bytes);
        let len = u32::try_from(self.bytes.len() - 4).unwrap_or(u32::MAX);
        self.bytes[..4].copy_from_slice(&len.to_le_bytes());
        let sum = checksum(&self.bytes[4..]);
        self.bytes.extend_from_slice(&sum.to_le_bytes());
        self.file.write_all(&self.bytes)
    }

    /// Ends it: the file that it is of is whole, and this is what it is.
    ///
    /// # Errors
    /// The system's.
    pub fn finish(mut self, of: &Metadata) -> Result<()> {
        self.close()?;
        let facts = [of.len(), modified_ns(of)].map(u64::to_le_bytes).concat();
        self.file.write_all(&[&[0; 4][..], &facts, &checksum(&facts).to_le_bytes()].concat())?;
        std::fs::rename(&self.part, &self.whole)?;
        self.is_whole = true;
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.is_whole
            && let Err(error) = std::fs::remove_file(&self.part)
        {
            tracing::warn!("{} stays: {error}", self.part.display());
        }
    }
}
