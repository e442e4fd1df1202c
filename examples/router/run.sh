#!/usr/bin/env bash
# The router between three hosts, each in a network namespace: its answers are compared with those of the kernel in its place.
# Takes root. Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# First in virtual time, which takes nothing: what happens to routers, in five ways.
"$perigee" sim sim.toml --seeds 5 > "$work/sim" 2>&1 || { cat "$work/sim"; exit 1; }
grep "nothing broke" "$work/sim"
# On two lcores: in virtual time, then by the clock.
"$perigee" sim lcores.toml --seeds 5 > "$work/sim" 2>&1 || { cat "$work/sim"; exit 1; }
grep "nothing broke" "$work/sim"
python3 lcores.py "$perigee" "$work"
# A tenth of what it has room for; without the numbers, all.
python3 table.py "$perigee" "$work" 100000 25000
skip() { echo "skipped: takes root, and iproute2, ethtool, iputils-ping, traceroute, mtr-tiny, iperf3, and scapy for Python"; exit 0; }
[ "$(id -u)" = 0 ] || skip
for program in ip ethtool ping traceroute mtr iperf3 python3; do command -v $program > /dev/null || skip; done
python3 -c 'import scapy' 2> /dev/null || skip

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
    ip netns exec $r-a ping -c 1 -w 10 $to > "$work/warm" || { echo "no ping to $to"; cat "$work/warm"; exit 1; }
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
mkfifo "$work/ready"
ip netns exec $r-r "$perigee" run router.toml --control "$work/control" --quiet --json "$work/run.json" --ready-fd 3 \
  3> "$work/ready" > "$work/run" 2>&1 &
run=$!
pids+=($run)
ctl() { "$perigee" ctl --socket "$work/control" "$@"; }
read -r -t 60 < "$work/ready" || { echo "the run has not started"; cat "$work/run"; exit 1; }
for n in a b c; do ip -n $r-$n neigh flush all; done
warm
probe router
python3 compare.py "$work/kernel.json" "$work/router.json" | tee "$work/compared"

# What people use: both hops are there, and the longest packet of the last link is told.
fail() { echo "FAILED: $1"; cat "$2"; exit 1; }
on() { local space=$1; shift; ip netns exec $r-$space "$@"; }
way() {
  local name=$1 first=$2 last=$3
  shift 3
  on a "$@" > "$work/$name" 2>&1 || fail "$name" "$work/$name"
  grep -qE "(^| )1(\.\|--)? +$first" "$work/$name" && grep -qE "(^| )2(\.\|--)? +$last" "$work/$name" || fail "$name" "$work/$name"
}
way traceroute 10.77.0.1 10.78.1.1 traceroute -n -q 1 -w 2 10.78.1.1
way traceroute-icmp 10.77.0.1 10.78.1.1 traceroute -I -n -q 1 -w 2 10.78.1.1
way traceroute6 fd77:0:0:a::1 fd78::1 traceroute -6 -n -q 1 -w 2 fd78::1
way mtr 10.77.0.1 10.78.1.1 mtr -n --report -c 3 -i 0.2 -G 1 10.78.1.1
way mtr6 fd77:0:0:a::1 fd78::1 mtr -6 -n --report -c 3 -i 0.2 -G 1 fd78::1
on a ping -c 1 -W 2 -M do -s 1400 10.77.2.2 > "$work/big" 2>&1 || true
grep -q "mtu *= *1300" "$work/big" || fail "too big" "$work/big"
on a ping -c 1 -W 2 -M do -s 1400 fd77:0:0:c::2 > "$work/big6" 2>&1 || true
grep -q "Packet too big: mtu=1300" "$work/big6" || fail "too big, IPv6" "$work/big6"
on a ping -c 1 -W 2 -s 2500 10.77.2.2 > "$work/cut" 2>&1 || fail "cut and put together again" "$work/cut"
on a ping -c 1 -W 2 -R 10.78.1.1 > "$work/record" 2>&1 || fail "record route" "$work/record"
grep -q "10.77.2.1" "$work/record" || fail "record route" "$work/record"

# A neighbour that is not there; that comes; that gets another MAC address.
on a ping -c 1 -W 5 10.77.1.9 > "$work/gone" 2>&1 && fail "nobody answers" "$work/gone"
grep -q "From 10.77.0.1 .*Destination Host Unreachable" "$work/gone" || fail "unreachable" "$work/gone"
on b ip addr add 10.77.1.9/24 dev wire
on a ping -c 1 -W 2 10.77.1.9 > "$work/came" 2>&1 || fail "it has come" "$work/came"
on b ip link set wire address 02:00:00:00:77:99
on b ping -c 1 -W 1 -I 10.77.1.9 10.77.1.1 > "$work/new-mac" 2>&1 || true
start=$(date +%s%N)
until on a ping -c 1 -W 1 10.77.1.9 > "$work/moved" 2>&1; do
  [ $(($(date +%s%N) - start)) -lt 6000000000 ] || fail "another MAC address" "$work/moved"
done
moved=$((($(date +%s%N) - start) / 1000000))
# Its other address: it asks for the router anew, from there.
on b ip neigh flush all
on b ping -c 1 -W 2 -I 10.77.1.2 10.77.1.1 > "$work/other-mac" 2>&1 || true
until on a ping -c 1 -W 1 10.77.1.2 > "$work/moved" 2>&1; do
  [ $(($(date +%s%N) - start)) -lt 15000000000 ] || fail "another MAC address" "$work/moved"
done

# Through it: TCP as fast as it goes; then a table full of neighbours, and datagrams while the module is replaced and while routes
# come by the thousand. None may be lost.
on b iperf3 -s -D --pidfile "$work/iperf3.pid" > /dev/null
for _ in $(seq 50); do [ -s "$work/iperf3.pid" ] && break; sleep 0.05; done
pids+=("$(tr -d '\0' < "$work/iperf3.pid")")
on a iperf3 -c 10.77.1.2 -t 1 --json > "$work/tcp.json" || fail "iperf3" "$work/tcp.json"
# Each address of this half of the link is B.
on b ip route add local 10.77.1.128/25 dev lo
cat > "$work/fill.py" << 'END'
import socket, time
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(129, 255):
    link.sendto(b"who is there?", (f"10.77.1.{n}", 9))
    # No more at a time than may be looked for.
    if n % 8 == 0:
        time.sleep(0.05)
END
# By the page: a last line is the next question.
all_neighbours() {
  local question='neighbours?' page
  while [ -n "$question" ]; do
    page=$(ctl message router "$question")
    echo "$page"
    question=$(sed -n 's/^more: //p' <<< "$page")
  done
}
for _ in $(seq 10); do
  on a python3 "$work/fill.py"
  all_neighbours > "$work/neighbours"
  [ "$(grep lladdr "$work/neighbours" | grep -vc incomplete)" -lt 120 ] || break
done
# What the receiver's socket had no room for, on a busy machine, was not lost on the way.
overflows() { on b awk '/^Udp:/ { count = $6 } END { print count }' /proc/net/snmp; }
load() {
  local before
  before=$(overflows)
  on a iperf3 -c 10.77.1.2 -u -b 8M -l 500 -t "$2" --json > "$work/$1.json" || fail "iperf3" "$work/$1.json"
  echo $(($(overflows) - before)) > "$work/$1.overflows"
}
load swap 2 &
sleep 0.8
ctl swap router ../../target/modules/router.wasm > "$work/swap" || fail "swap" "$work/swap"
wait $!
all_neighbours > "$work/neighbours-after"
load routes 3 &
sleep 0.3
python3 routes.py "$work/control" 100000 > "$work/routes.log" || fail "routes" "$work/routes.log"
wait $!
kill -INT $run
wait $run || fail "run" "$work/run"
python3 report.py "$work" $moved
