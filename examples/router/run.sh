#!/usr/bin/env bash
# The router between three hosts, each in a network namespace: its answers are compared with those of the kernel in its place.
# Takes root. Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
skip() { echo "skipped: takes root, and iproute2, ethtool, iputils-ping, traceroute, mtr-tiny, iperf3, and scapy for Python"; exit 0; }
[ "$(id -u)" = 0 ] || skip
for program in ip ethtool ping traceroute mtr iperf3 python3; do command -v $program > /dev/null || skip; done
python3 -c 'import scapy' 2> /dev/null || skip

work=$(mktemp -d)
r=router-$$
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
  for n in r a b c; do ip netns del $r-$n 2> /dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

# A, B and C, and between them a namespace for whoever is the router. Offloads are off: a veth pair fills in no checksums.
ip netns add $r-r
sysctl=(ip netns exec $r-r sysctl -qw)
"${sysctl[@]}" net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0
number=0
for n in a b c; do
  ip netns add $r-$n
  ip netns exec $r-$n sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0
  ip link add wire netns $r-$n type veth peer name router-$n netns $r-r
  ip -n $r-r link set router-$n address 02:00:00:00:77:0$number up
  ip -n $r-$n link set lo up
  ip -n $r-$n link set wire address 02:00:00:00:77:1$number up
  ip -n $r-$n addr add 10.77.$number.2/24 dev wire
  ip -n $r-$n addr add fd77:0:0:$n::2/64 dev wire nodad
  ip -n $r-$n route add default via 10.77.$number.1
  ip -n $r-$n route add default via fd77:0:0:$n::1
  for end in "$r-$n wire" "$r-r router-$n"; do
    read -r space device <<< "$end"
    ip netns exec "$space" ethtool -K "$device" tx off tso off gso off gro off > /dev/null
  done
  number=$((number + 1))
done
# What lies behind C.
ip -n $r-c addr add 10.78.1.1/32 dev lo
ip -n $r-c addr add fd78::1/128 dev lo nodad
probe() { python3 probe.py $r-a $r-b $r-c 02:00:00:00:77:00 "$work/$1.json"; }
warm() {
  for to in 10.77.1.2 10.77.2.2 fd77:0:0:b::2 fd77:0:0:c::2; do
    ip netns exec $r-a ping -c 1 -W 2 $to > "$work/warm" || { echo "no ping to $to"; cat "$work/warm"; exit 1; }
  done
}

# First the kernel.
number=0
for n in a b c; do
  ip -n $r-r addr add 10.77.$number.1/24 dev router-$n
  ip -n $r-r addr add fd77:0:0:$n::1/64 dev router-$n nodad
  number=$((number + 1))
done
ip -n $r-r link set router-c mtu 1300
ip -n $r-r route add 10.78.0.0/16 via 10.77.2.2
ip -n $r-r route add fd78::/16 via fd77:0:0:c::2
ip -n $r-r route add blackhole 10.79.0.0/16
ip -n $r-r route add unreachable 10.80.0.0/16
# Its limits for errors are for hosts; the router's are for tests as well.
"${sysctl[@]}" net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 \
  net.ipv4.icmp_msgs_per_sec=100000 net.ipv4.icmp_msgs_burst=100000
warm
probe kernel

# Then the router, in its place.
"${sysctl[@]}" net.ipv4.ip_forward=0 net.ipv6.conf.all.disable_ipv6=1
ip -n $r-r link set router-c mtu 1500
for n in a b c; do ip -n $r-r addr flush dev router-$n; done
ip netns exec $r-r "$perigee" run router.toml --control "$work/control" --quiet --json "$work/run.json" > "$work/run" 2>&1 &
run=$!
pids+=($run)
ctl() { "$perigee" ctl --socket "$work/control" "$@"; }
for _ in $(seq 100); do [ -S "$work/control" ] && break; sleep 0.1; done
for n in a b c; do ip -n $r-$n neigh flush all; done
warm
probe router
python3 compare.py "$work/kernel.json" "$work/router.json"
