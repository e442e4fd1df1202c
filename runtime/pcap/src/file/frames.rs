//! The frames of files, one behind the other, as they are played: the same ones whether they are kept in memory, looked through, or
//! read again while they are played.

use super::ethernet::{self, ETHERNET};
use super::files::{Files, Place, Snapped};
use super::flow;
use super::reader::{Fault, Reader, Record};
use crate::capture::Refusal;
use std::io::BufReader;
use std::sync::Arc;

/// Bytes that are read of a file at once.
const AT_ONCE: usize = 1 << 16;

/// What was found in files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Packets that are played.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets of each rx queue.
    pub shares: Vec<u64>,
    /// Nanoseconds from the first packet to where the next round begins.
    pub period: u64,
    /// Times that are earlier than one before; such packets come at once with the one before them.
    pub backwards: u64,
    /// Packets without a time, which come at once with the one before them.
    pub timeless: u64,
    /// Packets of which the file has less than they had.
    pub snapped: u64,
    /// Packets that are left out because they are too long.
    pub too_long: u64,
    /// Bytes of the longest packet.
    pub longest: u32,
    /// Packets that are left out because nothing makes a frame of them.
    pub not_ethernet: u64,
    /// Files that end within a record, each with its name and where that record begins.
    pub cut: Vec<(String, u64)>,
    /// Files that say that a frame check sequence ends each packet.
    pub with_fcs: Vec<String>,
}

/// A frame that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Nanoseconds after the first one; never less than that of the one before.
    pub at: u64,
    /// The rx queue that it comes from.
    pub queue: usize,
}

/// Reads all files once, from the first frame to the last.
#[derive(Debug)]
pub struct Frames {
    files: Arc<Files>,
    /// Of the file whose turn it is.
    reader: Option<Reader<BufReader<Place>>>,
    /// Its number.
    number: usize,
    pass: Pass,
}

/// What has been found so far.
#[derive(Debug, Default)]
struct Pass {
    facts: Facts,
    /// When the file begins whose turn it is, in nanoseconds after the first packet of all.
    begin: u64,
    times: Times,
    /// The first packet that is not whole: its file, and its number in it.
    first_snapped: Option<(String, u64)>,
}

/// The times of one file.
#[derive(Debug, Default)]
struct Times {
    first: Option<i128>,
    latest: i128,
    packets: u64,
}

impl Times {
    /// Nanoseconds after the file's first packet, and whether the time goes backwards.
    fn pass(&mut self, time: Option<i128>) -> (u64, bool) {
        self.packets += 1;
        if self.first.is_none() {
            self.first = time;
            self.latest = time.unwrap_or(0);
        }
        let is_back = time.is_some_and(|time| time < self.latest);
        self.latest = self.latest.max(time.unwrap_or(self.latest));
        (self.length(), is_back)
    }

    fn length(&self) -> u64 {
        u64::try_from(self.latest - self.first.unwrap_or(self.latest)).unwrap_or(u64::MAX)
    }

    fn mean_gap(&self) -> u64 {
        self.length().checked_div(self.packets.saturating_sub(1)).unwrap_or(0)
    }
}

impl Frames {
    /// Begins at the first file's first frame.
    pub fn new(files: &Arc<Files>) -> Self {
        let facts = Facts { shares: vec![0; usize::from(files.wanted.queues.max(1))], ..Facts::default() };
        Self { files: Arc::clone(files), reader: None, number: 0, pass: Pass { facts, ..Pass::default() } }
    }

    /// Appends the bytes of the next frame; `None` behind the last one.
    ///
    /// # Errors
    /// What is wrong with the file at that place. Whoever asks again gets the frames of the files behind it.
    pub fn next_frame(&mut self, into: &mut Vec<u8>) -> Result<Option<Frame>, Refusal> {
        loop {
            let Some(file) = self.files.get(self.number) else { return Ok(None) };
            let wanted = &self.files.wanted;
            if self.reader.is_none() {
                if file.has_fcs {
                    self.pass.facts.with_fcs.push(file.path.clone());
                }
                let place = Place { files: Arc::clone(&self.files), number: self.number, at: 0 };
                match Reader::new(BufReader::with_capacity(AT_ONCE, place), file.len, &file.path) {
                    Ok(reader) => self.reader = Some(reader),
                    Err(fault) => {
                        let refused = of_fault(&file.path, &fault);
                        self.end_file(None);
                        return Err(refused);
                    }
                }
            }
            let Some(reader) = &mut self.reader else { continue };
            let refused = match reader.next_record() {
                Ok(Some(record)) => match self.pass.record(wanted, &file.path, &record, into) {
                    Ok(None) => continue,
                    Ok(frame) => return Ok(frame),
                    Err(refusal) => Some(refusal),
                },
                Ok(None) => None,
                Err(fault) => Some(of_fault(&file.path, &fault)),
            };
            let cut = reader.cut();
            self.end_file(cut);
            if let Some(refusal) = refused {
                return Err(refusal);
            }
        }
    }

    /// The next file's turn.
    fn end_file(&mut self, cut: Option<u64>) {
        let Self { files, pass, .. } = self;
        if let Some((at, file)) = cut.zip(files.get(self.number)) {
            pass.facts.cut.push((file.path.clone(), at));
        }
        let gap = files.wanted.gap.unwrap_or_else(|| pass.times.mean_gap());
        pass.begin = pass.begin.saturating_add(pass.times.length()).saturating_add(gap);
        pass.times = Times::default();
        self.reader = None;
        self.number += 1;
    }

    /// What was found. Only behind the last frame it is all.
    pub fn into_facts(self) -> Facts {
        Facts { period: self.pass.begin, ..self.pass.facts }
    }

    /// Where packets are cut short, and that is not wanted, the files are refused.
    pub(super) fn refuse_snapped(&self) -> Result<(), Refusal> {
        let facts = &self.pass.facts;
        let refused = self.pass.first_snapped.as_ref().filter(|_| self.files.wanted.snapped == Snapped::Refuse);
        let Some((file, number)) = refused else { return Ok(()) };
        let what = format!(
            "has {} of {} packets cut short, the first one as packet {number}",
            facts.snapped,
            facts.packets + facts.too_long + facts.not_ethernet
        );
        let help = "`snapped=send` plays them as long as the file has them, `snapped=pad` with zeros for what is missing; \
             or capture them whole (snap length 0)";
        Err(refusal(file, &what, help))
    }
}

impl Pass {
    /// Appends the frame that a record is; `None` where none is played.
    fn record(
        &mut self,
        wanted: &super::Wanted,
        path: &str,
        record: &Record<'_>,
        into: &mut Vec<u8>,
    ) -> Result<Option<Frame>, Refusal> {
        let (at, is_back) = self.times.pass(record.time);
        let facts = &mut self.facts;
        facts.backwards += u64::from(is_back);
        facts.timeless += u64::from(record.time.is_none());
        if record.link != ETHERNET && !(wanted.makes_ethernet && ethernet::can_be(record.link)) {
            return Err(not_ethernet(path, record.link, self.times.packets));
        }
        let Some(frame) = ethernet::frame(record.link, record.bytes) else {
            facts.not_ethernet += 1;
            return Ok(None);
        };
        let lacking = usize::try_from(record.original).unwrap_or(0).saturating_sub(record.bytes.len());
        if lacking != 0 {
            facts.snapped += 1;
            self.first_snapped.get_or_insert_with(|| (path.to_owned(), self.times.packets));
        }
        let zeros = if wanted.snapped == Snapped::Pad { lacking } else { 0 };
        let len = frame.header.map_or(0, |header| header.len()) + frame.rest.len() + zeros;
        let told = u32::try_from(len).unwrap_or(u32::MAX);
        facts.longest = facts.longest.max(told);
        if told > wanted.longest {
            facts.too_long += 1;
            return Ok(None);
        }
        facts.packets += 1;
        facts.bytes += u64::from(told);
        let begin = into.len();
        into.extend_from_slice(frame.header.as_ref().map_or(&[], |header| &header[..]));
        into.extend_from_slice(frame.rest);
        into.resize(into.len() + zeros, 0);
        let queue = flow::queue(into.get(begin..).unwrap_or_default(), facts.shares.len());
        if let Some(share) = facts.shares.get_mut(queue) {
            *share += 1;
        }
        Ok(Some(Frame { at: self.begin.saturating_add(at), queue }))
    }
}

pub(super) fn refusal(path: &str, what: &str, help: &str) -> Refusal {
    Refusal { what: format!("file {path:?} {what}"), help: help.to_owned() }
}

fn of_fault(path: &str, fault: &Fault) -> Refusal {
    if fault.at == 0 && fault.packets == 0 {
        return refusal(path, &fault.what, &fault.help);
    }
    let what =
        format!("cannot be read beyond its first {} packets, at byte {}: {}", fault.packets, fault.at, fault.what);
    let help = if fault.packets > 0 {
        format!("`editcap -r {path} OUT 1-{}` takes those before it", fault.packets)
    } else {
        "get the file anew".to_owned()
    };
    refusal(path, &what, &help)
}

fn not_ethernet(path: &str, link: u16, packet: u64) -> Refusal {
    let name = ethernet::name(link);
    let what = format!("has packets of link type {name}, not Ethernet, the first one as packet {packet}");
    let help = if ethernet::can_be(link) {
        "modules get Ethernet frames: `link=ethernet` puts a header before each packet"
    } else {
        "modules get Ethernet frames: capture on an interface that has them"
    };
    refusal(path, &what, help)
}
