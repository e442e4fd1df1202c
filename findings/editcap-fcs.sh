#!/usr/bin/env bash
# editcap 4.0.17 -L -C -4 takes the frame check sequence off the packets of a pcapng, and leaves the interface's option if_fcslen
# as it was: whoever believes the new file takes four bytes of payload for the sequence. Without -L each packet looks cut short as
# well. With -F nsecpcap nothing says that there is a sequence. Perigee's warning names that. Fails when that has changed.
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

# One frame of 60 bytes with 4 behind them, if_fcslen 4.
python3 - <<'P'
import struct
def block(kind, body):
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
frame = bytes.fromhex("02000000000202000000000188b5") + bytes(46) + bytes.fromhex("01020304")
open("in.pcapng", "wb").write(
    block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    + block(1, struct.pack("<HHIHHB3xHH", 1, 0, 65535, 13, 1, 4, 0, 0))
    + block(6, struct.pack("<IIIII", 0, 0, 0, len(frame), len(frame)) + frame))
P
usr/bin/editcap -C -4 in.pcapng short.pcapng
usr/bin/editcap -L -C -4 in.pcapng out.pcapng
usr/bin/editcap -F nsecpcap -L -C -4 in.pcapng out.pcap
python3 - <<'P'
import struct, sys
def look(name):
    data, at, fcs, lengths = open(name, "rb").read(), 0, None, None
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind == 1:
            option = at + 16
            while (code := struct.unpack_from("<HH", data, option))[0] != 0:
                fcs = data[option + 4] if code[0] == 13 else fcs
                option += 4 + (code[1] + 3) // 4 * 4
        if kind == 6:
            lengths = struct.unpack_from("<II", data, at + 20)
        at += size
    return fcs, lengths
short, out, old = look("short.pcapng"), look("out.pcapng"), open("out.pcap", "rb").read()
link, lengths = struct.unpack_from("<I", old, 20)[0], struct.unpack_from("<II", old, 32)
print(f"-C -4: if_fcslen, (captured, original) = {short}; -L -C -4: {out}; -F nsecpcap: link type {link:#x}, {lengths}")
as_seen = (short, out, link, lengths) == ((4, (60, 64)), (4, (60, 60)), 1, (60, 60))
sys.exit(0 if as_seen else "editcap says now that the sequence is gone: -L -C -4 alone may be a cure")
P
echo "as described: editcap $version"
