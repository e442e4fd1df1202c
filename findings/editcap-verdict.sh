#!/usr/bin/env bash
# editcap 4.0.17 writes a packet's epb_verdict (what XDP or a card decided about it; xdpdump writes it) down as epb_queue: code 6 in the
# place of 7, with the verdict's nine bytes, where a queue has four. A reader that keeps to the format finds a block that is none,
# another one a queue that was never there. epb_hash is left away. 4.4.19 (Debian 13) keeps both. Fails where the version is not to be
# had, or behaves otherwise.
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

# One packet of queue 2, with the verdict of an XDP program (kind 2): 2, pass; and a hash by CRC32 (kind 2).
cat > look.py <<'P'
import struct
def block(kind, body):
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)
def make(name):
    frame = bytes.fromhex("02000000000202000000000188b5") + bytes(46)
    options = option(6, struct.pack("<I", 2)) + option(7, struct.pack("<BQ", 2, 2)) + option(3, b"\2\1\2\3\4") + bytes(4)
    open(name, "wb").write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", 1, 0, 65535))
                           + block(6, struct.pack("<IIIII", 0, 0, 1, len(frame), len(frame)) + frame + options))
def options(name):
    data, at, found = open(name, "rb").read(), 0, []
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind == 6:
            place = at + 28 + (struct.unpack_from("<I", data, at + 20)[0] + 3) // 4 * 4
            while place < at + size - 4 and (code := struct.unpack_from("<HH", data, place))[0] != 0:
                found.append(code)
                place += 4 + (code[1] + 3) // 4 * 4
        at += size
    return found
P
python3 -c 'import look; look.make("in.pcapng")'
usr/bin/editcap in.pcapng out.pcapng
python3 - <<'P'
import look, sys
before, after = look.options("in.pcapng"), look.options("out.pcapng")
print("options (code, bytes) before:", before, "after editcap:", after)
sys.exit(0 if before == [(6, 4), (7, 9), (3, 5)] and (6, 9) in after and not {7, 3} & {code for code, _ in after} else "otherwise than found")
P
echo "as found: editcap $version"
