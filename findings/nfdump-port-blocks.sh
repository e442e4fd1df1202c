#!/usr/bin/env bash
# nfdump 1.7.1 (Debian 12) loses what a log of a translator's port blocks is for (RFC 8158, events 16 and 17 with portRangeStart and
# portRangeEnd): nfcapd keeps host, address and time, and no ports; nfdump calls the events UNKNOW, mappings' too (8 and 9), and has all records
# in no time window. 1.7.5 (Debian 13) has blocks, ports and names. tshark 4.0 and the PyPI packages ipfix and netflow have them
# as well. Fails where the version is not to be had, or behaves otherwise.
#
# Downloads a package into a folder of its own, installs nothing. Needs apt-get, dpkg-deb, python3, librrd8, libpcap0.8.
set -euo pipefail
version=${VERSION:-1.7.1-2+deb12u1}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 .
apt-get download -qq "nfdump=$version" librrd8 2> /dev/null
for deb in *.deb; do dpkg-deb -x "$deb" .; done
LD_LIBRARY_PATH=$(dirname "$folder"/usr/lib/*/librrd.so.8):$folder/usr/lib/nfdump
export LD_LIBRARY_PATH
mkdir flows
usr/bin/nfcapd -p 39995 -w flows -t 3600 > said.txt 2>&1 &
collector=$!
sleep 2
# One message: a template, and a record of ports 1024 to 2047 that a host was given.
python3 - <<'P'
import socket, struct
fields = [(323, 8), (230, 1), (8, 4), (225, 4), (361, 2), (362, 2)]
template = struct.pack("!HH", 257, len(fields)) + b"".join(struct.pack("!HH", *field) for field in fields)
record = struct.pack("!QB4s4sHH", 1_700_000_000_123, 16, socket.inet_aton("10.0.0.5"), socket.inet_aton("192.0.2.2"), 1024, 2047)
sets = b"".join(struct.pack("!HH", number, 4 + len(body)) + body for number, body in ((2, template), (257, record)))
message = struct.pack("!HHIII", 10, 16 + len(sets), 1_700_000_000, 0, 1) + sets
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(message, ("127.0.0.1", 39995))
P
sleep 1
kill $collector
wait $collector || true
usr/bin/nfdump -q -R flows -o raw > raw.txt
grep -E "event|xlt ip|src addr|block|port" raw.txt
if grep -q "10.0.0.5" raw.txt && grep -q "nat event *= *16: UNKNOW" raw.txt && ! grep -qE "1024|2047" raw.txt; then
    echo "as found: nfdump $version"
else
    echo "otherwise than found"; cat said.txt raw.txt
    exit 1
fi
