//! One record after the other, whatever the format.

use super::input::{Input, Order};
use super::{kind, new, old};
use std::fmt;
use std::io::Read;

/// A record with more bytes is none: libpcap draws the same line (MAXIMUM_SNAPLEN).
pub(super) const MOST: u32 = 262_144;

/// What is wrong with a file, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub what: String,
    /// What to do about it; empty where that is not known.
    pub help: String,
    /// Records before it.
    pub packets: u64,
    /// Where what is wrong begins, in bytes from the file's beginning.
    pub at: u64,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// A record of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Nanoseconds since 1970; `None` where the file has no time for it.
    pub time: Option<i128>,
    /// What the file has of the packet.
    pub bytes: &'a [u8],
    /// How many bytes the packet had.
    pub original: u32,
    /// The type of its link, by the list of LINKTYPE numbers.
    pub link: u16,
}

/// A packet's place in what was read last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) time: Option<i128>,
    pub(super) from: usize,
    pub(super) len: usize,
    pub(super) original: u32,
    pub(super) link: u16,
    /// The number of its interface in its section; 0 where the format has none.
    pub(super) interface: u32,
}

/// What else a file says of a record. The old format says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The name of its interface.
    pub interface: &'a [u8],
    /// The first comment on it.
    pub comment: Option<&'a [u8]>,
}

/// What comes next in a file.
#[derive(Debug)]
pub(super) enum Step {
    Packet(Taken),
    /// It is over.
    End,
    /// It ends within a record.
    Cut,
}

impl Step {
    /// Where nothing could be read any more, of what began at `begin`: a stream says that it is over where a record would begin.
    pub(super) fn ended<R: Read>(input: &Input<R>, begin: u64) -> Self {
        if input.at() == begin && input.is_over() { Self::End } else { Self::Cut }
    }
}

#[derive(Debug)]
enum Format {
    Old(old::Header),
    New(new::Section),
}

/// Reads a file's records in their order.
#[derive(Debug)]
pub struct Reader<R> {
    input: Input<R>,
    format: Format,
    body: Vec<u8>,
    packets: u64,
    last: Option<Taken>,
    cut: Option<u64>,
    is_over: bool,
}

/// In place of a length: what is read is a stream, which is over where it ends.
pub const STREAM: u64 = u64::MAX;

impl<R: Read> Reader<R> {
    /// Begins to read a file of `len` bytes, or a [`STREAM`]; `path` is what messages call it.
    ///
    /// # Errors
    /// It is no capture, or one that cannot be read.
    pub fn new(from: R, len: u64, path: &str) -> Result<Self, Fault> {
        let fault = |what: String, help: String| Fault { what, help, packets: 0, at: 0 };
        let unreadable = |what: String| fault(format!("cannot be read: {what}"), String::new());
        let (mut input, mut body) = (Input::new(from, len), Vec::new());
        input.read(len.min(old::HEADER), &mut body).map_err(unreadable)?;
        let is_new = Order::Little.u32(&body, 0) == new::SECTION;
        let header = old::Header::read(&body).map_err(|what| fault(what, String::new()))?;
        if header.is_none() && !is_new {
            let (what, help) = kind::of(&body, path);
            return Err(fault(what, help));
        }
        if (body.len() as u64) < old::HEADER {
            let what = format!("has {} bytes, which is less than any capture has", body.len());
            return Err(fault(what, "get the file anew".to_owned()));
        }
        let format = match header {
            Some(header) => Format::Old(header),
            None => {
                input.again(&body);
                Format::New(new::Section::none())
            }
        };
        Ok(Self { input, format, body, packets: 0, last: None, cut: None, is_over: false })
    }

    /// The next record; `None` at the file's end, and where the last one is not whole.
    ///
    /// # Errors
    /// What is wrong with the next record. Behind it nothing is read.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, Fault> {
        if self.is_over {
            return Ok(None);
        }
        let at = self.input.at();
        let step = match &mut self.format {
            Format::Old(header) => header.next(&mut self.input, &mut self.body),
            Format::New(section) => section.next(&mut self.input, &mut self.body),
        };
        match step {
            Ok(Step::Packet(taken)) => {
                self.packets += 1;
                self.last = Some(taken);
                Ok(self.last_record())
            }
            Ok(step) => {
                self.is_over = true;
                self.cut = matches!(step, Step::Cut).then_some(at);
                Ok(None)
            }
            Err(what) => {
                self.is_over = true;
                Err(Fault { what, help: String::new(), packets: self.packets, at })
            }
        }
    }

    /// The record that was read last, once more.
    pub fn last_record(&self) -> Option<Record<'_>> {
        let Taken { time, from, len, original, link, .. } = self.last?;
        let bytes = self.body.get(from..from + len).unwrap_or_default();
        Some(Record { time, bytes, original, link })
    }

    /// What else the file says of the record that was read last.
    pub fn origin(&self) -> Origin<'_> {
        match (&self.format, &self.last) {
            (Format::New(section), Some(taken)) => section.origin(taken, &self.body),
            _ => Origin::default(),
        }
    }

    /// Where the last record begins, at the end of a file that is cut within it.
    pub fn cut(&self) -> Option<u64> {
        self.cut
    }
}
