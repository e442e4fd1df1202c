//! The files of a capture: packets are gathered into pieces that are written whole, ten times a second or more often; and one file
//! follows another as the user wants it.

use super::blocks::{About, Blocks, Tally};
use super::place::{Place, Unwritten, last_number, numbered, told};
use anyhow::{Context, Result, anyhow};
use perigee_pcap::index::{self, Writer as Index};
use perigee_record::Record;
use perigee_runtime::config::capture::Format;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// As many bytes are written at once.
const PIECE: usize = 1 << 20;
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
    /// The index of the file that is open, where files follow each other.
    index: Option<Index>,
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
        let (mut number, mut made) = (0, VecDeque::new());
        let place = open(&wanted, &mut number, &mut made)?;
        let mut files = Self {
            blocks: Blocks::new(wanted.format, &wanted.about).context("the file's head")?,
            index: begin_index(&wanted, &place),
            wanted,
            place,
            waiting: Vec::new(),
            flushed: Instant::now(),
            begun: Instant::now(),
            begun_ns: now_ns,
            packets: 0,
            number,
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
        let begin = self.len();
        let made = self.blocks.packet(&self.wanted.about, place, record);
        made.map_err(|error| Stop::Failed(anyhow!("a packet cannot be written down: {error}")))?;
        let (end, ns) = (self.len(), self.wanted.about.info.start_unix_ns.saturating_add(record.ns));
        if let Some(index) = &mut self.index
            && let Err(error) = index.packet(begin, end, ns, record.bytes)
        {
            without_index(&self.place, &error);
            self.index = None;
        }
        self.waiting.push((self.blocks.bytes().len(), place));
        self.packets += 1;
        if self.blocks.bytes().len() >= PIECE { self.flush_some() } else { Ok(()) }
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
        let opened = open(&self.wanted, &mut self.number, &mut self.made);
        self.place = opened.map_err(Stop::Failed)?;
        self.index = begin_index(&self.wanted, &self.place);
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
        self.flush()?;
        if let Some(index) = self.index.take()
            && let Err(error) = self.place.metadata().and_then(|metadata| index.finish(&metadata))
        {
            without_index(&self.place, &error);
        }
        Ok(())
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

    /// Waits until the disk has all of them.
    pub(super) fn sync(&self) -> std::io::Result<()> {
        self.made.iter().try_for_each(|path| std::fs::File::open(path)?.sync_data())
    }

    /// Removes them.
    pub(super) fn remove_all(&mut self) {
        self.remove_down_to(0);
    }

    /// A packet that comes when nothing can be written any more.
    pub(super) fn lose(&mut self, place: usize) {
        self.unwritten[place] += 1;
    }

    /// A packet that comes when there are as many as were asked for.
    pub(super) fn pass_over(&mut self, place: usize) {
        self.surplus[place] += 1;
    }

    /// Writes all that waits.
    fn flush(&mut self) -> Result<(), Stop> {
        self.flushed = Instant::now();
        let bytes = std::mem::take(self.blocks.bytes());
        let ends = self.waiting.iter().map(|(end, _)| *end);
        let done = self.place.write(&bytes, ends).map(|()| bytes.len());
        self.wrote(bytes, done)
    }

    /// Writes what the disk takes best: the rest of a block waits for what is next.
    fn flush_some(&mut self) -> Result<(), Stop> {
        let bytes = std::mem::take(self.blocks.bytes());
        let ends = self.waiting.iter().map(|(end, _)| *end);
        let done = self.place.write_blocks(&bytes, ends);
        self.wrote(bytes, done)
    }

    /// Counts what was written of these bytes, and keeps what was not yet.
    fn wrote(&mut self, mut bytes: Vec<u8>, done: Result<usize, Unwritten>) -> Result<(), Stop> {
        let until = *done.as_ref().unwrap_or(&bytes.len());
        let whole = done.as_ref().map_or_else(|unwritten| unwritten.written, |until| *until as u64);
        let tried = self.waiting.partition_point(|(end, _)| *end <= until);
        for (end, place) in self.waiting.drain(..tried) {
            let counted = if end as u64 <= whole { &mut self.written } else { &mut self.unwritten };
            counted[place] += 1;
        }
        self.waiting.iter_mut().for_each(|(end, _)| *end -= until);
        bytes.drain(..until);
        *self.blocks.bytes() = bytes;
        done.map(drop).map_err(|unwritten| self.stop(&unwritten))
    }

    fn stop(&self, unwritten: &Unwritten) -> Stop {
        if unwritten.is_reader_gone() {
            return Stop::ReaderGone;
        }
        Stop::Failed(anyhow!("{}: {}", self.place.path.display(), unwritten.told()))
    }

    /// Those that were kept for long enough, with their indexes. What cannot be removed stays, and is told.
    fn remove_old(&mut self) {
        if let Some(keep) = self.wanted.rotation.keep {
            self.remove_down_to(keep);
        }
    }

    fn remove_down_to(&mut self, keep: u64) {
        while self.made.len() as u64 > keep {
            let Some(old) = self.made.pop_front() else { return };
            for old in [index::path(&old), old] {
                match std::fs::remove_file(&old) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        tracing::warn!("{} stays: {error}", old.display());
                    }
                    _ => {}
                }
            }
        }
    }
}

impl Stop {
    pub(super) fn into_error(self) -> anyhow::Error {
        match self {
            Self::ReaderGone => anyhow!("nobody reads what is captured"),
            Self::Failed(error) => error,
        }
    }
}

/// The index of a file that was just opened. Without it the file is searched as a whole, so that is no error.
fn begin_index(wanted: &Wanted<'_>, place: &Place) -> Option<Index> {
    let begun = wanted.rotation.is_wanted().then(|| Index::new(&place.path));
    begun?.map_err(|error| without_index(place, &error)).ok()
}

fn without_index(place: &Place, error: &std::io::Error) {
    tracing::warn!("{}: gets no index: {error}", place.path.display());
}

/// Opens the next file, and notes it where it is one of ours. Where files follow each other, `number` is that of the last one.
fn open(wanted: &Wanted<'_>, number: &mut u64, made: &mut VecDeque<PathBuf>) -> Result<Place> {
    let file = wanted.file.as_path();
    if file.as_os_str() == "-" {
        return Place::stdout().context("standard output");
    }
    if !wanted.rotation.is_wanted() {
        if Place::is_stream(file) {
            return Place::open_stream(file).with_context(|| format!("cannot write {}", file.display()));
        }
        let place = Place::create(file, wanted.overwrite).map_err(|error| refused(file, &error))?;
        made.push_back(file.to_owned());
        return Ok(place);
    }
    // Files of an earlier run, or of somebody else, stay: the numbers go on behind them.
    if *number == 0 && !wanted.overwrite {
        *number = last_number(file).with_context(|| format!("cannot see what is beside {}", file.display()))?;
    }
    loop {
        *number = number.checked_add(1).with_context(|| format!("{} has the last number", file.display()))?;
        let path = numbered(file, *number);
        match Place::create(&path, wanted.overwrite) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(refused(&path, &error)),
            Ok(place) => {
                made.push_back(path);
                return Ok(place);
            }
        }
    }
}

fn refused(path: &Path, error: &std::io::Error) -> anyhow::Error {
    let what = match error.raw_os_error() {
        Some(libc::EEXIST) => "it is there already; name another one, or write over it with --overwrite".to_owned(),
        Some(libc::ELOOP) => "it is a link; name the file itself".to_owned(),
        Some(number) => told(number).map_or_else(|| error.to_string(), str::to_owned),
        None => error.to_string(),
    };
    anyhow!("cannot write {}: {what}", path.display())
}
