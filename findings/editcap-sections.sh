#!/usr/bin/env bash
# A pcapng file may have several sections, each with its own interfaces: two files put together by `cat` are one. editcap 4.0.17 makes one
# section of them, writes the second one's interface down as interface 1, and then writes all packets as those of interface 0: they have
# another port's name, and where that one counts microseconds, nanoseconds are cut off. 4.4.19 (Debian 13) does it right. Fails where the
# version is not to be had, or behaves otherwise.
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

# "left" counts microseconds, "right" nanoseconds; a packet of each.
python3 - <<'P'
import struct
def block(kind, body):
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)
frame = bytes.fromhex("02000000000202000000000188b5") + bytes(46)
for name, digits, time in (("left", 6, 1_700_000_000_000_007), ("right", 9, 1_700_000_000_123_456_789)):
    options = option(2, name.encode()) + option(9, bytes([digits])) + bytes(4)
    open(name, "wb").write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", 1, 0, 65535) + options)
                           + block(6, struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(frame), len(frame)) + frame))
P
cat left right > in.pcapng
usr/bin/editcap in.pcapng out.pcapng
python3 - <<'P'
import struct, sys
data, at, packets, interfaces = open("out.pcapng", "rb").read(), 0, [], 0
while at < len(data):
    kind, size = struct.unpack_from("<II", data, at)
    interfaces += kind == 1
    if kind == 6:
        interface, high, low = struct.unpack_from("<III", data, at + 8)
        packets.append((interface, high << 32 | low))
    at += size
print(f"{interfaces} interfaces; packets (interface, time):", packets)
sys.exit(0 if (interfaces, packets) == (2, [(0, 1_700_000_000_000_007), (0, 1_700_000_000_123_456)]) else "otherwise than found")
P
echo "as found: editcap $version"
