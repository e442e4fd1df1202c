#!/usr/bin/env bash
# iperf3 3.12 (3.18 of Debian 13 too), JSON of a UDP test: `end.sum`, and the streams, have the sender's bytes and rate beside the receiver's
# losses, so where three fifths are lost the rate there is what was sent. In `end.sum_received` bytes and rate are what came, but `packets`
# are received and lost together; and what is lost at the end is in neither, so they are fewer than `sum_sent.packets`.
# In network namespaces of its own, with a rate by tc. Needs root, ip, tc, apt-get, dpkg-deb, Python. Fails where the version is not to be had, or behaves otherwise.
set -euo pipefail
version=3.12-1+deb12u2
space=iperf3-sums-$$
folder=$(mktemp -d)
trap 'ip netns del $space-a 2> /dev/null; ip netns del $space-b 2> /dev/null; rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 .
apt-get download -qq "iperf3=$version" "libiperf0=$version" libsctp1 2> /dev/null
for deb in *.deb; do dpkg-deb -x "$deb" .; done
LD_LIBRARY_PATH=$(dirname "$folder"/usr/lib/*/libiperf.so.0)
export LD_LIBRARY_PATH
ip netns add $space-a
ip netns add $space-b
ip link add wire netns $space-a type veth peer name wire netns $space-b
ip -n $space-a addr add 192.0.2.1/24 dev wire
ip -n $space-b addr add 192.0.2.2/24 dev wire
ip -n $space-a link set wire up
ip -n $space-b link set wire up
ip netns exec $space-a tc qdisc add dev wire root tbf rate 8mbit burst 10kb latency 10ms
ip netns exec $space-b timeout 20 usr/bin/iperf3 -s -1 > /dev/null 2>&1 &
sleep 1
ip netns exec $space-a timeout 15 usr/bin/iperf3 -c 192.0.2.2 -u -b 20M -t 2 -l 1000 -J > out.json
wait
python3 - <<'P'
import json, sys
end = json.load(open("out.json"))["end"]
keys = ("bits_per_second", "bytes", "packets", "lost_packets", "lost_percent")
for name in ("sum", "sum_sent", "sum_received"):
    print(name, {key: round(end[name][key], 1) for key in keys})
all, sent, received = (end[name] for name in ("sum", "sum_sent", "sum_received"))
came = received["bytes"] // 1000
as_seen = (all["bytes"] == sent["bytes"] and all["lost_packets"] == received["lost_packets"] > 1000 and all["bits_per_second"] > 15e6 > received["bits_per_second"]
           and received["packets"] == came + received["lost_packets"])
sys.exit(0 if as_seen else "otherwise than found")
P
