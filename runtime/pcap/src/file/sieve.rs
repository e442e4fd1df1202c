//! Filters on the records of files: what a program sees of a packet that was cut, or that has no header of Ethernet.

use super::ethernet::{self, Frame as Made};
use super::reader::Record;
use crate::filter::Program;
use perigee_core::frame::Frame;
use std::sync::Arc;

/// A filter for records.
#[derive(Clone, Debug)]
pub struct Sieve {
    program: Arc<Program>,
    /// Of packets that have no header of Ethernet, what the program looks at.
    made: Vec<u8>,
}

/// A packet with the length that it had.
struct Captured<'a> {
    bytes: &'a [u8],
    len: u32,
}

impl Frame for Captured<'_> {
    fn len(&self) -> u32 {
        self.len
    }

    fn bytes<const N: usize>(&self, at: u32) -> Option<[u8; N]> {
        self.bytes.bytes(at)
    }
}

impl Sieve {
    /// Of a program.
    pub fn new(program: Arc<Program>) -> Self {
        Self { program, made: Vec::new() }
    }

    /// Whether the record passes. Its length is the packet's own, however little the file has of it, as for tcpdump. One of a link of
    /// which nothing makes a frame does not pass.
    pub fn passes(&mut self, record: &Record<'_>) -> bool {
        match ethernet::frame(record.link, record.bytes) {
            Some(Made { header: None, rest }) => self.program.passes(&Captured { bytes: rest, len: record.original }),
            Some(Made { header: Some(header), rest }) => {
                self.made.clear();
                self.made.extend_from_slice(&header);
                self.made.extend_from_slice(rest);
                let cut = record.original.saturating_sub(u32::try_from(record.bytes.len()).unwrap_or(u32::MAX));
                let len = u32::try_from(self.made.len()).unwrap_or(u32::MAX).saturating_add(cut);
                self.program.passes(&Captured { bytes: &self.made, len })
            }
            None => false,
        }
    }
}
