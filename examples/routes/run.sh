#!/usr/bin/env bash
# 100,000 routes for a router under load: FRR's by its Forwarding Plane Manager, then BIRD's through the kernel's table. Takes root.
# Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee=$(realpath "${PERIGEE:-../../target/release/perigee}")
skip() { echo "skipped: takes root, and iproute2, frr, bird2, python3"; exit 0; }
[ "$(id -u)" = 0 ] || skip
for program in ip bird /usr/lib/frr/zebra /usr/lib/frr/bgpd python3; do command -v $program > /dev/null || skip; done

work=$(mktemp -d)
r=routes-$$
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
  for n in r b; do
    # What runs there is a child of the processes above.
    ip netns pids $r-$n 2> /dev/null | xargs -r kill -KILL 2> /dev/null || true
    ip netns del $r-$n 2> /dev/null || true
  done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM
fail() { echo "FAILED: $1"; shift; for file in "$@"; do echo "--- $file"; tail -20 "$file"; done; exit 1; }
now() { date +%s%N; }
count=100000

# The router, FRR and the kernel's table are in one namespace, BIRD in another one, behind the router's second link.
for n in r b; do
  ip netns add $r-$n
  ip -n $r-$n link set lo up
done
ip -n $r-r link add name first type veth peer name first-far
ip -n $r-r link add name second type veth peer name far netns $r-b
for link in first first-far second; do ip -n $r-r link set $link up; done
ip -n $r-b link set far up
ip -n $r-r addr add 10.77.0.1/24 dev first
ip -n $r-r addr add 10.77.1.1/24 dev second
ip -n $r-b addr add 10.77.1.2/24 dev far
# In the background it is the program itself that has the number to kill.
on() {
  local space=$1
  shift
  [ "$BASHPID" = $$ ] || exec ip netns exec $r-$space "$@"
  ip netns exec $r-$space "$@"
}

mkfifo "$work/ready"
on r "$perigee" run routes.toml --control "$work/control" --quiet --json "$work/run.json" --ready-fd 3 3> "$work/ready" > "$work/run" 2>&1 &
run=$!
pids+=($run)
read -r -t 60 < "$work/ready" || fail "the run has not started" "$work/run"
ctl() { "$perigee" ctl --socket "$work/control" "$@"; }
# How many routes a feed has in the router.
has() { ctl message router 'feeds?' | sed -n "s/^feed $1 .*routes \([0-9]*\) .*/\1/p"; }
wait_for() {
  local what=$1 limit=$2 start
  shift 2
  start=$(now)
  until "$@"; do
    [ $(($(now) - start)) -lt ${limit}000000000 ] || { ctl message router 'feeds?'; fail "$what" "$work/run" "$work"/*.log; }
    sleep 0.1
  done
}
same() { [ "$(has "$1")" = "$2" ]; }
compare() {
  on r ip -json route > "$work/kernel.json"
  ctl routes router --json > "$work/router.json"
  python3 compare.py "$work/kernel.json" "$work/router.json" "$1" "$2"
}

# FRR gets the routes by BGP of BIRD, and tells them to the feed. FRR's programs run as its own user.
mkdir "$work/frr"
chmod 711 "$work"
echo "fpm address 127.0.0.1" > "$work/frr/zebra.conf"
cat > "$work/frr/bgpd.conf" << 'END'
router bgp 65001
 bgp router-id 10.77.1.1
 no bgp ebgp-requires-policy
 neighbor 10.77.1.2 remote-as 65002
 neighbor 10.77.1.2 timers connect 1
END
chown -R frr:frr "$work/frr"
frr() {
  local program=$1
  shift
  cd /
  on r /usr/lib/frr/$program -u frr -g frr -A 127.0.0.1 -P 0 -f "$work/frr/$program.conf" -z "$work/frr/zserv" -i "$work/frr/$program.pid" \
    --vty_socket "$work/frr" "$@" > "$work/$program.log" 2>&1
}
prefixes() { python3 -c "for n in range($1, $2): print(f'  route 40.{n >> 16}.{n >> 8 & 255}.{n & 255}/32 $3;')"; }
{
  echo "router id 10.77.1.2; protocol device {}"
  echo "protocol bgp frr { local 10.77.1.2 as 65002; neighbor 10.77.1.1 as 65001; connect delay time 1; ipv4 { export all; import none; next hop self; }; }"
  echo "protocol static many { ipv4;"
  prefixes 0 $count blackhole
  echo "}"
} > "$work/peer.conf"
on r "$perigee" routes --from fpm --to router --socket "$work/control" --map second=1 --stale 2s --json > "$work/fpm.log" 2>&1 &
fpm=$!
pids+=($fpm)
frr zebra -M dplane_fpm_nl &
zebra=$!
pids+=($zebra)
on b bird -f -c "$work/peer.conf" -s "$work/peer.ctl" > "$work/bird-peer.log" 2>&1 &
peer=$!
pids+=($peer)
sleep 1
start=$(now)
frr bgpd &
bgpd=$!
pids+=($bgpd)
wait_for "FRR's routes" 60 same fpm $count
frr_took=$((($(now) - start) / 1000000))
ctl routes router 40.1.0.1 > "$work/one"
grep -q "10.77.1.2 *1 *permanent *fpm" "$work/one" || fail "a route" "$work/one"
settled() { [ "$(on r ip route show proto bgp | wc -l)" = $count ]; }
wait_for "FRR's routes in the kernel" 60 settled
compare fpm $count

# FRR dies: its routes are marked, and withdrawn two seconds later.
kill -KILL $zebra
kill $bgpd $peer
wait $bgpd $zebra $peer || true
start=$(now)
gone() { [ "$(has fpm)" = "" ] || same fpm 0; }
wait_for "the end of FRR's routes" 30 gone
gone_after=$((($(now) - start) / 1000000))
kill $fpm
wait $fpm || fail "the feed of FRR" "$work/fpm.log"
# What a zebra that was killed has left with the kernel: next hops, with which their routes go.
on r ip nexthop flush > /dev/null

# BIRD writes the routes into the kernel's table, and the feed follows that.
bird() {
  echo "router id 10.77.1.1; protocol device {} protocol kernel { ipv4 { export all; import none; }; }"
  echo "protocol static many { ipv4;"
  prefixes 0 $1 "via 10.77.1.2"
  prefixes $1 $count "via 10.77.1.3"
  echo "}"
}
bird $count > "$work/bird.conf"
on r "$perigee" routes --from kernel --to router --socket "$work/control" --map first=0 --map second=1 --json > "$work/kernel.log" 2>&1 &
kernel=$!
pids+=($kernel)
wait_for "the kernel's feed" 20 grep -q "routes in the router" "$work/kernel.log"
start=$(now)
on r bird -f -c "$work/bird.conf" -s "$work/bird.ctl" > "$work/bird.log" 2>&1 &
bird=$!
pids+=($bird)
wait_for "BIRD's routes" 60 same kernel $count
bird_took=$((($(now) - start) / 1000000))
compare kernel $count
# A third of them gets another next hop.
bird $((count * 2 / 3)) > "$work/bird.conf"
start=$(now)
on r birdc -s "$work/bird.ctl" configure > "$work/birdc.log"
changed() { compare kernel $count > "$work/compared" 2>&1; }
wait_for "BIRD's other routes" 60 changed
changed_took=$((($(now) - start) / 1000000))
kill $kernel
wait $kernel || fail "the feed of the kernel" "$work/kernel.log"
kill $bird
wait $bird || true

kill -INT $run
wait $run || fail "the run" "$work/run"
python3 report.py "$work" $count $frr_took $gone_after $bird_took $changed_took
