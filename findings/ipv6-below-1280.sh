#!/bin/sh
# Linux (6.18 tried) takes IPv6 off an interface whose MTU goes below 1,280, for good: its addresses and routes are gone, and when the MTU is as
# it was, the link-local address comes back and those that were given do not; settings of the interface (here: accept_ra) are new ones. No word
# at either change. Tests of small MTUs lose their IPv6 peer this way. In a network namespace of its own. Needs root, ip.
# Fails where it behaves otherwise.
set -eu
seen=$(unshare --net sh -eu -c '
  ip link add left type veth peer name right
  ip link set left up
  ip link set right up
  ip -6 addr add 2001:db8::1/64 dev left nodad
  ip -6 route add 2001:db8:1::/48 via 2001:db8::2
  echo 0 > /proc/sys/net/ipv6/conf/left/accept_ra
  look() { echo "$1: $(ip -6 addr show dev left scope global | grep -c inet6) address, $(ip -6 route show 2001:db8:1::/48 | wc -l) route, accept_ra $(cat /proc/sys/net/ipv6/conf/left/accept_ra 2> /dev/null || echo none)"; }
  look before
  ip link set left mtu 1279
  look "at 1279"
  ip link set left mtu 1500
  look "back at 1500"
')
echo "$seen"
expected="before: 1 address, 1 route, accept_ra 0
at 1279: 0 address, 0 route, accept_ra none
back at 1500: 0 address, 0 route, accept_ra 1"
[ "$seen" = "$expected" ] || { echo "otherwise than found"; exit 1; }
