//! Where packets go that were found: a pcapng file with the interfaces, times and comments that they had.

use crate::capture::Place;
use anyhow::{Context, Result, anyhow};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness};
use perigee_pcap::file::{Origin, Record};
use perigee_runtime::text;
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

/// As many bytes are written at once.
const PIECE: usize = 256 << 10;
/// Powers of ten of a second: nanoseconds (if_tsresol).
const NANOSECONDS: u8 = 9;
/// Snap length of the interfaces: what any packet has.
const SNAP_LENGTH: u32 = 262_144;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Yes,
    /// Who was to read it has gone.
    NobodyReads,
}

/// The file.
pub(super) struct Found {
    place: Place,
    writer: PcapNgWriter<Vec<u8>>,
    /// By link and name.
    interfaces: HashMap<(u16, Vec<u8>), u32>,
    /// Where packets end in what waits.
    ends: Vec<usize>,
}

impl Found {
    /// Makes the file; `-` is standard output.
    pub(super) fn create(path: &Path, overwrite: bool) -> Result<Self> {
        let place = if path.as_os_str() == "-" {
            Place::stdout()
        } else if Place::is_stream(path) {
            Place::open_stream(path)
        } else {
            Place::create(path, overwrite)
        };
        let hint = if overwrite { "" } else { "; what is there is not written over without --overwrite" };
        let place = place.with_context(|| format!("cannot write {}{hint}", path.display()))?;
        let program = concat!("perigee ", env!("CARGO_PKG_VERSION"));
        let section = SectionHeaderBlock {
            endianness: Endianness::native(),
            options: vec![SectionHeaderOption::UserApplication(program.into())],
            ..SectionHeaderBlock::default()
        };
        let writer = PcapNgWriter::with_section_header(Vec::new(), section).context("the file's head")?;
        Ok(Self { place, writer, interfaces: HashMap::new(), ends: Vec::new() })
    }

    /// A packet.
    pub(super) fn packet(&mut self, record: &Record<'_>, origin: Origin<'_>) -> Result<Written> {
        let interface_id = self.interface(record.link, origin.interface)?;
        let ns = record.time.and_then(|time| u64::try_from(time.max(0)).ok()).unwrap_or(0);
        let comment = origin
            .comment
            .map(|comment| EnhancedPacketOption::Comment(text::line_of_bytes(comment, text::WORDS).into()));
        let block = EnhancedPacketBlock {
            interface_id,
            timestamp: Duration::from_nanos(ns),
            original_len: record.original,
            data: Cow::Borrowed(record.bytes),
            options: comment.into_iter().collect(),
        };
        self.writer.write_pcapng_block(block).context("a packet cannot be written down")?;
        self.ends.push(self.writer.get_mut().len());
        if self.writer.get_mut().len() >= PIECE { self.flush() } else { Ok(Written::Yes) }
    }

    fn interface(&mut self, link: u16, name: &[u8]) -> Result<u32> {
        if let Some(number) = self.interfaces.get(&(link, name.to_vec())) {
            return Ok(*number);
        }
        let number = u32::try_from(self.interfaces.len()).context("too many interfaces")?;
        let mut block = InterfaceDescriptionBlock::new(DataLink::from(u32::from(link)), SNAP_LENGTH);
        if !name.is_empty() {
            let name = text::line_of_bytes(name, text::WORDS);
            block.options.push(InterfaceDescriptionOption::IfName(name.into()));
        }
        block.options.push(InterfaceDescriptionOption::IfTsResol(NANOSECONDS));
        self.writer.write_pcapng_block(block).context("an interface cannot be written down")?;
        self.interfaces.insert((link, name.to_vec()), number);
        Ok(number)
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self) -> Result<Written> {
        let bytes = std::mem::take(self.writer.get_mut());
        let written = self.place.write(&bytes, self.ends.drain(..));
        match written {
            Ok(()) => Ok(Written::Yes),
            Err(unwritten) if unwritten.is_reader_gone() => Ok(Written::NobodyReads),
            Err(unwritten) => Err(anyhow!("{}: {}", self.place.path.display(), unwritten.told())),
        }
    }
}
