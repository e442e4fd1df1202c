#!/bin/sh
# Linux (6.18 tried): a frame may be 4 bytes longer than its MTU allows where it has a VLAN tag, and who looks how differs. A packet socket on an
# interface with MTU 1500 takes 1,518 bytes with a tag of 802.1Q, but with one of 802.1ad (0x88a8) 1,514 as without a tag: full-sized
# frames of provider bridging are refused (EMSGSIZE). A veth asks for no tag: it hands over 1,518 bytes without one, an IP packet of 1,504.
# In a network namespace of its own. Needs root, ip, Python. Fails where it behaves otherwise.
set -eu
seen=$(unshare --net sh -eu -c '
  sysctl -qw net.ipv6.conf.default.disable_ipv6=1
  ip link add left type veth peer name right
  ip link set left up
  ip link set right up
  python3 - <<P
import socket, subprocess
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind(("left", 0))
receiver = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
receiver.bind(("right", 0))
receiver.settimeout(0.3)
head = bytes.fromhex("020000000001020000000002")
def longest(kind):
    taken = 0
    for length in range(1500, 1530):
        try:
            sender.send((head + bytes.fromhex(kind)).ljust(length, bytes(1)))
            taken = length
            receiver.recv(4096)
        except OSError:
            break
    return taken
print("sent by MTU 1500: untagged", longest("88b5"), "802.1Q", longest("8100000588b5"), "802.1ad", longest("88a8000588b5"))
subprocess.run(["ip", "link", "set", "left", "mtu", "9000"], check=True)
print("received by MTU 1500, untagged:", longest("88b5"))
P
')
echo "$seen"
expected="sent by MTU 1500: untagged 1514 802.1Q 1518 802.1ad 1514
received by MTU 1500, untagged: 1518"
[ "$seen" = "$expected" ] || { echo "otherwise than found"; exit 1; }
