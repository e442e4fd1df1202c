//! Files that are to be played, opened: what is read of them from then on is what was looked at, whatever becomes of their names.

use super::frames::refusal;
use crate::capture::{Refusal, has_fcs, look_at_path};
use std::fs::File;
use std::io::{BufReader, Error, Read, Result as IoResult};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// What becomes of packets of which a file has less than they had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Snapped {
    /// The files are refused.
    #[default]
    Refuse,
    /// They are as long as the file has them.
    Send,
    /// They get as many zeros as they lack.
    Pad,
}

/// What is wanted of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Packets of other links get a header of Ethernet.
    pub makes_ethernet: bool,
    /// What becomes of packets that are not whole.
    pub snapped: Snapped,
    /// Longer frames are left out.
    pub longest: u32,
    /// They are kept in memory, of which they may take so many bytes; `None`: they are only looked through.
    pub memory: Option<u64>,
    /// Nanoseconds between a file's last packet and the first one of the next; `None`: the file's mean gap.
    pub gap: Option<u64>,
    /// Rx queues that they are played from.
    pub queues: u16,
}

/// Open files, in the order in which they are played.
#[derive(Debug)]
pub struct Files {
    opened: Vec<Opened>,
    pub(super) wanted: Wanted,
}

/// A file.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) path: String,
    file: File,
    /// Bytes that it had when it was opened. What others append later is not read.
    pub(super) len: u64,
    /// It says that a frame check sequence ends each packet.
    pub(super) has_fcs: bool,
}

impl Files {
    /// Opens them.
    ///
    /// # Errors
    /// One is not there, or may not be read, or is no plain file.
    pub fn open(paths: &[&str], wanted: &Wanted) -> Result<Arc<Self>, Refusal> {
        let open = |path: &&str| {
            look_at_path(Path::new(path))?;
            let cannot = |e: Error| refusal(path, &format!("cannot be read: {e}"), "");
            let file = File::open(path).map_err(cannot)?;
            let len = file.metadata().map_err(cannot)?.len();
            let has_fcs = has_fcs(&mut BufReader::new(&file)).unwrap_or(false);
            Ok(Opened { path: (*path).to_owned(), file, len, has_fcs })
        };
        let opened = paths.iter().map(open).collect::<Result<_, Refusal>>()?;
        Ok(Arc::new(Self { opened, wanted: *wanted }))
    }

    /// Bytes of all of them.
    pub(super) fn len(&self) -> u64 {
        self.opened.iter().map(|opened| opened.len).fold(0, u64::saturating_add)
    }

    pub(super) fn get(&self, number: usize) -> Option<&Opened> {
        self.opened.get(number)
    }
}

/// A place in one of the files. Several may be read at once, for the file has no place of its own that they would share.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) files: Arc<Files>,
    pub(super) number: usize,
    pub(super) at: u64,
}

impl Read for Place {
    fn read(&mut self, to: &mut [u8]) -> IoResult<usize> {
        let Some(opened) = self.files.get(self.number) else { return Ok(0) };
        let read = opened.file.read_at(to, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
