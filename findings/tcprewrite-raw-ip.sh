#!/usr/bin/env bash
# tcprewrite 4.4.3, asked to put an Ethernet header before raw IP packets (--dlt=enet), writes it over the first 14 bytes of
# the IP header: the file says Ethernet, packets are as long as before, half of the IP header is gone, the exit code is 0.
# So the message about captures that are not Ethernet does not name it as a cure. Fails when that has changed.
#
# Downloads the package into a folder of its own, installs nothing. Needs apt-get, dpkg-deb, python3.
set -euo pipefail
version=4.4.3-1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download "tcpreplay=$version" >/dev/null
dpkg-deb -x tcpreplay_*.deb .

# One UDP packet over IPv4 from and to documentation addresses, link type 101 (raw IP).
python3 - <<'P'
import struct
ip = bytes.fromhex("4500001c0001000040110000c0000201c000020203e8000900080000")
open("in.pcap", "wb").write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101)
                            + struct.pack("<IIII", 1, 0, len(ip), len(ip)) + ip)
P
usr/bin/tcprewrite --dlt=enet --enet-dmac=02:00:00:00:00:02 --enet-smac=02:00:00:00:00:01 -i in.pcap -o out.pcap
python3 - <<'P'
import struct, sys
data = open("out.pcap", "rb").read()
link, length = struct.unpack_from("<I", data, 20)[0], struct.unpack_from("<I", data, 32)[0]
frame = data[40:]
print(f"link type {link}, {length} bytes: {frame.hex()}")
# Seen: 28 bytes, addresses, and at byte 12 what was byte 12 of the IP header: its source address, 192.0.2.1.
as_seen = (link, length, frame[:12].hex(), frame[12:16].hex()) == (1, 28, "020000000002020000000001", "c0000201")
sys.exit(0 if as_seen else "tcprewrite does something else now: look whether it can be named as a cure")
P
echo "as described: tcpreplay $version"
