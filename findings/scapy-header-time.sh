#!/usr/bin/env bash
# Scapy 2.8.0: a header put before a packet that was read (Ether()/p) makes a packet as old as that moment; the time that the
# capture gave p is p's own, and wrpcap writes the new one. So a capture of raw IP that is turned into Ethernet frames in one line
# has lost all its times, without a word. Perigee's message has the time copied. Fails when that has changed.
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
import struct, sys, time
# Two packets of IPv4 and UDP from and to documentation addresses, at 1700000000 and 1700000001 s, link type 101 (raw IP).
ip = bytes.fromhex("4500001c0001000040110000c0000201c000020203e8000900080000")
records = b"".join(struct.pack("<IIII", 1_700_000_000 + n, 0, len(ip), len(ip)) + ip for n in range(2))
open("raw.pcap", "wb").write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101) + records)
from scapy.all import Ether, rdpcap, wrpcap
begin = time.time()
wrpcap("line.pcap", [Ether(dst="02:00:00:00:00:02") / p for p in rdpcap("raw.pcap")])
for p in rdpcap("raw.pcap"):
    q = Ether(dst="02:00:00:00:00:02") / p
    q.time = p.time
    wrpcap("copied.pcap", q, append=True)
def first(name):
    return [int(p.time) for p in rdpcap(name)]
line, copied = first("line.pcap"), first("copied.pcap")
print("in one line: now" if all(at >= int(begin) for at in line) else f"in one line: {line}", "- time copied:", copied)
as_seen = all(at >= int(begin) for at in line) and copied == [1_700_000_000, 1_700_000_001]
sys.exit(0 if as_seen else "Scapy keeps the time of what is behind a new header now: one line is enough")
P
echo "as described: scapy $version"
