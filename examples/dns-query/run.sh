#!/usr/bin/env bash
# Asks dnsmasq in a network namespace of its own, which takes root. Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
if [ "$(id -u)" != 0 ] || ! command -v dnsmasq > /dev/null; then
  echo "skipped: takes root, and dnsmasq"
  exit 0
fi
space=perigee-dns
work=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || kill "$server" 2> /dev/null || true
  ip netns delete $space 2> /dev/null || true
  ip link delete perigee-dns0 2> /dev/null || true
  rm -rf "$work"
}
trap finish EXIT
ip netns add $space
ip link add perigee-dns0 type veth peer name dns netns $space
ip link set perigee-dns0 up
ip -n $space link set dns address 02:00:00:00:00:53 up
ip -n $space addr add 10.77.0.53/24 dev dns
ip netns exec $space dnsmasq --no-daemon --no-resolv --no-hosts --conf-file=/dev/null --user=root --pid-file= --bind-interfaces \
  --listen-address=10.77.0.53 --address=/perigee.test/192.0.2.7 > "$work/dnsmasq" 2>&1 &
server=$!
for _ in $(seq 50); do
  ip netns exec $space ss --udp --listening --numeric | grep -q 10.77.0.53:53 && break
  sleep 0.1
done
ip netns exec $space timeout 20 tshark -q -i dns -f "udp port 53" -w "$work/dns.pcap" -a duration:7 > /dev/null 2>&1 &
tap=$!
sleep 2
"$perigee" run dns-query.toml --json "$work/summary.json" 2>&1 | tail -n 30
wait "$tap" || true
show() { tshark -r "$work/dns.pcap" -Y "$1" -T fields -e dns.qry.name 2> /dev/null; }
asked=$(show "dns.flags.response == 0 and dns.qry.type == 1" | wc -l)
names=$(show "dns.flags.response == 0" | sort -u | wc -l)
answered=$(show "dns.a == 192.0.2.7 and dns.flags.rcode == 0" | wc -l)
heard=$(python3 -c '
import json, sys
modules = json.load(open(sys.argv[1]))["modules"]
print(next(module["counters"]["udp.packets"] for module in modules if module["name"] == "answers"))' "$work/summary.json")
echo "$asked queries for $names names, $answered answers, of which perigee heard $heard"
[ "$asked" = 4000 ] && [ "$names" = 4000 ] && [ "$answered" -ge 3800 ] && [ "$heard" -ge 3800 ]
