//! What files consist of: pcapng by default, pcap on request. Each piece is whole: a file that ends behind one can be read.

use pcap_file::pcap::{PcapHeader, PcapWriter};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::blocks::interface_statistics::{InterfaceStatisticsBlock, InterfaceStatisticsOption};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapError, TsResolution};
use perigee_record::Record;
use perigee_runtime::config::capture::{Format, Way};
use perigee_runtime::{CaptureInfo, text};
use std::borrow::Cow;
use std::time::Duration;

/// Powers of ten of a second: nanoseconds (if_tsresol).
const NANOSECONDS: u8 = 9;

/// What is known of all packets.
pub(crate) struct About<'a> {
    pub(crate) info: &'a CaptureInfo,
    /// As it was written.
    pub(crate) filter: Option<&'a str>,
    /// What else is to be told of the file as a whole.
    pub(crate) comment: Option<String>,
}

/// What a place has seen in a file's time, and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Packets that have passed.
    pub(crate) seen: u64,
    /// Those that the filter refused.
    pub(crate) filter: u64,
    /// Those that were written over in memory before they were read.
    pub(crate) ring: u64,
    /// Those that could not be written.
    pub(crate) writer: u64,
    /// Those that came after the last one that was asked for.
    pub(crate) surplus: u64,
    /// Those in the file.
    pub(crate) written: u64,
    /// Packets that the port itself has lost, and which are none of the above.
    pub(crate) port: u64,
}

/// Makes the pieces of a file.
pub(super) enum Blocks {
    Pcapng(Box<PcapNgWriter<Vec<u8>>>),
    Pcap(Vec<u8>),
}

impl Blocks {
    /// A new file: its head.
    pub(super) fn new(format: Format, about: &About<'_>) -> Result<Self, PcapError> {
        match format {
            Format::Pcapng => pcapng(about).map(|writer| Self::Pcapng(Box::new(writer))),
            Format::Pcap => {
                let header = PcapHeader {
                    snaplen: about.info.snaplen.into(),
                    datalink: DataLink::ETHERNET,
                    ts_resolution: TsResolution::NanoSecond,
                    endianness: Endianness::native(),
                    ..PcapHeader::default()
                };
                PcapWriter::with_header(Vec::new(), header).map(|writer| Self::Pcap(writer.into_writer()))
            }
        }
    }

    /// What was made since this was taken last.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Pcapng(writer) => writer.get_mut(),
            Self::Pcap(bytes) => bytes,
        }
    }

    /// A packet.
    pub(super) fn packet(&mut self, about: &About<'_>, place: usize, record: &Record<'_>) -> Result<(), PcapError> {
        let timestamp = Duration::from_nanos(about.info.start_unix_ns.saturating_add(record.ns));
        match self {
            Self::Pcapng(writer) => {
                let cause = about.info.causes.get(usize::from(record.cause));
                let comment = cause.map(|cause| format!("dropped: {}", text::line(cause, text::NAME)));
                let block = EnhancedPacketBlock {
                    interface_id: u32::try_from(place).unwrap_or(0),
                    timestamp,
                    original_len: record.original,
                    data: Cow::Borrowed(record.bytes),
                    options: comment.map(|text| EnhancedPacketOption::Comment(text.into())).into_iter().collect(),
                };
                writer.write_pcapng_block(block).map(drop)
            }
            // The crate's writer of records keeps what it writes to itself.
            Self::Pcap(bytes) => {
                let seconds = u32::try_from(timestamp.as_secs()).unwrap_or(u32::MAX);
                let captured = u32::try_from(record.bytes.len()).unwrap_or(0);
                for word in [seconds, timestamp.subsec_nanos(), captured, record.original] {
                    bytes.extend_from_slice(&word.to_ne_bytes());
                }
                bytes.extend_from_slice(record.bytes);
                Ok(())
            }
        }
    }

    /// What each place has counted: the end of a file. Old files have no place for it.
    pub(super) fn end(&mut self, tallies: &[Tally], from_ns: u64, until_ns: u64) -> Result<(), PcapError> {
        let Self::Pcapng(writer) = self else { return Ok(()) };
        for (place, tally) in (0..).zip(tallies) {
            let Tally { seen, filter, ring, writer: lost, surplus, written, port } = *tally;
            let comment = format!(
                "not in this file: filter {filter}, ring {ring}, writer {lost}, surplus {surplus}; lost by the port itself: {port}"
            );
            let block = InterfaceStatisticsBlock {
                interface_id: place,
                timestamp: time(until_ns),
                options: vec![
                    InterfaceStatisticsOption::Comment(comment.into()),
                    InterfaceStatisticsOption::IsbStartTime(time(from_ns)),
                    InterfaceStatisticsOption::IsbEndTime(time(until_ns)),
                    InterfaceStatisticsOption::IsbIfRecv(seen),
                    InterfaceStatisticsOption::IsbIfDrop(port),
                    InterfaceStatisticsOption::IsbFilterAccept(seen - filter.min(seen)),
                    InterfaceStatisticsOption::IsbOsDrop(ring + lost),
                    InterfaceStatisticsOption::IsbUsrDeliv(written),
                ],
            };
            writer.write_pcapng_block(block)?;
        }
        Ok(())
    }
}

/// The upper half of a time comes first, in files of either order; the crate writes the number as a whole, in the file's order.
fn time(ns: u64) -> u64 {
    if cfg!(target_endian = "little") { ns.rotate_left(32) } else { ns }
}

fn pcapng(about: &About<'_>) -> Result<PcapNgWriter<Vec<u8>>, PcapError> {
    let program = concat!("perigee ", env!("CARGO_PKG_VERSION"));
    let comment = about.comment.as_ref().map(|comment| SectionHeaderOption::Comment(comment.clone().into()));
    let section = SectionHeaderBlock {
        endianness: Endianness::native(),
        options: comment.into_iter().chain([SectionHeaderOption::UserApplication(program.into())]).collect(),
        ..SectionHeaderBlock::default()
    };
    let mut writer = PcapNgWriter::with_section_header(Vec::new(), section)?;
    for place in &about.info.places {
        let mut block = InterfaceDescriptionBlock::new(DataLink::ETHERNET, about.info.snaplen.into());
        let way = match place.way {
            Way::In => "packets that come in",
            Way::Out => "packets that leave",
            Way::Within => "packets on their way",
        };
        block.options.push(InterfaceDescriptionOption::IfName(text::line(&place.name, text::WORDS).into()));
        block.options.push(InterfaceDescriptionOption::IfDescription(way.into()));
        if let Some(filter) = about.filter {
            // 0: a text for libpcap.
            let filter = [&[0], text::line(filter, text::WORDS).as_bytes()].concat();
            block.options.push(InterfaceDescriptionOption::IfFilter(filter.into()));
        }
        block.options.push(InterfaceDescriptionOption::IfTsResol(NANOSECONDS));
        writer.write_pcapng_block(block)?;
    }
    Ok(writer)
}

#[cfg(test)]
mod test {
    use super::*;
    use perigee_runtime::PlaceInfo;

    #[test]
    fn times_of_counts_have_their_upper_half_first() {
        let place = PlaceInfo { name: "fwd:rx".to_owned(), way: Way::In, port: None };
        let (places, lanes, causes) = (vec![place], Vec::new(), Vec::new());
        let info = CaptureInfo { id: 1, start_unix_ns: 0, snaplen: 64, places, lanes, causes };
        let about = About { info: &info, filter: None, comment: None };
        let mut blocks = Blocks::new(Format::Pcapng, &about).expect("a head");
        blocks.bytes().clear();
        blocks.end(&[Tally::default()], 0x1122_3344_5566_7788, 7).expect("an end");
        let times = [0x1122_3344_u32, 0x5566_7788].map(u32::to_ne_bytes).concat();
        let bytes = blocks.bytes();
        // isb_starttime is option 2, of 8 bytes.
        let option = [[2_u16, 8].map(u16::to_ne_bytes).concat(), times].concat();
        assert!(bytes.windows(option.len()).any(|window| window == option), "{bytes:02x?}");
    }
}
