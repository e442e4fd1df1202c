"""Sends one trace through two firewalls, and compares what becomes of each packet.

    differ.py SPACE-A SPACE-B MAC-A MAC-B [SEED] > verdicts    # one firewall, between the interfaces "end" of two namespaces
    differ.py --compare ONE OTHER
"""

import ctypes
import json
import select
import socket
import sys
import time
from collections import Counter

from scapy.all import ICMP, IP, TCP, Ether, ICMPv6DestUnreach, IPv6, Raw

import draw
import packets

# How long a packet may take. What comes later is still counted for its own packet.
PATIENCE = 0.01
OWN = {"a": "02:00:00:00:00:0a", "b": "02:00:00:00:00:0b"}


def enter(space):
    """Makes this process a part of a network namespace."""
    with open(f"/run/netns/{space}") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0x4000_0000) != 0:
            raise OSError(ctypes.get_errno(), f"setns {space}")


def opened(space):
    enter(space)
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    end.bind(("end", 0))
    end.setblocking(False)
    return end


def number(ip):
    return (ip.id if ip.version == 4 else ip.fl) - 1


class Watch:
    """What came out, by the number of the packet."""

    def __init__(self, ends, trace):
        self.ends, self.verdicts, self.tuples = ends, {}, {}
        self.sent = {which: side for side, _, which in trace}
        for _, ip, which in trace:
            if TCP in ip:
                self.tuples[(ip.src, ip[TCP].sport, ip.dst, ip[TCP].dport)] = which

    def note(self, side, frame):
        packet = Ether(frame)
        ip = packet.getlayer(IP) or packet.getlayer(IPv6)
        if ip is None or packet.src == OWN[side]:
            return
        which = number(ip)
        if TCP in ip and "R" in ip[TCP].flags and (which < 0 or which not in self.sent or self.sent[which] == side):
            which = self.tuples.get((ip.dst, ip[TCP].dport, ip.src, ip[TCP].sport), -1)
            self.verdicts[which] = "reset"
        elif which in self.sent and self.sent[which] != side:
            self.verdicts[which] = "pass"
        elif ICMP in ip and ip[ICMP].type == 3:
            quoted = IP(bytes(ip[ICMP].payload))
            self.verdicts[number(quoted)] = f"icmp 3/{ip[ICMP].code}"
        elif ICMPv6DestUnreach in ip:
            quoted = IPv6(bytes(ip[ICMPv6DestUnreach])[8:])
            self.verdicts[number(quoted)] = f"icmpv6 1/{ip[ICMPv6DestUnreach].code}"

    def wait(self, which):
        until = time.monotonic() + PATIENCE
        while which not in self.verdicts and (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select(list(self.ends.values()), [], [], left)
            for side, end in self.ends.items():
                if end in ready:
                    self.note(side, end.recv(65_535))


def lead(spaces, macs, trace):
    ends = {side: opened(space) for side, space in spaces.items()}
    watch = Watch(ends, trace)
    for side, ip, which in trace:
        frame = Ether(src=OWN[side], dst=macs[side], type=0x0800 if ip.version == 4 else 0x86DD) / ip
        ends[side].send(bytes(frame))
        watch.wait(which)
    watch.wait(-2)
    return [(which, watch.verdicts.get(which, "drop"), ip.summary()) for _, ip, which in trace]


def is_meant(one, other):
    """nftables answers a reset that it rejects with an error, the module does not answer it (README.md)."""
    is_reset = one[2].startswith("I") and one[2].split()[-1] in ("R", "RA")
    return is_reset and one[1].startswith("icmp") and other[1] == "drop"


def compare(one, other):
    one, other = (json.load(open(file)) for file in (one, other))
    pairs = list(zip(one, other, strict=True))
    different = [(a, b) for a, b in pairs if a[1] != b[1] and not is_meant(a, b)]
    print(f"{'verdict of both':<20} {'packets':>8}")
    for verdict, count in sorted(Counter(a[1] for a, b in pairs if a[1] == b[1]).items()):
        print(f"{verdict:<20} {count:>8}")
    if meant := sum(is_meant(a, b) for a, b in pairs):
        print(f"{'drop, for icmp':<20} {meant:>8}   resets, which the module does not answer")
    print(f"{'different':<20} {len(different):>8}")
    for (which, a, summary), (_, b, _) in different:
        print(f"  {which}: nftables {a}, module {b}: {summary}")
    sys.exit(1 if different else 0)


if sys.argv[1] == "--compare":
    compare(*sys.argv[2:])
_, a, b, mac_a, mac_b, *seed = sys.argv
sent = draw.trace(int(seed[0])) if seed else packets.trace()
json.dump(lead({"a": a, "b": b}, {"a": mac_a, "b": mac_b}, sent), sys.stdout)
