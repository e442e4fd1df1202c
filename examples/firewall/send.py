"""Sends packets through a firewall, and tells what becomes of each.

    send.py router SPACE-A SPACE-B MAC-A MAC-B [SEED] > verdicts    # between the interfaces "end" of two namespaces
    send.py bridge SPACE-A SPACE-B MAC-A MAC-B [SEED] > verdicts

The kernel has done with a packet when it has been sent. A bridge in another process may take its time: behind each packet a question of
ARP is sent, which passes, and nothing else is sent before it has.
"""

import ctypes
import json
import select
import socket
import sys
import time

from scapy.all import ARP, ICMP, IP, TCP, Ether, ICMPv6DestUnreach, IPv6

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
        self.ends, self.verdicts, self.tuples, self.passed = ends, {}, {}, None
        for _, ip, which in trace:
            if TCP in ip:
                self.tuples[(ip.src, ip[TCP].sport, ip.dst, ip[TCP].dport)] = which

    def note(self, side, frame):
        packet = Ether(frame)
        ip = packet.getlayer(IP) or packet.getlayer(IPv6)
        if packet.src == OWN[side]:
            return
        if ARP in packet:
            self.passed = packet[ARP].pdst
        if ip is None:
            return
        if (ip.tos if ip.version == 4 else ip.tc) == packets.CLASS:
            self.verdicts[number(ip)] = "pass"
        elif TCP in ip and "R" in ip[TCP].flags:
            which = self.tuples.get((ip.dst, ip[TCP].dport, ip.src, ip[TCP].sport), -1)
            self.verdicts[which] = "reset"
        elif ICMP in ip and ip[ICMP].type == 3:
            quoted = IP(bytes(ip[ICMP].payload))
            self.verdicts[number(quoted)] = f"icmp 3/{ip[ICMP].code}"
        elif ICMPv6DestUnreach in ip:
            quoted = IPv6(bytes(ip[ICMPv6DestUnreach])[8:])
            self.verdicts[number(quoted)] = f"icmpv6 1/{ip[ICMPv6DestUnreach].code}"

    def wait(self, is_done, patience=PATIENCE):
        until = time.monotonic() + patience
        while not is_done() and (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select(list(self.ends.values()), [], [], left)
            for side, end in self.ends.items():
                if end in ready:
                    self.note(side, end.recv(65_535))


def question(side, number):
    target = f"169.254.{number >> 8}.{number & 255}"
    return target, bytes(Ether(src=OWN[side], dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=OWN[side], psrc="0.0.0.0", pdst=target))


def lead(kind, spaces, macs, trace):
    ends = {side: opened(space) for side, space in spaces.items()}
    watch = Watch(ends, trace)
    for place, (side, ip, which) in enumerate(trace):
        frame = Ether(src=OWN[side], dst=macs[side], type=0x0800 if ip.version == 4 else 0x86DD) / ip
        ends[side].send(bytes(frame))
        if kind == "bridge":
            target, asked = question(side, place)
            ends[side].send(asked)
            watch.wait(lambda: watch.passed == target, 5)
        else:
            watch.wait(lambda: which in watch.verdicts)
    # What is still on its way.
    watch.wait(lambda: False, 0.3)
    return [(which, watch.verdicts.get(which, "drop"), ip.summary()) for _, ip, which in trace]


_, kind, a, b, mac_a, mac_b, *seed = sys.argv
sent = draw.trace(int(seed[0])) if seed else packets.trace()
json.dump(lead(kind, {"a": a, "b": b}, {"a": mac_a, "b": mac_b}, sent), sys.stdout)
