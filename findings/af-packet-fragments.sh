#!/bin/sh
# DPDK 22.11's net_af_packet with one queue never hands over IPv4 fragments: its socket is in a fanout group with the flag
# DEFRAG, so the kernel puts them together first. testpmd (Debian's package, unpacked in a temporary folder) gets the three
# fragments of one datagram, which tcpdump would show as three frames, as one packet. Needs root.
# The same with VERSION=24.11.8-0+deb13u1, on Debian 13. Fails where the version is not to be had, or behaves otherwise.
set -eu
VERSION=${VERSION:-22.11.11-0+deb12u1}
EXPECTED="RX-packets: 1 "
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
chmod 755 .
apt-get download -qq "dpdk-dev=$VERSION" 2> /dev/null
dpkg-deb -x dpdk-dev_*.deb .
cat > run.sh <<'R'
set -eu
ip link add one type veth peer name two
for d in one two; do
    echo 1 > "/proc/sys/net/ipv6/conf/$d/disable_ipv6"
    ip link set "$d" up
done
mkfifo in
sleep 6 > in &
./usr/bin/dpdk-testpmd --no-huge --no-shconf --no-pci --no-telemetry -m 128 --log-level=error \
    --vdev net_af_packet0,iface=one -- --auto-start --forward-mode=rxonly --total-num-mbufs=2048 < in > out.txt 2>&1 &
testpmd=$!
sleep 3
python3 - <<'P'
import socket, struct
def fragment(offset, more, data):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 7, more << 13 | offset // 8, 64, 17, 0,
                       socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.2"))
    total = sum(struct.unpack("!10H", head))
    total = ~((total & 0xffff) + (total >> 16)) & 0xffff
    return bytes.fromhex("020000000001020000000002") + b"\x08\0" + head[:10] + struct.pack("!H", total) + head[12:] + data
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
s.bind(("two", 0))
data = bytes(600)
for frame in (fragment(0, 1, data), fragment(600, 1, data), fragment(1200, 0, data)):
    s.send(frame)
P
wait $testpmd || cat out.txt
R
unshare --net sh run.sh
seen=$(grep -m 1 "RX-packets:" out.txt | tr -s ' ')
echo "dpdk $VERSION, three fragments sent: ${seen# }"
case "$seen" in
    *"$EXPECTED"*) echo "as found: they came as one packet" ;;
    *) echo "otherwise than found"; cat out.txt; exit 1 ;;
esac
