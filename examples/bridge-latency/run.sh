#!/usr/bin/env bash
# Measures latency and loss of a bridge of the kernel, and draws the latency: summary.json and latency.svg, in target/bridge-latency or the
# folder that is named. Takes root. Needs the module: ./x build-modules
#   examples/bridge-latency/run.sh [FOLDER]
set -euo pipefail
into=$(realpath -m "${1:-"$(dirname "${BASH_SOURCE[0]}")/../../target/bridge-latency"}")
cd "$(dirname "${BASH_SOURCE[0]}")"
if [ "$(id -u)" != 0 ] || ! command -v ip > /dev/null; then
  echo "skipped: takes root, and ip (Debian's package iproute2)"
  exit 0
fi
perigee=$(realpath "${PERIGEE:-../../target/release/perigee}")
mkdir -p "$into"
ends=perigee-ends between=perigee-between
finish() { for space in $ends $between; do ip netns delete $space 2> /dev/null || true; done }
trap finish EXIT
finish

# One namespace has the bridge, the other both ends of the way through it.
ip netns add $ends
ip netns add $between
ip -n $between link add br0 type bridge forward_delay 0 mcast_snooping 0
# The kernel's own packets are strangers to what is measured.
ip netns exec $between sysctl -q -w net.ipv6.conf.all.disable_ipv6=1
ip netns exec $ends sysctl -q -w net.ipv6.conf.all.disable_ipv6=1
ip -n $between link set br0 up
for end in a b; do
  ip -n $ends link add bridge-$end address 02:00:00:00:00:0$end type veth peer name port-$end netns $between
  ip -n $between link set port-$end master br0 up
  ip -n $ends link set bridge-$end up
done

ip netns exec $ends "$perigee" run bridge-latency.toml --json "$into/summary.json"

python3 - "$into/summary.json" << 'END'
import json, sys
stream = json.load(open(sys.argv[1]))["measured"][0]
probes, latency = stream["probes"], stream["latency"]
accounted = probes["in_time"] + probes["late"] + probes["lost"]
print(f"\n{probes['sent']} probes sent = {probes['in_time']} in time + {probes['late']} late + {probes['lost']} lost")
at = {one["name"]: one["value"] for one in latency["percentiles"]}
us = lambda ns: "-" if ns is None else f"{ns / 1000:.1f} us"
print(f"latency: min {us(latency['min_ns'])}, p50 {us(at['p50'].get('ns'))}, p99 {us(at['p99'].get('ns'))}")
sys.exit(probes["sent"] != 20000 or accounted != probes["sent"] or latency["count"] == 0)
END

if "$perigee" help plot > /dev/null 2>&1; then
  "$perigee" plot "$into/summary.json" -o "$into/latency.svg"
  echo "drawn: $into/latency.svg"
fi
