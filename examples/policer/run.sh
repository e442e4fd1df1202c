#!/usr/bin/env bash
# Compares the rates that the policer lets pass with those that were asked for: in virtual time, and with iperf3 between two network
# namespaces, which takes root. Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee=$(realpath "${PERIGEE:-../../target/release/perigee}")
modules=$(realpath ../../target/modules)
"$perigee" conformance "$modules/policer.wasm" --suite abi --suite ../../conformance/policer.toml --config '
  { classes = [{ name = "a", prefixes = ["0.0.0.0/0"], cir = "1M", cbs = 2000, shape = "1M", queue = 9 }] }'
work=$(mktemp -d)
client=perigee-pol-client server=perigee-pol-server between=perigee-pol
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
  for space in $client $server $between; do ip netns delete $space 2> /dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM
python3 simulate.py "$perigee" policer.toml "$modules" "$work"

for program in ip ethtool iperf3; do
  if [ "$(id -u)" != 0 ] || ! command -v $program > /dev/null; then
    echo "skipped in real time: takes root, and ip, ethtool and iperf3 (Debian's packages iproute2, ethtool, iperf3)"
    exit 0
  fi
done
for space in $client $server $between; do
  ip netns delete $space 2> /dev/null || true
  ip netns add $space
done
ip netns exec $between sysctl -q -w net.ipv6.conf.all.disable_ipv6=1
# NAMESPACE NUMBER ADDRESS...: an end of the way. It makes its checksums itself: veth has no device that would.
end() {
  ip -n "$1" link add eth0 type veth peer name "perigee-pol$2" netns $between
  for address in "${@:3}"; do ip -n "$1" addr add "$address/24" dev eth0; done
  ip netns exec "$1" sysctl -q -w net.ipv6.conf.all.disable_ipv6=1
  ip netns exec "$1" ethtool -K eth0 tx off tso off gso off gro off > /dev/null
  ip -n "$1" link set eth0 up
  ip -n $between link set "perigee-pol$2" up
}
end $client 0 10.98.0.11 10.98.0.12 10.98.0.13
end $server 1 10.98.0.2

ip netns exec $between "$perigee" run real.toml --duration 90s --control "$work/control" > "$work/run" 2>&1 &
pids+=($!)
for _ in $(seq 100); do [ -S "$work/control" ] && break; sleep 0.1; done
timeout 80 python3 real.py "$perigee" "$work/control" "$modules/policer.wasm" $client $server "$work" || { cat "$work/run"; exit 1; }
