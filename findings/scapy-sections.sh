#!/usr/bin/env bash
# Scapy 2.8.0 reads a pcapng file of several sections (two files put together by `cat` are one) with the interfaces of the first section
# throughout: in the second one a packet of nanoseconds gets a time a thousand times too large where the first section counts microseconds,
# and the other way round a thousand times too small; and the first one's interface name. No word. Fails where the version is not to be had,
# or behaves otherwise.
#
# Installs scapy in a virtual environment in a folder of its own. Needs python3-venv and PyPI.
set -euo pipefail
version=2.8.0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check "scapy==$version"
venv/bin/python - <<'P'
import struct, sys
def block(kind, body):
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)
frame = bytes.fromhex("02000000000202000000000188b5") + bytes(46)
def section(name, digits, time):
    options = option(2, name) + option(9, bytes([digits])) + bytes(4)
    return (block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", 1, 0, 65535) + options)
            + block(6, struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(frame), len(frame)) + frame))
left, right = section(b"left", 6, 1_700_000_000_000_007), section(b"right", 9, 1_700_000_000_123_456_789)
open("left-right.pcapng", "wb").write(left + right)
open("right-left.pcapng", "wb").write(right + left)
from scapy.all import PcapNgReader
seen = {name: [(packet.sniffed_on, str(packet.time)) for packet in PcapNgReader(name + ".pcapng")] for name in ("left-right", "right-left")}
for name, packets in seen.items():
    print(name, packets)
second = {name: packets[1] for name, packets in seen.items()}
as_seen = second == {"left-right": ("left", "1700000000123.456789"), "right-left": ("right", "1700000.000000007")}
sys.exit(0 if as_seen else "otherwise than found")
P
echo "as found: scapy $version"
