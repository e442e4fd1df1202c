#!/usr/bin/env bash
# One rule set in nftables and in the module: the same packets through both, then clients and servers through the module, and other rules
# while a connection lives on. Takes root. Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="$(realpath "${PERIGEE:-../../target/release/perigee}")"
# On two lcores, which takes no rights: in virtual time, then by the clock.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "two firewalls on two lcores"
"$perigee" sim lcores.toml --seeds 3 > "$work/sim" 2>&1 || { cat "$work/sim"; exit 1; }
python3 lcores.py "$perigee" "$work"
echo
for program in nft ethtool curl iperf3; do command -v $program > /dev/null || missing="${missing:-} $program"; done
if [ "$(id -u)" != 0 ] || [ -n "${missing:-}" ] || ! python3 -c "import scapy" 2> /dev/null; then
  echo "skipped: takes root, nft, ethtool, curl, iperf3, and scapy for Python${missing:+; missing:$missing}"
  exit 0
fi
# Clients, servers, and between them the kernel's firewall or the module.
spaces="perigee-fw-a perigee-fw-b perigee-fw-k perigee-fw-m perigee-fw-ka perigee-fw-kb"
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
  for space in $spaces; do ip netns delete $space 2> /dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
for space in $spaces; do
  # One that a killed run left.
  ip netns delete $space 2> /dev/null || true
  ip netns add $space
  ip netns exec $space sysctl -q -w net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
done
# join SPACE BETWEEN SIDE: the interface "end" of one namespace, and its other end in the one between.
join() {
  ip -n "$2" link add name "$3" address "02:00:00:00:01:0$3" type veth peer name end netns "$1"
  ip -n "$1" link set dev end address "02:00:00:00:00:0$3"
  for each in "$1 end" "$2 $3"; do
    # shellcheck disable=SC2086
    set -- "$1" "$2" "$3" $each
    ip netns exec "$4" ethtool -K "$5" tx off gso off gro off > /dev/null 2>&1 || true
    ip -n "$4" link set dev "$5" up
  done
}
join perigee-fw-a perigee-fw-m a
join perigee-fw-b perigee-fw-m b
join perigee-fw-ka perigee-fw-k a
join perigee-fw-kb perigee-fw-k b

# The kernel: it forwards all to one neighbour on each side, and limits none of its answers.
in_kernel() { ip netns exec perigee-fw-k "$@"; }
in_kernel sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratemask=0 net.ipv6.icmp.ratelimit=0 \
  net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.a.rp_filter=0 net.ipv4.conf.b.rp_filter=0 net.ipv4.icmp_msgs_per_sec=100000
for side in a b; do
  number=$([ $side = a ] && echo 1 || echo 2)
  in_kernel ip addr add 10.255.$number.1/24 dev $side
  in_kernel ip addr add fd00:$number::1/64 dev $side
  in_kernel ip neigh add 10.255.$number.2 lladdr 02:00:00:00:00:0$side dev $side
  in_kernel ip neigh add fd00:$number::2 lladdr 02:00:00:00:00:0$side dev $side
  in_kernel ip route add 10.$number.0.0/16 via 10.255.$number.2
  in_kernel ip route add 2001:db8:$number::/48 via fd00:$number::2
done
in_kernel nft -f rules.nft
in_kernel nft -j list ruleset > "$work/rules.json"

# The module.
convert() {
  "$perigee" convert "$1" -o "$work/module.toml"
  # The module's file, and all ports in their order, whichever of them the rules name.
  sed -e "s|^file = .*|file = \"$(realpath ../../target/modules/firewall.wasm)\"\ndomain = \"firewall\"|" -e '/^ports = /d; /^bridge = /d' \
    -e 's|^grants = .*|grants = { tx = ["a", "b"], hostcalls = ["log", "counter", "time"] }|' \
    -e 's|^\[module.config\]|&\nports = ["a", "b"]\nbridge = ["a", "b"]|' "$work/module.toml" > "$work/part.toml"
  sed "s|\.\./\.\./target/modules|$(realpath ../../target/modules)|" firewall.toml | cat - "$work/part.toml" > "$2"
}
convert "$work/rules.json" "$work/firewall.toml"
mkfifo "$work/ready"
ip netns exec perigee-fw-m "$perigee" run "$work/firewall.toml" --control "$work/control" --json "$work/summary.json" --ready-fd 3 \
  3> "$work/ready" > "$work/run" 2>&1 &
pids+=($!)
run=$!
read -r < "$work/ready" || { cat "$work/run"; exit 1; }

"$perigee" conformance ../../target/modules/firewall.wasm --suite abi --suite ../../conformance/firewall.toml
# Other rules for the kernel and for the module.
rules() {
  in_kernel nft flush ruleset
  in_kernel nft -f "$1"
  in_kernel nft -j list ruleset > "$work/rules.json"
  convert "$work/rules.json" "$work/other.toml"
  mv "$work/other.toml" "$work/firewall.toml"
  ip netns exec perigee-fw-m "$perigee" ctl --socket "$work/control" apply "$work/firewall.toml" > "$work/applied"
}
# The same packets through both.
same() {
  python3 send.py router perigee-fw-ka perigee-fw-kb 02:00:00:00:01:0a 02:00:00:00:01:0b "$@" > "$work/kernel" &
  local kernel=$!
  python3 send.py bridge perigee-fw-a perigee-fw-b 02:00:00:00:00:0b 02:00:00:00:00:0a "$@" > "$work/module"
  wait $kernel
  python3 compare.py "$work/kernel" "$work/module"
}
echo "the same packets through nftables and through the module"
same
echo "the same, rules and packets drawn by a seed"
# Of three seeds one has a table of both families, one of IPv4, one of IPv6.
for seed in ${SEEDS:-1 2 3}; do
  python3 draw.py "$seed" > "$work/drawn.nft"
  rules "$work/drawn.nft"
  same "$seed"
done
rules rules.nft

# Clients and servers.
client() { ip netns exec perigee-fw-a "$@"; }
server() { ip netns exec perigee-fw-b "$@"; }
ip -n perigee-fw-a addr add 10.1.0.9/8 dev end
ip -n perigee-fw-b addr add 10.2.0.1/8 dev end
ip -n perigee-fw-a addr add 2001:db8:1::9/32 dev end
ip -n perigee-fw-b addr add 2001:db8:2::1/32 dev end
mkdir "$work/served" && echo "it passed" > "$work/served/index.html"
ip netns exec perigee-fw-b python3 -m http.server --directory "$work/served" --bind :: 80 > /dev/null 2>&1 &
pids+=($!)
ip netns exec perigee-fw-b iperf3 -s > /dev/null 2>&1 &
pids+=($!)
for _ in $(seq 50); do [ "$(server ss -Htln 'sport = :80 or sport = :5201' | wc -l)" = 2 ] && break; sleep 0.1; done

failed=0
# tell WHAT EXPECTED GOT
tell() {
  printf '%-58s %-18s %s\n' "$1" "$2" "$3"
  [ "$2" = "$3" ] || failed=1
}
# How curl ends, and at once: 7 is "connection refused", 28 a time-out.
curls() {
  local code=0 start=$EPOCHREALTIME
  client curl -sgm 1 -o /dev/null "$1" || code=$?
  case $code in
    0) echo passes ;;
    7) awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print (b - a < 0.5) ? "refused at once" : "refused late" }' ;;
    *) echo "silence" ;;
  esac
}
# What becomes of a datagram: an error of ICMP is "refused".
datagram() {
  client python3 - "$@" << 'PYTHON'
import socket, sys
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.settimeout(1)
asker.connect((sys.argv[1], int(sys.argv[2])))
try:
    asker.send(b"?")
    asker.recv(1)
except ConnectionRefusedError:
    print("refused at once")
except OSError as error:
    print("no route" if error.errno == 113 else "silence")
PYTHON
}
echo
printf '%-58s %-18s %s\n' "through the module" expected got
tell "curl to port 80" passes "$(curls http://10.2.0.1/)"
tell "curl to port 80, IPv6" passes "$(curls 'http://[2001:db8:2::1]/')"
tell "curl to port 81: reject with tcp reset" "refused at once" "$(curls http://10.2.0.1:81/)"
tell "curl to port 95: reject" "refused at once" "$(curls http://10.2.0.1:95/)"
tell "curl to port 23: drop" silence "$(curls http://10.2.0.1:23/)"
tell "datagram to port 7: reject" "refused at once" "$(datagram 10.2.0.1 7)"
# Three answers within three seconds.
pings() { "$@" -c 3 -i 0.1 -w 3 > /dev/null && echo passes || echo silence; }
tell "ping" passes "$(pings client ping 10.2.0.1)"
tell "ping, IPv6" passes "$(pings client ping -6 2001:db8:2::1)"
tell "ping of a client by a server" silence "$(pings server ping 10.1.0.9)"

# Rules with a mistake change nothing.
sed 's|^rules = \[|&\n    { src = "10.0.0.1/8", action = "drop" },|' "$work/firewall.toml" > "$work/bad.toml"
mv "$work/firewall.toml" "$work/good.toml"
mv "$work/bad.toml" "$work/firewall.toml"
said=$(ip netns exec perigee-fw-m "$perigee" ctl --socket "$work/control" apply "$work/firewall.toml" 2>&1) && got=taken || got=refused
[[ $said = *"rule 1: src:"*"has bits set"* ]] || got="$said"
tell "rules with a mistake" refused "$got"
mv "$work/good.toml" "$work/firewall.toml"
tell "curl to port 80, still" passes "$(curls http://10.2.0.1/)"

# Other rules, while a connection is under way.
ip netns exec perigee-fw-a timeout 10 iperf3 -c 10.2.0.1 -t 3 -J > "$work/iperf" &
iperf=$!
pids+=("$iperf")
sleep 1
sed 's/80, 443, 5201, 8000-8010/443/' rules.nft > "$work/other.nft"
rules "$work/other.nft"
tell "curl to port 80, by the new rules" silence "$(curls http://10.2.0.1/)"
code=0
wait $iperf || code=$?
tell "iperf3 that began by the old ones" "ends well" "$([ $code = 0 ] && echo "ends well" || echo "fails")"
python3 - "$work/iperf" << 'PYTHON'
import json, sys
report = json.load(open(sys.argv[1]))
rates = [interval["sum"]["bits_per_second"] / 1e6 for interval in report["intervals"]]
print("Mbit/s, second by second:", ", ".join(f"{rate:.0f}" for rate in rates))
assert min(rates) > 0
PYTHON
cat "$work/applied"
"$perigee" ctl --socket "$work/control" stop > /dev/null
wait $run
python3 - "$work/summary.json" << 'PYTHON'
import json, sys
summary = json.load(open(sys.argv[1]))
summary = summary.get("summary", summary)
assert summary["accounting"]["balanced"]
counters = next(module["counters"] for module in summary["modules"] if module["name"] == "firewall")
named = {name: count for name, count in counters.items() if not name.startswith("nft.")}
print(", ".join(f"{name} {count}" for name, count in named.items() if count))
# Each packet has one fate.
others = ["packets", "connections.new", "connections.expired", "connections.ousted", "log.limited"]
assert sum(count for name, count in named.items() if name not in others) == named["packets"]
PYTHON
exit $failed
