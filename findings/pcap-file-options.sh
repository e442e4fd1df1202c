#!/bin/sh
# The crate pcap-file 2.0.0 refuses a pcapng file in which a block's options end with the block and without opt_endofopt ("Invalid
# option"). The format lets them: opt_endofopt "MUST NOT be repeated", and a reader must not rely on it (draft-ietf-opsawg-pcapng, 3.5);
# tshark, libpcap and others read such files, and some tools write them. Fails where the version is not to be had, or behaves otherwise.
set -eu
VERSION=${VERSION:-2.0.0}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init --quiet --name found --vcs none
cargo add --quiet "pcap-file@=$VERSION"
cat > src/main.rs <<'R'
use pcap_file::pcapng::PcapNgReader;

/// A section and an interface with a resolution of nanoseconds, in little-endian order; with the end of its options, or without.
fn file(end: &[u8]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let len = (12 + body.len()) as u32;
        [&kind.to_le_bytes()[..], &len.to_le_bytes(), body, &len.to_le_bytes()].concat()
    };
    let section = [&0x1a2b3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &u64::MAX.to_le_bytes()].concat();
    let interface = [&[1, 0, 0, 0, 0, 0, 0, 0][..], &[9, 0, 1, 0, 9, 0, 0, 0], end].concat();
    [block(0x0a0d0d0a, &section), block(1, &interface)].concat()
}

fn main() {
    for (name, end) in [("with", &[0; 4][..]), ("without", &[])] {
        let bytes = file(end);
        if let Some(path) = std::env::args().nth(1) {
            std::fs::write(format!("{path}/{name}.pcapng"), &bytes).unwrap();
        }
        let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
        println!("{name}: {}", if reader.next_block().unwrap().is_ok() { "read" } else { "refused" });
    }
}
R
said=$(cargo run --quiet -- "$work" 2> errors.txt) || { cat errors.txt; exit 1; }
echo "pcap-file $VERSION, options with and without their end: $said"
if command -v capinfos > /dev/null && capinfos -t without.pcapng > /dev/null; then
    echo "$(capinfos --version | head -n 1) reads both"
fi
case $said in
    *"with: read"*"without: refused"*) echo "as found" ;;
    *) echo "otherwise than found"; exit 1 ;;
esac
