#!/bin/sh
# DPDK 22.11's net_null fills no packet: what it hands over has the bytes that were in the buffer before, so in a pool that ports share it is
# the other ports' packets, addresses and payload alike (cut or lengthened to its size), not zeros. testpmd (Debian's package, unpacked in a temporary folder)
# reads a file with packets from 02:00:00:00:00:ff by net_pcap, and then has packets from there by net_null.
# With copy=1 they are zeros. The same with VERSION=24.11.8-0+deb13u1, on Debian 13. Fails where the version is not to be had, or behaves otherwise.
set -eu
VERSION=${VERSION:-22.11.11-0+deb12u1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
chmod 755 .
apt-get download -qq "dpdk-dev=$VERSION" 2> /dev/null
dpkg-deb -x dpdk-dev_*.deb .
python3 - <<'P'
import struct
with open("in.pcap", "wb") as file:
    file.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    for i in range(64):
        frame = bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0xff, 0x88, 0xB5]) + bytes(46)
        file.write(struct.pack("<IIII", i, 0, len(frame), len(frame)) + frame)
P
(sleep 2; echo "set verbose 1"; echo start; sleep 0.1; echo stop; echo quit) |
    ./usr/bin/dpdk-testpmd --no-huge --no-shconf --no-pci --no-telemetry -m 128 --log-level=error --vdev net_pcap0,rx_pcap=in.pcap \
    --vdev net_null0 -- -i --total-num-mbufs=2048 --forward-mode=rxonly --no-flush-rx > said.txt 2>&1
seen=$(awk '/^port [01]\/queue/ { null = /^port 1/ } null && /src=02:00:00:00:00:FF/ { n += 1 } END { print n + 0 }' said.txt)
echo "dpdk $VERSION: $seen packets of net_null have the source that net_pcap's 64 had"
[ "$seen" -gt 0 ] || { echo "otherwise than found"; tail -30 said.txt; exit 1; }
