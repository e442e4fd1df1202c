#!/bin/sh
# nftables 1.0.6 takes names of protocols from the machine's /etc/protocols, where (netbase 6.4, as at IANA) `ipip` is 94, a protocol that nobody
# sends: packets of Linux' ipip tunnels have 4, which is `ipencap` there. So `ip protocol ipip accept` is met by no tunnel's packet, without a word.
# In a network namespace of its own. Needs root, nft, Python. Fails where it behaves otherwise.
set -eu
seen=$(unshare --net sh -eu -c '
  ip link set lo up
  nft "add table ip t { chain i { type filter hook input priority 0; }; }"
  nft "add rule ip t i ip protocol ipip counter"
  nft "add rule ip t i ip protocol ipencap counter"
  nft "add rule ip t i ip protocol 4 counter"
  python3 - <<P
import socket
inner = bytes.fromhex("4500001400010000403b0000c0000201c0000202")
socket.socket(socket.AF_INET, socket.SOCK_RAW, 4).sendto(inner, ("127.0.0.1", 0))
P
  nft list chain ip t i
')
echo "$seen" | grep counter
echo "$seen" | grep -q "ip protocol ipip counter packets 0 " || { echo "ipip is met now"; exit 1; }
[ "$(echo "$seen" | grep -c "ip protocol ipencap counter packets 1 ")" = 2 ] || { echo "otherwise than found"; exit 1; }
echo "as found: $(nft --version)"
