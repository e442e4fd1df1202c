#!/usr/bin/env bash
# Translates between networks of the kernel, with real programs on both sides; and compares, packet by packet, with the kernel's own
# translator. Takes root, and makes network namespaces of its own. Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="$(realpath "${PERIGEE:-../../target/release/perigee}")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# What takes no rights: the module by itself, and two of them behind who steers.
"$perigee" conformance ../../target/modules/nat.wasm --suite ../../conformance/nat.toml
"$perigee" run lcores.toml --quiet --json "$work/lcores.json" > "$work/lcores" 2>&1 || { cat "$work/lcores"; exit 1; }
python3 peers.py halves "$work/lcores.json"
for program in nft iperf3 ethtool traceroute ping curl; do
  if [ "$(id -u)" != 0 ] || ! command -v $program > /dev/null; then
    echo "skipped: takes root, and Debian's packages nftables, iperf3, ethtool, traceroute, iputils-ping, curl"
    exit 0
  fi
done
spaces="box a b out far dut krn lab"
finish() {
  for space in $spaces; do
    { ip netns pids pnat-$space | xargs -r kill; } 2> /dev/null || true
    ip netns delete pnat-$space 2> /dev/null || true
  done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM
for space in $spaces; do ip netns add pnat-$space; done
in_space() { local space=$1; shift; ip netns exec pnat-"$space" "$@"; }

# A cable between two namespaces, both ends up. What the kernel leaves to a card, no card would do here.
cable() {
  ip link add "$2" netns pnat-"$1" type veth peer name "$4" netns pnat-"$3"
  local space link
  for end in "$1 $2" "$3 $4"; do
    read -r space link <<< "$end"
    in_space "$space" sysctl -qw "net.ipv6.conf.$link.disable_ipv6=1"
    in_space "$space" ethtool -K "$link" tx off tso off gso off gro off > /dev/null
    in_space "$space" ip link set "$link" up
  done
}
# Starts the translator in a namespace, and waits for it.
translate() {
  mkfifo "$work/ready-$1"
  in_space "$1" "$perigee" run nat.toml --quiet --control "$work/$1.sock" --json "$work/$1.json" --ready-fd 3 3> "$work/ready-$1" 2> "$work/$1.log" &
  runs+=($!)
  if ! read -r -t 20 < "$work/ready-$1"; then
    cat "$work/$1.log"
    exit 1
  fi
}
runs=()
failed=0
row() { printf '%-46s %s\n' "$1" "$2"; }
# What, what came, what was expected (a pattern).
expect() {
  # shellcheck disable=SC2254 # a pattern
  case "$2" in
    $3) row "$1" "$2" ;;
    *) row "$1" "$2   EXPECTED $3"; failed=1 ;;
  esac
}

# The comparison: one end of all cables in `lab`, where the script plays all hosts.
cable lab p-in dut pn-in1
cable lab p-out dut pn-out1
cable lab k-in krn k-in1
cable lab k-out krn k-out1
for name in p-in k-in; do in_space lab ip link set $name address 02:00:00:00:77:11; done
for name in p-out k-out; do in_space lab ip link set $name address 02:00:00:00:77:12; done
for end in "dut pn-in1 01" "dut pn-out1 02" "krn k-in1 01" "krn k-out1 02"; do
  read -r space link last <<< "$end"
  in_space "$space" ip link set "$link" address 02:00:00:00:77:"$last"
done
in_space krn ip addr add 10.77.0.1/24 dev k-in1
in_space krn ip addr add 198.51.100.2/24 dev k-out1
in_space krn ip route add default via 198.51.100.254
in_space krn sysctl -qw net.ipv4.ip_forward=1
in_space krn nft -f - << 'NFT'
table ip nat {
  chain pre { type nat hook prerouting priority dstnat; iifname "k-out1" tcp dport 80 dnat to 10.77.0.2:8080; }
  chain post { type nat hook postrouting priority srcnat; oifname "k-out1" masquerade; }
}
table ip filter {
  chain input { type filter hook input priority 0; policy drop; }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    ct state new iifname "k-in1" accept
    ct status dnat accept
  }
}
NFT
# The script's segments have no sequence numbers that follow each other.
in_space krn sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1
translate dut
echo "The same packets through Perigee and the kernel's masquerade:"
in_space lab python3 trace.py perigee=p-in,p-out kernel=k-in,k-out || failed=1
"$perigee" ctl --socket "$work/dut.sock" stop > /dev/null

# Real programs: two hosts behind a bridge, a router outside with a server, a host behind that.
in_space box ip link add pn-br type bridge
cable box pn-a1 a eth0
cable box pn-b1 b eth0
cable box pn-in0 box pn-in1
cable out eth0 box pn-out1
cable far eth0 out eth1
for link in pn-a1 pn-b1 pn-in0; do in_space box ip link set $link master pn-br; done
in_space box sysctl -qw net.ipv6.conf.pn-br.disable_ipv6=1
in_space box ip link set pn-br up
in_space out ip link set eth0 address 02:00:00:00:77:12
for host in "a 10.77.0.2/24 10.77.0.1" "b 10.77.0.3/24 10.77.0.1" "out 198.51.100.254/24 -" "far 203.0.113.2/24 203.0.113.1"; do
  read -r space address gateway <<< "$host"
  in_space "$space" ip link set lo up
  in_space "$space" ip addr add "$address" dev eth0
  [ "$gateway" = - ] || in_space "$space" ip route add default via "$gateway"
done
in_space out ip addr add 192.0.2.1/32 dev lo
in_space out ip addr add 203.0.113.1/24 dev eth1
in_space out sysctl -qw net.ipv4.ip_forward=1
# Errors about traces are not to be held back.
for space in out far; do in_space $space sysctl -qw net.ipv4.icmp_ratelimit=0; done
translate box
# Without a shell in between, which would tell of its end.
server() { ip netns exec pnat-"$1" python3 peers.py serve "$2" & disown; }
server out 8000
server a 8080
ip netns exec pnat-out python3 peers.py collect 4739 > "$work/records" &
disown
ip netns exec pnat-out iperf3 --server --one-off > /dev/null &
disown
sleep 0.5
get() { in_space "$1" curl --silent --max-time 3 --retry 2 --retry-connrefused "$2" || echo "nothing"; }

echo
expect "curl from inside; the server sees" "$(get a http://192.0.2.1:8000/)" "198.51.100.2:*"
expect "curl to the forwarded port; its server sees" "$(get out http://198.51.100.2:80/)" "198.51.100.254:*"
expect "the same from inside, by hairpin; its server sees" "$(get b http://198.51.100.2:80/)" "198.51.100.2:*"
lost() { in_space a ping -c 5 -i 0.1 -W 3 -s "$1" 203.0.113.2 | grep -o '[0-9.]*% packet loss' || echo "nothing"; }
expect "ping" "$(lost 56)" "0% packet loss"
expect "ping in fragments" "$(lost 4000)" "0% packet loss"
for method in "" "-I" "-T"; do
  hops=$(in_space a traceroute -n -q 1 -w 1 -m 5 $method 203.0.113.2 | awk 'NR > 1 { printf "%s ", $2 }')
  expect "traceroute $method" "$hops" "10.77.0.1 198.51.100.254 203.0.113.2 "
done

in_space a iperf3 --client 192.0.2.1 --time 3 --json > "$work/iperf" &
iperf=$!
sleep 1
"$perigee" ctl --socket "$work/box.sock" --json swap nat ../../target/modules/nat.wasm > "$work/swap"
wait "$iperf" || failed=1
"$perigee" ctl --socket "$work/box.sock" stop > /dev/null
wait "${runs[@]}" || failed=1
python3 peers.py judge "$work" || failed=1
exit $failed
