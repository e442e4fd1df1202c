//! The files of a capture: packets are gathered into pieces that are written whole, ten times a second or more often; and one file
//! follows another as the user wants it.

use super::blocks::{About, Blocks, Tally};
use super::place::{Place, Unwritten, numbered};
use anyhow::{Context, Result, anyhow};
use perigee_record::Record;
use perigee_runtime::config::capture::Format;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// As many bytes are written at once.
const PIECE: usize = 256 << 10;
/// A reader at the other end waits no longer.
const FLUSH: Duration = Duration::from_millis(100);

/// When the next file begins.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Rotation {
    /// When one has so many bytes.
    pub(super) size: Option<u64>,
    /// After this time.
    pub(super) time: Option<Duration>,
    /// After so many packets.
    pub(super) count: Option<u64>,
    /// Of files that follow each other the last so many are kept.
    pub(super) keep: Option<u64>,
}

impl Rotation {
    /// Files follow each other.
    pub(super) fn is_wanted(&self) -> bool {
        self.size.is_some() || self.time.is_some() || self.count.is_some()
    }
}

/// What is written, and where to.
pub(crate) struct Wanted<'a> {
    pub(crate) file: PathBuf,
    pub(crate) format: Format,
    pub(crate) rotation: Rotation,
    pub(crate) overwrite: bool,
    pub(crate) about: About<'a>,
}

/// The files of a capture.
pub(crate) struct Files<'a> {
    wanted: Wanted<'a>,
    place: Place,
    blocks: Blocks,
    /// Packets whose bytes are in `blocks`: where each ends, and of which point it is.
    waiting: Vec<(usize, usize)>,
    flushed: Instant,
    begun: Instant,
    begun_ns: u64,
    /// Packets in the file that is open.
    packets: u64,
    number: u64,
    /// Files that were made, the oldest first.
    made: VecDeque<PathBuf>,
    /// By point: packets that are in files, and that could not be written.
    written: Vec<u64>,
    unwritten: Vec<u64>,
    /// Packets that came after the last one that was wanted.
    surplus: Vec<u64>,
    /// What was told of each point at the ends of files before.
    told: Vec<Tally>,
}

/// Why nothing more can be written.
pub(crate) enum Stop {
    /// The reader of a stream has had enough.
    ReaderGone,
    /// A text for people.
    Failed(anyhow::Error),
}

impl<'a> Files<'a> {
    /// Opens the first file.
    pub(crate) fn open(wanted: Wanted<'a>, now_ns: u64) -> Result<Self> {
        let points = wanted.about.info.places.len();
        let mut made = VecDeque::new();
        let place = open(&wanted, 1, &mut made)?;
        let mut files = Self {
            blocks: Blocks::new(wanted.format, &wanted.about).context("the file's head")?,
            wanted,
            place,
            waiting: Vec::new(),
            flushed: Instant::now(),
            begun: Instant::now(),
            begun_ns: now_ns,
            packets: 0,
            number: 1,
            made,
            written: vec![0; points],
            unwritten: vec![0; points],
            surplus: vec![0; points],
            told: vec![Tally::default(); points],
        };
        // Whoever reads at the other end sees at once what there is.
        files.flush().map_err(Stop::into_error)?;
        Ok(files)
    }

    /// A packet.
    pub(crate) fn packet(&mut self, place: usize, record: &Record<'_>) -> Result<(), Stop> {
        let made = self.blocks.packet(&self.wanted.about, place, record);
        made.map_err(|error| Stop::Failed(anyhow!("a packet cannot be written down: {error}")))?;
        self.waiting.push((self.blocks.bytes().len(), place));
        self.packets += 1;
        if self.blocks.bytes().len() >= PIECE { self.flush() } else { Ok(()) }
    }

    /// What is due: bytes that have waited.
    pub(crate) fn tend(&mut self) -> Result<(), Stop> {
        if self.flushed.elapsed() >= FLUSH { self.flush() } else { Ok(()) }
    }

    /// The next file is due.
    pub(super) fn is_full(&mut self) -> bool {
        let Rotation { size, time, count, .. } = self.wanted.rotation;
        let len = self.len();
        self.packets != 0 && (size.is_some_and(|size| len >= size) || count.is_some_and(|count| self.packets >= count))
            || time.is_some_and(|time| self.begun.elapsed() >= time)
    }

    /// Ends the file, with what its time has brought, and begins the next one. `all` is what points have counted since the beginning.
    pub(super) fn rotate(&mut self, all: &[Tally], now_ns: u64) -> Result<(), Stop> {
        self.end(all, now_ns)?;
        self.number += 1;
        let opened = open(&self.wanted, self.number, &mut self.made);
        self.place = opened.map_err(Stop::Failed)?;
        self.blocks = Blocks::new(self.wanted.format, &self.wanted.about)
            .map_err(|error| Stop::Failed(anyhow!("the file's head: {error}")))?;
        (self.packets, self.begun, self.begun_ns) = (0, Instant::now(), now_ns);
        self.remove_old();
        self.flush()
    }

    /// Ends the file, with what its time has brought.
    pub(crate) fn end(&mut self, all: &[Tally], now_ns: u64) -> Result<(), Stop> {
        self.flush()?;
        let tallies: Vec<_> = all.iter().zip(&self.told).map(|(all, told)| all.since(told)).collect();
        let made = self.blocks.end(&tallies, self.begun_ns, now_ns);
        made.map_err(|error| Stop::Failed(anyhow!("the file's end: {error}")))?;
        self.told = all.to_vec();
        self.flush()
    }

    /// Bytes of the file that is open, with those that are not written yet.
    pub(crate) fn len(&mut self) -> u64 {
        self.place.len + self.blocks.bytes().len() as u64
    }

    /// What became of packets of a point, as far as this is about files.
    pub(crate) fn tally(&self, place: usize) -> Tally {
        let waiting = self.waiting.iter().filter(|(_, of)| *of == place).count() as u64;
        let (written, writer) = (self.written[place] + waiting, self.unwritten[place]);
        Tally { written, writer, surplus: self.surplus[place], ..Tally::default() }
    }

    /// Files that are there.
    pub(super) fn made(&self) -> impl Iterator<Item = &Path> {
        self.made.iter().map(PathBuf::as_path)
    }

    /// A packet that comes when nothing can be written any more.
    pub(super) fn lose(&mut self, place: usize) {
        self.unwritten[place] += 1;
    }

    /// A packet that comes when there are as many as were asked for.
    pub(super) fn pass_over(&mut self, place: usize) {
        self.surplus[place] += 1;
    }

    fn flush(&mut self) -> Result<(), Stop> {
        self.flushed = Instant::now();
        let bytes = std::mem::take(self.blocks.bytes());
        let ends = self.waiting.iter().map(|(end, _)| *end);
        let done = self.place.write(&bytes, ends);
        let whole = done.as_ref().err().map_or(bytes.len() as u64, |unwritten| unwritten.written);
        for (end, place) in self.waiting.drain(..) {
            let counted = if end as u64 <= whole { &mut self.written } else { &mut self.unwritten };
            counted[place] += 1;
        }
        *self.blocks.bytes() = bytes;
        self.blocks.bytes().clear();
        done.map_err(|unwritten| self.stop(&unwritten))
    }

    fn stop(&self, unwritten: &Unwritten) -> Stop {
        if unwritten.is_reader_gone() {
            return Stop::ReaderGone;
        }
        Stop::Failed(anyhow!("{}: {}", self.place.path.display(), unwritten.told()))
    }

    /// Those that were kept for long enough. What cannot be removed stays, and is told.
    fn remove_old(&mut self) {
        let Some(keep) = self.wanted.rotation.keep else { return };
        while self.made.len() as u64 > keep {
            let Some(old) = self.made.pop_front() else { return };
            if let Err(error) = std::fs::remove_file(&old) {
                tracing::warn!("{} stays: {error}", old.display());
            }
        }
    }
}

impl Stop {
    fn into_error(self) -> anyhow::Error {
        match self {
            Self::ReaderGone => anyhow!("nobody reads what is captured"),
            Self::Failed(error) => error,
        }
    }
}

/// Opens file number `number`, and notes it where it is one of ours.
fn open(wanted: &Wanted<'_>, number: u64, made: &mut VecDeque<PathBuf>) -> Result<Place> {
    let file = wanted.file.as_path();
    if file.as_os_str() == "-" {
        return Place::stdout().context("standard output");
    }
    if !wanted.rotation.is_wanted() && Place::is_stream(file) {
        return Place::open_stream(file).with_context(|| format!("cannot write {}", file.display()));
    }
    let path = if wanted.rotation.is_wanted() { numbered(file, number) } else { file.to_owned() };
    let opened = Place::create(&path, wanted.overwrite).map_err(|error| {
        let hint = match error.raw_os_error() {
            Some(libc::EEXIST) => ": it is there already; name another one, or write over it with --overwrite",
            Some(libc::ELOOP) => ": it is a link; name the file itself",
            Some(libc::ENOSPC) => ": the disk is full; make room, or keep fewer files (--keep)",
            _ => "",
        };
        anyhow!(
            "cannot write {}{}",
            path.display(),
            if hint.is_empty() { format!(": {error}") } else { hint.to_owned() }
        )
    })?;
    made.push_back(path);
    Ok(opened)
}
