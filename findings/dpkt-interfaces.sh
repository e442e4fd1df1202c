#!/usr/bin/env bash
# dpkt 1.9.8 reads a pcapng file's packets all by its first interface: where another one counts otherwise (mergecap, dumpcap on two
# interfaces and `cat` make such files), their times are off by a thousand; and it hands over no simple packet block, all without a word.
# Fails where the version is not to be had, or behaves otherwise.
#
# Installs dpkt in a virtual environment in a folder of its own. Needs python3-venv and PyPI.
set -euo pipefail
version=1.9.8
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check "dpkt==$version"
venv/bin/python - <<'P'
import struct, sys
def block(kind, body):
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
frame = bytes.fromhex("02000000000202000000000188b5") + bytes(46)
def interface(digits):
    return block(1, struct.pack("<HHIHHB3xHH", 1, 0, 65535, 9, 1, digits, 0, 0))
def packet(number, time):
    return block(6, struct.pack("<IIIII", number, time >> 32, time & 0xFFFFFFFF, len(frame), len(frame)) + frame)
simple = block(3, struct.pack("<I", len(frame)) + frame)
open("in.pcapng", "wb").write(
    block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + interface(6) + interface(9)
    + packet(0, 1_700_000_000_000_000) + packet(1, 1_700_000_000_000_000_000) + simple)
import dpkt
seen = [time for time, _ in dpkt.pcapng.Reader(open("in.pcapng", "rb"))]
print("three packets, two of them at 1700000000 s; dpkt has", seen)
sys.exit(0 if seen == [1_700_000_000, 1_700_000_000_000] else "otherwise than found")
P
echo "as found: dpkt $version"
