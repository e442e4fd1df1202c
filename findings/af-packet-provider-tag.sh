#!/bin/sh
# DPDK 22.11's net_af_packet changes the outer tag of 802.1ad (0x88a8) into one of 802.1Q (0x8100): the kernel takes a received frame's outer tag
# off, and the driver puts it back with the one type that it knows, though the kernel tells which it was. So provider bridging (QinQ) comes in as two tags
# of customers. net_pcap on the same interface has the frame as it was sent. Needs root.
# The same with VERSION=24.11.8-0+deb13u1, on Debian 13. Fails where the version is not to be had, or behaves otherwise.
set -eu
VERSION=${VERSION:-22.11.11-0+deb12u1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
chmod 755 .
apt-get download -qq "dpdk-dev=$VERSION" 2> /dev/null
dpkg-deb -x dpdk-dev_*.deb .
cat > run.sh <<'R'
set -eu
sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ip link add one type veth peer name two
ip link set one up
ip link set two up
rm -f in out.pcap
mkfifo in
sleep 5 > in &
./usr/bin/dpdk-testpmd --no-huge --no-shconf --no-pci --no-telemetry -m 128 --log-level=error --vdev "$1,iface=one" \
    --vdev net_pcap9,tx_pcap=out.pcap -- --auto-start --forward-mode=io --total-num-mbufs=2048 < in > said.txt 2>&1 &
testpmd=$!
sleep 3
python3 - <<'P'
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
s.bind(("two", 0))
s.send(bytes.fromhex("02000000000102000000000288a80005810000060800") + bytes(46))
P
wait $testpmd || cat said.txt
python3 -c 'print(open("out.pcap", "rb").read()[24 + 16 + 12:][:10].hex(" ", 2))'
R
by_packet=$(unshare --net sh run.sh net_af_packet0)
by_pcap=$(unshare --net sh run.sh net_pcap0)
echo "dpdk $VERSION, sent 88a8 0005 8100 0006 0800; by net_af_packet: $by_packet; by net_pcap: $by_pcap"
case "$by_packet/$by_pcap" in
    "8100 0005 8100 0006 0800/88a8 0005 8100 0006 0800") echo "as found" ;;
    *) echo "otherwise than found"; exit 1 ;;
esac
