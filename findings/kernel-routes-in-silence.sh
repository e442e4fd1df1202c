#!/bin/sh
# The kernel takes IPv4 routes out and says nothing of them by netlink: where their interface goes down, and where their next-hop object
# is deleted. Of IPv6 routes it says it. Whoever follows routes by the news alone keeps them for ever.
# In a network namespace of its own. Needs root, ip. Fails where it behaves otherwise.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unshare --net sh -eu -c "
  ip link add left type veth peer name right
  ip link set left up
  ip link set right up
  ip addr add 192.0.2.1/24 dev left
  ip -6 addr add 2001:db8::1/64 dev left nodad
  ip route add 10.1.0.0/16 via 192.0.2.2
  ip -6 route add 2001:db8:1::/48 via 2001:db8::2
  ip nexthop add id 7 via 192.0.2.3 dev left
  ip route add 10.2.0.0/16 nhid 7
  ip monitor route > $work/news &
  monitor=\$!
  sleep 0.5
  ip nexthop del id 7
  ip link set left down
  sleep 0.5
  kill \$monitor
  ip route > $work/left
"
test ! -s "$work/left" || { echo "routes have stayed:"; cat "$work/left"; exit 1; }
grep -q "Deleted 2001:db8:1::/48" "$work/news" || { echo "not told of IPv6:"; cat "$work/news"; exit 1; }
if grep "Deleted 10\." "$work/news"; then
  echo "it says so now"
  exit 1
fi
echo "two IPv4 routes went without a word"
