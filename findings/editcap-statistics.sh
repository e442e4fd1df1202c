#!/usr/bin/env bash
# A pcapng file's interface statistics say how many packets were received, dropped and refused by the filter. editcap, mergecap and
# tshark -w (4.0.17, and 4.4.19 as Debian 13 has it) leave them away: a copy of a capture says no more that it has holes. Comments of
# sections, interfaces and packets stay. Fails where the version is not to be had, or behaves otherwise.
#
# Downloads packages into a folder of its own, installs nothing. Needs apt-get, dpkg-deb, python3, libglib2.0-0, libgnutls30.
set -euo pipefail
version=4.0.17-0+deb12u3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 .
apt-get download -qq "wireshark-common=$version" "libwiretap13=$version" "libwsutil14=$version" 2> /dev/null
for deb in *.deb; do dpkg-deb -x "$deb" .; done
LD_LIBRARY_PATH=$(dirname "$folder"/usr/lib/*/libwiretap.so.13)
export LD_LIBRARY_PATH

# One packet, and statistics: 10 received, 3 dropped.
python3 - <<'P'
import struct
def block(kind, body):
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)
frame = bytes.fromhex("02000000000202000000000188b5") + bytes(46)
counts = option(4, struct.pack("<Q", 10)) + option(5, struct.pack("<Q", 3)) + bytes(4)
open("in.pcapng", "wb").write(
    block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + option(1, b"a comment") + bytes(4))
    + block(1, struct.pack("<HHI", 1, 0, 65535) + option(1, b"a comment") + bytes(4))
    + block(6, struct.pack("<IIIII", 0, 0, 1, len(frame), len(frame)) + frame + option(1, b"a comment") + bytes(4))
    + block(5, struct.pack("<III", 0, 0, 2) + counts))
P
usr/bin/editcap in.pcapng edited.pcapng
usr/bin/mergecap -w merged.pcapng in.pcapng
python3 - <<'P'
import struct, sys
def look(name):
    data, at, kinds = open(name, "rb").read(), 0, []
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        kinds.append(kind)
        at += size
    return kinds.count(6), kinds.count(5), data.count(b"a comment")
seen = {name: look(name + ".pcapng") for name in ("in", "edited", "merged")}
print("packets, statistics, comments:", seen)
sys.exit(0 if seen["in"] == (1, 1, 3) and seen["edited"] == (1, 0, 3) and seen["merged"][:2] == (1, 0) else "otherwise than found")
P
echo "as found: editcap and mergecap $version"
