#!/usr/bin/env bash
# python-pcapng 2.1.1 leaves if_tsoffset out: an interface that counts from another moment than 1970 (the option says how many seconds later)
# has packets in 1970. Nanoseconds are lost too: a time is a number of 53 bits. tshark and libpcap read the file right. Fails where the version is
# not to be had, or behaves otherwise.
#
# Installs python-pcapng in a virtual environment in a folder of its own. Needs python3-venv and PyPI.
set -euo pipefail
version=2.1.1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check "python-pcapng==$version"
venv/bin/python - <<'P'
import struct, sys
def block(kind, body):
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
frame = bytes.fromhex("02000000000202000000000188b5") + bytes(46)
options = struct.pack("<HHB3xHHqHH", 9, 1, 9, 14, 8, 1_700_000_000, 0, 0)
def packet(time):
    return block(6, struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(frame), len(frame)) + frame)
open("in.pcapng", "wb").write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
                              + block(1, struct.pack("<HHI", 1, 0, 65535) + options) + packet(5_000_000_000))
from pcapng import FileScanner
from pcapng.blocks import EnhancedPacket
seen = [packet.timestamp for packet in FileScanner(open("in.pcapng", "rb")) if isinstance(packet, EnhancedPacket)]
print("a packet 5 s after 1700000000; python-pcapng has it at", seen)
sys.exit(0 if seen == [5] else "otherwise than found")
P
echo "as found: python-pcapng $version"
