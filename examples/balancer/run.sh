#!/usr/bin/env bash
# Balances a client's connections over three servers, each in a network namespace of its own. Takes root. Needs the modules:
# ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
for program in ip ethtool curl python3; do
  if [ "$(id -u)" != 0 ] || ! command -v $program > /dev/null; then
    echo "skipped: takes root, and ip, ethtool, curl and python3 (Debian's packages iproute2, ethtool, curl, python3)"
    exit 0
  fi
done
perigee=$(realpath "${PERIGEE:-../../target/release/perigee}")
modules=$(realpath ../../target/modules)
"$perigee" conformance "$modules/balancer.wasm" --suite abi --suite ../../conformance/balancer.toml --config '
  { backends = [{ name = "a", mac = "02:00:00:00:01:01" }], services = [{ address = "192.0.2.1", protocol = "tcp", port = 80 }] }'

work=$(mktemp -d)
between=perigee-lb client=perigee-lb-client
servers="1 2 3"
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
  for space in $between $client $(printf 'perigee-lb-s%s ' $servers); do ip netns delete "$space" 2> /dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM
for space in $between $client $(printf 'perigee-lb-s%s ' $servers); do
  ip netns delete "$space" 2> /dev/null || true
  ip netns add "$space"
  ip -n "$space" link set lo up
done

# A bridge joins the client, the servers, and the balancer, which has one arm.
ip -n $between link add br0 type bridge forward_delay 0 mcast_snooping 0
ip netns exec $between sysctl -q -w net.ipv6.conf.all.disable_ipv6=1
ip -n $between link set br0 up
ip -n $between link add perigee-lb0 address 02:00:00:00:97:00 type veth peer name lb1
ip -n $between link set lb1 master br0 up
ip -n $between link set perigee-lb0 up
# NAMESPACE MAC ADDRESS: a host on the bridge. Its packets have their checksums and are no longer than they may be: nobody after it would
# make them so.
host() {
  ip -n "$1" link add eth0 address "$2" type veth peer name "to-${1#perigee-lb-}" netns $between
  ip -n $between link set "to-${1#perigee-lb-}" master br0 up
  ip -n "$1" addr add "10.97.0.$3/24" dev eth0
  ip -n "$1" addr add "fd97::$3/64" dev eth0 nodad
  ip netns exec "$1" ethtool -K eth0 tx off tso off gso off gro off > /dev/null
  ip -n "$1" link set eth0 up
}
host $client 02:00:00:00:97:01 1
for number in $servers; do
  space=perigee-lb-s$number
  # The balanced addresses are on lo: the server takes packets for them, and does not say that it has them.
  ip netns exec "$space" sysctl -q -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 \
    net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
  host "$space" "02:00:00:00:97:1$number" "1$number"
  for last in 100 101 102; do
    ip -n "$space" addr add 10.97.0.$last/32 dev lo
    ip -n "$space" addr add fd97::$last/128 dev lo nodad
  done
  ip netns exec "$space" python3 server.py "s$number" > "$work/s$number" 2>&1 &
  pids+=($!)
done

ip netns exec $between "$perigee" run balancer.toml --duration 60s --control "$work/control" > "$work/run" 2>&1 &
pids+=($!)
for _ in $(seq 100); do [ -S "$work/control" ] && [ "$(cat "$work"/s? | grep -c ready)" = 3 ] && break; sleep 0.1; done
# What tshark thinks of the tunnels, where it is.
if command -v tshark > /dev/null; then
  ip netns exec perigee-lb-s3 tshark -l -i eth0 -Y "ip.proto == 4 || ip.proto == 41 || geneve" -T fields -e frame.protocols \
    > "$work/tunnels" 2> "$work/tshark" &
  pids+=($!)
  for _ in $(seq 50); do grep -q Capturing "$work/tshark" && break; sleep 0.1; done
fi
ip netns exec $client python3 check.py "$perigee" "$work/control" "$modules/balancer.wasm" || { cat "$work/run" "$work"/s?; exit 1; }
if [ -f "$work/tunnels" ]; then
  sleep 1
  for inner in ip:tcp ipv6:tcp; do
    for outer in ip: ip:udp:geneve:; do
      count=$(grep -c "^eth:ethertype:$outer$inner" "$work/tunnels" || true)
      printf '%-68s %s\n' "packets that tshark calls $outer$inner" "$count"
      [ "$count" -gt 0 ]
    done
  done
  ! grep malformed "$work/tunnels"
fi
