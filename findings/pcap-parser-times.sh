#!/bin/sh
# The crate pcap-parser 0.17.0 reads two of pcapng's times otherwise than the format has them (draft-ietf-opsawg-pcapng, 4.2): it has no
# resolution for an if_tsresol with the highest bit set (powers of two, here 2^-20: `ts_resolution` is None), and in a section in
# big-endian order it reads if_tsoffset as little-endian, so that -7 seconds become -432345564227567617. Both files are valid, and tshark
# reads them. Fails where the version is not to be had, or behaves otherwise.
set -eu
VERSION=${VERSION:-0.17.0}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init --quiet --name found --vcs none
cargo add --quiet "pcap-parser@=$VERSION"
cat > src/main.rs <<'R'
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{Block, PcapBlockOwned, PcapNGReader};

/// A section and an interface in big-endian order, with one option of the interface.
fn file(code: u16, value: &[u8]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let len = (12 + body.len()) as u32;
        [&kind.to_be_bytes()[..], &len.to_be_bytes(), body, &len.to_be_bytes()].concat()
    };
    let section = [&0x1a2b3c4d_u32.to_be_bytes()[..], &[0, 1, 0, 0], &u64::MAX.to_be_bytes()].concat();
    let mut option = [&code.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat();
    option.resize(option.len().next_multiple_of(4), 0);
    let interface = [&[0, 1, 0, 0, 0, 0, 0, 0][..], &option, &[0; 4]].concat();
    [block(0x0a0d0d0a, &section), block(1, &interface)].concat()
}

fn main() {
    for (code, value) in [(9, vec![0x80 | 20]), (14, (-7_i64).to_be_bytes().to_vec())] {
        let file = file(code, &value);
        let mut reader = PcapNGReader::new(65_536, &file[..]).unwrap();
        loop {
            let (len, block) = reader.next().unwrap();
            if let PcapBlockOwned::NG(Block::InterfaceDescription(interface)) = &block {
                println!("option {code}: resolution {:?}, offset {}", interface.ts_resolution(), interface.ts_offset());
                break;
            }
            reader.consume(len);
        }
    }
}
R
said=$(cargo run --quiet 2> errors.txt) || { cat errors.txt; exit 1; }
echo "pcap-parser $VERSION: $said"
case $said in
    *"option 9: resolution None"*"offset -432345564227567617"*) echo "as found" ;;
    *) echo "otherwise than found"; exit 1 ;;
esac
