#!/bin/sh
# nftables' `reject` with an error of ICMP (its default) answers a TCP reset as well: only `reject with tcp reset` leaves resets alone.
# In a network namespace of its own: a reset to a port of 127.0.0.1 that is rejected, and what comes back. Needs root, nft, Python.
# Fails where it behaves otherwise.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/ask.py" <<'P'
import socket, struct, sys
def total(data):
    words = sum(struct.unpack(f"!{len(data) // 2}H", data))
    words = (words >> 16) + (words & 0xffff)
    return ~(words + (words >> 16)) & 0xffff
own = socket.inet_aton("127.0.0.1")
head = lambda check: struct.pack("!HHIIBBHHH", 1000, 9, 7, 0, 0x50, 4, 0, check, 0)
segment = head(total(own + own + struct.pack("!BBH", 0, 6, 20) + head(0)))
heard = {name: socket.socket(socket.AF_INET, socket.SOCK_RAW, number) for name, number in (("icmp", 1), ("tcp", 6))}
heard["tcp"].sendto(segment, ("127.0.0.1", 0))
heard["icmp"].settimeout(0.5)
try:
    answer = heard["icmp"].recv(1500)
    print(f"icmp {answer[20]}/{answer[21]}")
except socket.timeout:
    print("nothing")
P
answer() {
  unshare --net sh -c "ip link set lo up && nft 'table ip t { chain c { type filter hook input priority 0; tcp dport 9 $1; }; }' && python3 $work/ask.py"
}
plain=$(answer reject)
reset=$(answer "reject with tcp reset")
echo "$(nft --version | cut -d ' ' -f 1-2), kernel $(uname -r): reject answers a reset with: $plain; reject with tcp reset: $reset"
if [ "$plain" = "icmp 3/3" ] && [ "$reset" = nothing ]; then
    echo "as found: a reset is answered with an error"
else
    echo "otherwise than found"
    exit 1
fi
