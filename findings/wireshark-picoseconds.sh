#!/usr/bin/env bash
# Wireshark's library for captures (4.0.17, and 4.4.19 as Debian 13 has it) reads the fractions of a second wrongly where a pcapng
# interface counts finer than nanoseconds: with if_tsresol 12, picoseconds as some cards count, 0.999 s becomes 0.002 s. The seconds are
# right, and so is all below 18.4 ms, where 64 bits run over: a file in order looks shuffled. tshark, capinfos and editcap have it, which writes it down as well.
# libpcap 1.10.3 and Scapy read the same file right. Fails where the version is not to be had, or behaves otherwise.
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

# Three packets at 5.004, 5.005 and 5.999 s, in picoseconds.
python3 - <<'P'
import struct
def block(kind, body):
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
frame = bytes.fromhex("02000000000202000000000188b5") + bytes(46)
with open("in.pcapng", "wb") as file:
    file.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
    file.write(block(1, struct.pack("<HHIHHB3xHH", 1, 0, 65535, 9, 1, 12, 0, 0)))
    for milliseconds in (5004, 5005, 5999):
        time = milliseconds * 10**9
        file.write(block(6, struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(frame), len(frame)) + frame))
P
usr/bin/editcap in.pcapng out.pcapng
first_and_last=$(usr/bin/capinfos -T -r -m -N -a -e -S in.pcapng | tail -n 1)
echo "capinfos: $first_and_last"
python3 - <<'P'
import struct, sys
data, at, seen = open("out.pcapng", "rb").read(), 0, []
while at < len(data):
    kind, size = struct.unpack_from("<II", data, at)
    if kind == 6:
        high, low = struct.unpack_from("<II", data, at + 12)
        seen.append((high << 32 | low) // 10**6)
    at += size
print("in at 5004000, 5005000, 5999000 us; out of editcap at", ", ".join(map(str, seen)))
sys.exit(0 if seen[0] == 5004000 and seen[1:] != [5005000, 5999000] else "otherwise than found")
P
