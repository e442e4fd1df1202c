//! One file after the other: which of their packets are wanted.

use super::found::{Found, Written};
use super::parts::{Parts, Plan};
use super::source::Source;
use super::told::FileTold;
use crate::dissect::told;
use anyhow::{Result, anyhow};
use perigee_pcap::file::{Reader, Sieve};
use perigee_pcap::filter::Program;
use perigee_pcap::index::Stretch;
use std::io::BufReader;
use std::sync::Arc;

/// Bytes that are read at once.
const AT_ONCE: usize = 256 << 10;
/// Packets between two looks at whether it is to go on.
const LOOK: u64 = 4_096;

/// Which packets are wanted.
pub(super) struct Wanted {
    pub(super) program: Option<Arc<Program>>,
    /// Nanoseconds since 1970: the first and the last.
    pub(super) since: Option<i128>,
    pub(super) until: Option<i128>,
    /// Indexes are looked at.
    pub(super) by_index: bool,
}

impl Wanted {
    /// Whether a stretch of a file may have one. False is certain, as far as its index is.
    pub(super) fn may_be_in(&self, stretch: &Stretch) -> bool {
        self.since.is_none_or(|since| i128::from(stretch.last_ns) >= since)
            && self.until.is_none_or(|until| i128::from(stretch.first_ns) <= until)
            && self.program.as_ref().is_none_or(|program| stretch.may_pass(program))
    }

    /// A packet without a time is of no time that anybody asks for.
    fn is_in_time(&self, time: Option<i128>) -> bool {
        match time {
            Some(time) => self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time <= until),
            None => self.since.is_none() && self.until.is_none(),
        }
    }
}

/// What goes on from file to file.
pub(super) struct Search {
    wanted: Wanted,
    sieve: Option<Sieve>,
    to: Option<Found>,
    /// Nobody reads what is found.
    is_over: bool,
}

impl Search {
    pub(super) fn new(wanted: Wanted, to: Option<Found>) -> Self {
        let sieve = wanted.program.clone().map(Sieve::new);
        Self { wanted, sieve, to, is_over: false }
    }

    /// Nobody reads what is found.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Searches a file, until `is_over`.
    pub(super) fn file(&mut self, source: &Source, is_over: &dyn Fn() -> bool) -> Result<FileTold> {
        let (file, metadata) = source.open()?;
        let mut plan = match self.wanted.by_index {
            true => Plan::of(&source.path, &metadata, &self.wanted),
            false => Plan::default(),
        };
        let len = metadata.len() - plan.bytes;
        let parts = BufReader::with_capacity(AT_ONCE, Parts::new(file, &mut plan));
        let name = &source.name;
        let mut reader = Reader::new(parts, len, name).map_err(|fault| told(name, &fault))?;
        let mut found = FileTold { name: name.clone(), bytes: metadata.len(), read: len, ..FileTold::default() };
        (found.skipped, found.without_index) = (plan.packets, plan.without.filter(|_| self.wanted.by_index));
        loop {
            let record = match reader.next_record() {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(fault) if plan.bytes == 0 => return Err(told(name, &fault)),
                Err(_) => {
                    return Err(anyhow!(
                        "{name}: its index leads into the middle of packets; --no-index reads all of it"
                    ));
                }
            };
            found.packets += 1;
            let is_wanted =
                self.wanted.is_in_time(record.time) && self.sieve.as_mut().is_none_or(|sieve| sieve.passes(&record));
            if is_wanted {
                found.take(record.time);
                if let (Some(to), Some(record)) = (&mut self.to, reader.last_record()) {
                    self.is_over = to.packet(&record, reader.origin())? == Written::NobodyReads;
                }
            }
            if self.is_over || (found.packets.is_multiple_of(LOOK) && is_over()) {
                break;
            }
        }
        found.is_cut = reader.cut().is_some();
        Ok(found)
    }

    /// Writes what waits.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.to.as_mut().map_or(Ok(()), |to| to.flush().map(drop))
    }
}
