#!/bin/sh
# DPDK 22.11's net_pcap on an interface, given a frame that is longer than the interface's MTU allows, answers as if its queue were
# full: the kernel refuses that frame for ever (EMSGSIZE), and nobody hears which it was. testpmd (Debian's package, unpacked in a
# temporary folder) forwards 60 short frames, each followed by one of 1,400 bytes, to an interface with an MTU of 1,000, in bursts of
# 32: it drops what is not taken, and short ones go with the long ones. Needs root.
# The same with VERSION=24.11.8-0+deb13u1, on Debian 13. Fails where the version is not to be had, or behaves otherwise.
set -eu
VERSION=${VERSION:-22.11.11-0+deb12u1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
chmod 755 .
apt-get download -qq "dpdk-dev=$VERSION" 2> /dev/null
dpkg-deb -x dpdk-dev_*.deb .
python3 - <<'P'
import struct
with open("in.pcap", "wb") as file:
    file.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    for i in range(120):
        frame = bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xB5]) + bytes(1386 if i % 2 else 46)
        file.write(struct.pack("<IIII", i, 0, len(frame), len(frame)) + frame)
P
cat > run.sh <<'R'
set -eu
sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ip link add to type veth peer name from
ip link set to mtu "$1" up
ip link set from up
sleep 4 | ./usr/bin/dpdk-testpmd --no-huge --no-shconf --no-pci --no-telemetry -m 128 --log-level=error \
    --vdev "net_pcap0,rx_pcap=in.pcap" --vdev "net_pcap1,iface=to" -- --total-num-mbufs=4096 --burst=32 --no-flush-rx > said.txt 2>&1
ip -statistics -json link show from | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["stats64"]["rx"]["packets"])'
R
whole=$(unshare --net sh run.sh 1500)
arrived=$(unshare --net sh run.sh 1000)
echo "dpdk $VERSION, 60 short frames and 60 of 1,400 bytes: $whole arrive with an MTU of 1,500, $arrived with one of 1,000"
if [ "$whole" = 120 ] && [ "$arrived" -gt 0 ] && [ "$arrived" -lt 60 ]; then
    echo "as found: a frame that is refused takes others with it"
else
    echo "otherwise than found"
    cat said.txt
    exit 1
fi
