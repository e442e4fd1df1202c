//! Files in memory, ready to be played: what a packet is sent from is a piece of one array.

use super::ethernet::{self, ETHERNET};
use super::reader::{Fault, Reader, Record};
use crate::capture::{Refusal, has_fcs, link_name, look_at_path};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Bytes of memory for a packet beside its own: where it lies and when it is due, here and in the queue that it is played from.
pub const PER_PACKET: u64 = 48;

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
    /// Most bytes of memory.
    pub memory: u64,
    /// Nanoseconds between a file's last packet and the first one of the next; `None`: the file's mean gap.
    pub gap: Option<u64>,
}

/// A packet: when it comes, and where its bytes end. They begin where those of the one before it end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Nanoseconds after the first one; never less than that of the one before.
    pub at: u64,
    /// Where its bytes end.
    pub end: usize,
}

/// What was found in files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Packets that are played.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Memory that they take.
    pub memory: u64,
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

/// Files in memory.
#[derive(Debug, Default)]
pub struct Recording {
    bytes: Vec<u8>,
    packets: Vec<Packet>,
    facts: Facts,
}

impl Recording {
    /// Reads files to their ends.
    ///
    /// # Errors
    /// A file cannot be read, or is not what is wanted; or they take more memory than they may.
    pub fn read(files: &[&str], wanted: &Wanted) -> Result<Self, Refusal> {
        let mut reading = Reading { into: Self::default(), wanted, begin: 0, first_snapped: None };
        for file in files {
            reading.file(file)?;
        }
        reading.finish(files)
    }

    /// The packets, in their order.
    pub fn packets(&self) -> &[Packet] {
        &self.packets
    }

    /// The bytes of packet `number`.
    pub fn bytes_of(&self, number: usize) -> &[u8] {
        let begin = number.checked_sub(1).and_then(|before| self.packets.get(before)).map_or(0, |before| before.end);
        let end = self.packets.get(number).map_or(begin, |packet| packet.end);
        self.bytes.get(begin..end).unwrap_or_default()
    }

    /// All packets' bytes, one behind the other.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was found.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// Files that are being read.
struct Reading<'a> {
    into: Recording,
    wanted: &'a Wanted,
    /// When the file begins whose turn it is, in nanoseconds after the first packet of all.
    begin: u64,
    /// The first packet that is not whole: its file, and its number in it.
    first_snapped: Option<(String, u64)>,
}

/// The times of one file.
#[derive(Default)]
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

impl Reading<'_> {
    fn file(&mut self, path: &str) -> Result<(), Refusal> {
        look_at_path(Path::new(path))?;
        let cannot = |e: std::io::Error| refusal(path, &format!("cannot be read: {e}"), "");
        let mut file = File::open(path).map_err(cannot)?;
        let len = file.metadata().map_err(cannot)?.len();
        let expected = usize::try_from(len.min(self.wanted.memory)).unwrap_or(0);
        // What it does not get now it asks for later.
        let _ = self.into.bytes.try_reserve_exact(expected);
        if has_fcs(&mut BufReader::new(&mut file)).unwrap_or(false) {
            self.into.facts.with_fcs.push(path.to_owned());
        }
        std::io::Seek::rewind(&mut file).map_err(cannot)?;
        let mut reader =
            Reader::new(BufReader::with_capacity(1 << 16, file), len, path).map_err(|f| of_fault(path, &f))?;
        let mut times = Times::default();
        while let Some(record) = reader.next_record().map_err(|fault| of_fault(path, &fault))? {
            self.record(path, &record, &mut times)?;
        }
        if let Some(at) = reader.cut() {
            self.into.facts.cut.push((path.to_owned(), at));
        }
        let gap = self.wanted.gap.unwrap_or_else(|| times.mean_gap());
        self.begin = self.begin.saturating_add(times.length()).saturating_add(gap);
        Ok(())
    }

    fn record(&mut self, path: &str, record: &Record<'_>, times: &mut Times) -> Result<(), Refusal> {
        let (at, is_back) = times.pass(record.time);
        let facts = &mut self.into.facts;
        facts.backwards += u64::from(is_back);
        facts.timeless += u64::from(record.time.is_none());
        if record.link != ETHERNET && !(self.wanted.makes_ethernet && ethernet::can_be(record.link)) {
            return Err(not_ethernet(path, record.link, times.packets));
        }
        let Some(frame) = ethernet::frame(record.link, record.bytes) else {
            facts.not_ethernet += 1;
            return Ok(());
        };
        let lacking = usize::try_from(record.original).unwrap_or(0).saturating_sub(record.bytes.len());
        if lacking != 0 {
            facts.snapped += 1;
            self.first_snapped.get_or_insert_with(|| (path.to_owned(), times.packets));
        }
        let zeros = if self.wanted.snapped == Snapped::Pad { lacking } else { 0 };
        let len = frame.header.map_or(0, |header| header.len()) + frame.rest.len() + zeros;
        let told = u32::try_from(len).unwrap_or(u32::MAX);
        facts.longest = facts.longest.max(told);
        if told > self.wanted.longest {
            facts.too_long += 1;
            return Ok(());
        }
        facts.packets += 1;
        facts.bytes += u64::from(told);
        facts.memory = facts.bytes.saturating_add(facts.packets.saturating_mul(PER_PACKET));
        if facts.memory > self.wanted.memory {
            // What it would take is counted to the end, without taking it.
            self.into.bytes = Vec::new();
            return Ok(());
        }
        self.into.bytes.extend_from_slice(frame.header.as_ref().map_or(&[], |header| &header[..]));
        self.into.bytes.extend_from_slice(frame.rest);
        self.into.bytes.resize(self.into.bytes.len() + zeros, 0);
        let at = self.begin.saturating_add(at);
        self.into.packets.push(Packet { at, end: self.into.bytes.len() });
        Ok(())
    }

    fn finish(self, files: &[&str]) -> Result<Recording, Refusal> {
        let Self { mut into, wanted, begin, first_snapped } = self;
        into.facts.period = begin;
        let facts = &into.facts;
        if let Some((file, number)) = first_snapped.filter(|_| wanted.snapped == Snapped::Refuse) {
            let what = format!(
                "has {} of {} packets cut short, the first one as packet {number}",
                facts.snapped,
                facts.packets + facts.too_long + facts.not_ethernet
            );
            let help = "`snapped=send` plays them as long as the file has them, `snapped=pad` with zeros for what is missing; \
                        or capture them whole (snap length 0)";
            return Err(refusal(&file, &what, help));
        }
        if facts.memory > wanted.memory {
            const MIB: u64 = 1 << 20;
            let what = format!(
                "needs {} MiB of memory ({} packets, {} bytes), and may take {} MiB",
                facts.memory.div_ceil(MIB),
                facts.packets,
                facts.bytes,
                wanted.memory / MIB
            );
            let help = format!(
                "`memory={}M` lets it, or take fewer packets: `editcap -r IN OUT 1-1000`",
                facts.memory.div_ceil(MIB)
            );
            return Err(refusal(&files.join(", "), &what, &help));
        }
        Ok(into)
    }
}

fn refusal(path: &str, what: &str, help: &str) -> Refusal {
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
    let name = link_name(ethernet::of_libpcap(link));
    let what = format!("has packets of link type {name}, not Ethernet, the first one as packet {packet}");
    let help = if ethernet::can_be(link) {
        "modules get Ethernet frames: `link=ethernet` puts a header before each packet"
    } else {
        "modules get Ethernet frames: capture on an interface that has them"
    };
    refusal(path, &what, help)
}
