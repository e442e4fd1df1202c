#!/bin/sh
# The crate pcap-file 2.0.0 writes the times of a pcapng file's interface statistics (isb_starttime, isb_endtime) as one number of 64 bits in the
# file's byte order. The format has two numbers of 32 bits, the upper one first (draft-ietf-opsawg-pcapng, 4.6 and 4.3), in files of either
# order: so in little-endian files both halves stand in each other's place, and readers find a time that is none. The times of packets,
# which the same crate writes, are right. Fails where the version is not to be had, or behaves otherwise.
set -eu
VERSION=${VERSION:-2.0.0}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init --quiet --name found --vcs none
cargo add --quiet "pcap-file@=$VERSION"
cat > src/main.rs <<'R'
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;
use pcap_file::pcapng::blocks::interface_statistics::{InterfaceStatisticsBlock, InterfaceStatisticsOption};
use pcap_file::pcapng::blocks::section_header::SectionHeaderBlock;
use pcap_file::{DataLink, Endianness};

fn main() {
    for endianness in [Endianness::Big, Endianness::Little] {
        let section = SectionHeaderBlock { endianness, ..SectionHeaderBlock::default() };
        let mut writer = PcapNgWriter::with_section_header(Vec::new(), section).unwrap();
        writer.write_pcapng_block(InterfaceDescriptionBlock::new(DataLink::ETHERNET, 0)).unwrap();
        let before = writer.get_ref().len();
        let options = vec![InterfaceStatisticsOption::IsbStartTime(0x1122_3344_5566_7788)];
        let statistics = InterfaceStatisticsBlock { interface_id: 0, timestamp: 0, options };
        writer.write_pcapng_block(statistics).unwrap();
        // Behind the block's head (8), interface (4), time (8) and the option's head (4).
        let halves = &writer.get_ref()[before + 24..before + 32];
        let half = |at: usize| {
            let bytes: [u8; 4] = halves[at..at + 4].try_into().unwrap();
            if endianness == Endianness::Big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
        };
        println!("{endianness:?}: {:08x} {:08x}", half(0), half(4));
    }
}
R
said=$(cargo run --quiet 2> errors.txt) || { cat errors.txt; exit 1; }
echo "pcap-file $VERSION, isb_starttime 0x1122334455667788, its two halves as readers take them:"
echo "$said"
case "$said" in
    *"Big: 11223344 55667788"*"Little: 55667788 11223344"*) echo "as found: in little-endian files the lower half stands first" ;;
    *) echo "otherwise than found"; exit 1 ;;
esac
