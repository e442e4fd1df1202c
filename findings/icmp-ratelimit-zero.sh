#!/bin/sh
# Linux (6.18 tried): net.ipv4.icmp_ratelimit = 0 is documented as "no limit", and silences errors: a router that has just told a host
# of a hop that ran out does not tell it, within the next second, that there is no route. Both count in one bucket of the host, which a
# limit of 0 empties. With the limit's default of 1,000 the second error comes. Needs root, and Python's raw sockets.
# Fails where it behaves otherwise.
set -eu
space=icmp-ratelimit-$$
trap 'ip netns del $space-a 2> /dev/null; ip netns del $space-r 2> /dev/null' EXIT
ip netns add $space-a
ip netns add $space-r
ip link add wire netns $space-a type veth peer name wire netns $space-r
ip -n $space-a addr add 192.0.2.2/24 dev wire
ip -n $space-r addr add 192.0.2.1/24 dev wire
ip -n $space-a link set wire up
ip -n $space-r link set wire up
ip -n $space-a route add default via 192.0.2.1
ip -n $space-r link set lo up
ip -n $space-r route add 203.0.113.0/24 via 192.0.2.9
ip netns exec $space-r sysctl -qw net.ipv4.ip_forward=1
ip netns exec $space-a ping -q -c 1 -w 5 192.0.2.1 > /dev/null
# A packet whose hops run out, then one without a route: how many errors come back in the next half second?
errors() {
    ip netns exec $space-r sysctl -qw net.ipv4.icmp_ratelimit="$1"
    sleep 1.5
    ip netns exec $space-a python3 - <<'P'
import socket, time
icmp = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
icmp.settimeout(0.5)
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
one.sendto(b"x", ("203.0.113.9", 9))
time.sleep(0.1)
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
other.sendto(b"x", ("198.51.100.9", 9))
kinds = []
try:
    while True:
        kinds.append(icmp.recv(2048)[20])
except TimeoutError:
    pass
print(*sorted(kinds))
P
}
limited=$(errors 1000)
unlimited=$(errors 0)
echo "errors with a limit of 1000: $limited; with 0: $unlimited"
[ "$limited" = "3 11" ] && [ "$unlimited" = "11" ]
