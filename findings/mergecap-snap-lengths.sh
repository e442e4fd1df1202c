#!/usr/bin/env bash
# mergecap 4.0.17 makes of two captures by libpcap's own programs, one with snap length 65535 (older tcpdump), one with 262144
# (today's), a pcapng file with an interface for each. libpcap 1.10.3, and with it tcpdump and DPDK's net_pcap, reads no packet of
# it: "an interface has a snapshot length 262144 different from the snapshot length of the first interface". With -F nsecpcap the file is
# read. So Perigee counts a capture with libpcap before a run and names that cure. Fails when that has changed.
#
# Downloads packages into a folder of its own, installs nothing. Needs apt-get, dpkg-deb, python3, libglib2.0-0, libgnutls30,
# libdbus-1-3.
set -euo pipefail
version=4.0.17-0+deb12u3
libpcap=1.10.3-1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download "wireshark-common=$version" "libwiretap13=$version" "libwsutil14=$version" "libpcap0.8=$libpcap" >/dev/null
for deb in *.deb; do dpkg-deb -x "$deb" .; done
LD_LIBRARY_PATH=$(dirname "$folder"/usr/lib/*/libwiretap.so.13)
export LD_LIBRARY_PATH

python3 - <<'P'
import struct
frame = bytes.fromhex("02000000000202000000000188b5") + bytes(46)
for name, length in (("old", 65535), ("new", 262144)):
    open(name + ".pcap", "wb").write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, length, 1)
                                     + struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame)
P
usr/bin/mergecap -w both.pcapng old.pcap new.pcap
usr/bin/mergecap -F nsecpcap -w both.pcap old.pcap new.pcap
python3 - <<'P'
import ctypes, sys
pcap = ctypes.CDLL("libpcap.so.0.8")
pcap.pcap_open_offline.restype = ctypes.c_void_p
pcap.pcap_next_ex.argtypes = [ctypes.c_void_p] * 3
pcap.pcap_geterr.argtypes, pcap.pcap_geterr.restype = [ctypes.c_void_p], ctypes.c_char_p
def read(name):
    reader = pcap.pcap_open_offline(name, ctypes.create_string_buffer(256))
    header, data, packets = ctypes.c_void_p(), ctypes.c_void_p(), 0
    while (end := pcap.pcap_next_ex(reader, ctypes.addressof(header), ctypes.addressof(data))) == 1:
        packets += 1
    return packets, end, pcap.pcap_geterr(reader).decode()
merged, converted = read(b"both.pcapng"), read(b"both.pcap")
print("both.pcapng:", *merged)
print("both.pcap:", *converted)
as_seen = merged[:2] == (0, -1) and "snapshot length 262144 different" in merged[2] and converted[:2] == (2, -2)
sys.exit(0 if as_seen else "libpcap reads what mergecap writes now")
P
echo "as described: mergecap $version, libpcap $libpcap"
