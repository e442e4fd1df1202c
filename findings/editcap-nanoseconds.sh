#!/usr/bin/env bash
# editcap 4.0.17 -F pcap, given a pcapng whose interface counts nanoseconds, writes microseconds and cuts the rest of each time
# off: no word, exit code 0. So the messages about captures that libpcap does not read name -F nsecpcap. Fails when that has changed.
#
# Downloads packages into a folder of its own, installs nothing. Needs apt-get, dpkg-deb, python3, libglib2.0-0, libgnutls30.
set -euo pipefail
version=4.0.17-0+deb12u3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download "wireshark-common=$version" "libwiretap13=$version" "libwsutil14=$version" >/dev/null
for deb in *.deb; do dpkg-deb -x "$deb" .; done
LD_LIBRARY_PATH=$(dirname "$folder"/usr/lib/*/libwiretap.so.13)
export LD_LIBRARY_PATH

# One packet at 1700000000.123456789 s, if_tsresol 9.
python3 - <<'P'
import struct
def block(kind, body):
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
frame = bytes.fromhex("02000000000202000000000188b5") + bytes(46)
time = 1_700_000_000_123_456_789
open("in.pcapng", "wb").write(
    block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    + block(1, struct.pack("<HHIHHB3xHH", 1, 0, 65535, 9, 1, 9, 0, 0))
    + block(6, struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(frame), len(frame)) + frame))
P
usr/bin/editcap -F pcap in.pcapng us.pcap
usr/bin/editcap -F nsecpcap in.pcapng ns.pcap
python3 - <<'P'
import struct, sys
def first(name):
    magic, = struct.unpack_from("<I", open(name, "rb").read())
    return hex(magic), struct.unpack_from("<II", open(name, "rb").read(), 24)
us, ns = first("us.pcap"), first("ns.pcap")
print(f"-F pcap: magic {us[0]}, {us[1][0]} s and {us[1][1]}; -F nsecpcap: magic {ns[0]}, {ns[1][0]} s and {ns[1][1]}")
as_seen = us == ("0xa1b2c3d4", (1_700_000_000, 123_456)) and ns == ("0xa1b23c4d", (1_700_000_000, 123_456_789))
sys.exit(0 if as_seen else "editcap keeps the time now: -F pcap is as good a cure")
P
echo "as described: editcap $version"
