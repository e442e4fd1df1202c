#!/usr/bin/env bash
# tcpdump 4.99.3 with libpcap 1.10.3, asked to copy packets out of a file (-r with -w, as one does to filter), writes microseconds, and
# cuts the rest of each time off, whatever the file it reads has: pcapng or pcap in nanoseconds. No word, exit code 0. With --nano the copy
# is in nanoseconds. Fails where the version is not to be had, or behaves otherwise.
#
# Downloads packages into a folder of its own, installs nothing. Needs apt-get, dpkg-deb, python3, libssl3, libdbus-1-3.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 .
apt-get download -qq tcpdump=4.99.3-1 libpcap0.8=1.10.3-1 2> /dev/null
for deb in *.deb; do dpkg-deb -x "$deb" .; done
LD_LIBRARY_PATH=$(dirname "$folder"/usr/lib/*/libpcap.so.0.8)
export LD_LIBRARY_PATH

# One packet at 1700000000.123456789 s, in a pcap of nanoseconds.
python3 - <<'P'
import struct
frame = bytes.fromhex("02000000000202000000000188b5") + bytes(46)
open("in.pcap", "wb").write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)
                            + struct.pack("<IIII", 1_700_000_000, 123_456_789, len(frame), len(frame)) + frame)
P
usr/bin/tcpdump -r in.pcap -w plain.pcap 2> /dev/null
usr/bin/tcpdump --nano -r in.pcap -w nano.pcap 2> /dev/null
python3 - <<'P'
import struct, sys
def look(name):
    data = open(name, "rb").read()
    return {0xA1B2C3D4: "us", 0xA1B23C4D: "ns"}[struct.unpack_from("<I", data)[0]], struct.unpack_from("<I", data, 28)[0]
seen = {name: look(name) for name in ("in.pcap", "plain.pcap", "nano.pcap")}
print("unit, fraction of the second:", seen)
sys.exit(0 if seen["plain.pcap"] == ("us", 123_456) and seen["nano.pcap"] == ("ns", 123_456_789) else "otherwise than found")
P
