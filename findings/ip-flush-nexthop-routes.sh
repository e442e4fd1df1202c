#!/bin/sh
# `ip route flush` of iproute2 6.1.0 (Debian 12) flushes no route that goes by a next-hop object, as all of FRR's do: it says "Invalid
# argument" and leaves every one. `ip nexthop flush` takes the objects out, and their routes go with them.
# In a network namespace of its own. Needs root, ip. Fails where it behaves otherwise.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case "$(ip -V)" in *iproute2-6.1.0*) ;; *) echo "another version: $(ip -V)"; exit 1 ;; esac
unshare --net sh -eu -c "
  ip link add left type veth peer name right
  ip link set left up
  ip link set right up
  ip addr add 192.0.2.1/24 dev left
  ip nexthop add id 7 via 192.0.2.3 dev left
  ip route add 10.1.0.0/16 nhid 7 proto bgp
  ip route add 10.2.0.0/16 via 192.0.2.4 proto static
  ip route flush proto static
  ip route flush proto bgp 2> $work/said || echo refused > $work/refused
  ip route > $work/left
  ip nexthop flush > $work/flushed
  ip route > $work/last
"
test -e "$work/refused" && grep -q "Invalid argument" "$work/said" || { echo "it is flushed now:"; cat "$work/left"; exit 1; }
grep -q "^10.1.0.0/16 nhid 7" "$work/left" || { echo "the route is gone:"; cat "$work/left"; exit 1; }
if grep "^10\." "$work/last"; then
  echo "the route has outlived its next hop"
  exit 1
fi
echo "refused: $(cat "$work/said"); and gone with its next hop"
