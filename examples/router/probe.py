#!/usr/bin/env python3
"""Asks a router of everything that it has to get right, and writes down what came of it.

probe.py SPACE-A SPACE-B SPACE-C MAC-OF-ROUTER OUT.json: the three namespaces around the router, which is at hand by the address
that ends in 1 on each link. Each probe is a frame that A sends; what comes on any link is its answer.
"""
import ctypes, json, os, select, socket, struct, sys, time
from scapy.all import (Ether, IP, IPv6, UDP, ICMP, Raw, IPOption_RR, IPOption_Router_Alert, ICMPv6EchoRequest,
                       IPv6ExtHdrHopByHop, IPv6ExtHdrFragment, IPv6ExtHdrDestOpt, RouterAlert, raw)

LINKS = {"a": sys.argv[1], "b": sys.argv[2], "c": sys.argv[3]}
ROUTER = sys.argv[4]
libc = ctypes.CDLL("libc.so.6", use_errno=True)


def open_in(space):
    """A raw socket on the link of a namespace: it stays there whoever reads it."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{space}", os.O_RDONLY)
    if libc.setns(there, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    link.bind(("wire", 0))
    # Somebody listens, so that the hosts have no errors of their own to tell.
    listener = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    listener.bind(("::", 5000))
    libc.setns(here, 0x40000000)
    return link, listener


# The names of the probes that were sent. Each carries its number where errors quote it: as identification, port or sequence.
sent = []
FIRST = 1000


def number():
    return FIRST + len(sent)


def probes():
    """Name and packet of each; the Ethernet header is the same for all."""
    A4, B4, C4, R4 = "10.77.0.2", "10.77.1.2", "10.77.2.2", "10.77.0.1"
    A6, B6, C6, R6 = "fd77:0:0:a::2", "fd77:0:0:b::2", "fd77:0:0:c::2", "fd77:0:0:a::1"
    data = Raw(bytes(range(64)))
    udp = lambda: UDP(sport=number(), dport=5000)
    v4 = lambda to, **more: IP(src=A4, dst=to, id=number(), **more)
    v6 = lambda to, **more: IPv6(src=A6, dst=to, **more)
    yield "v4 forwarded", v4(B4) / udp() / data
    yield "v4 tos kept", v4(B4, tos=0xb9) / udp() / data
    yield "v4 forwarded by a route", v4("10.78.1.1") / udp() / data
    yield "v4 ttl 2", v4(B4, ttl=2) / udp() / data
    yield "v4 ttl 1", v4(B4, ttl=1) / udp() / data
    yield "v4 ttl 0", v4(B4, ttl=0) / udp() / data
    yield "v4 ttl 1, long", v4(B4, ttl=1) / udp() / Raw(bytes(1200))
    yield "v4 ttl 1, ping", v4(B4, ttl=1) / ICMP(id=number(), seq=4) / data
    yield "v4 ttl 1, error", v4(B4, ttl=1) / ICMP(type=3, code=1) / data
    yield "v4 ttl 1, later fragment", v4(B4, ttl=1, frag=10, flags="MF") / data
    yield "v4 ttl 1, first fragment", v4(B4, ttl=1, flags="MF") / udp() / data
    yield "v4 no route", v4("10.99.0.1") / udp() / data
    yield "v4 blackhole", v4("10.79.0.1") / udp() / data
    yield "v4 unreachable", v4("10.80.0.1") / udp() / data
    yield "v4 too long, DF", v4(C4, flags="DF") / udp() / Raw(bytes(1400))
    yield "v4 too long", v4(C4) / udp() / Raw(bytes(i % 251 for i in range(1400)))
    yield "v4 a fragment too long", v4(C4, flags="MF", frag=50) / Raw(bytes(i % 251 for i in range(1400)))
    yield "v4 record route", v4(B4, options=[IPOption_RR(routers=["0.0.0.0"] * 4, pointer=4)]) / udp() / data
    yield "v4 record route, full", v4(B4, options=[IPOption_RR(routers=["1.2.3.4"], pointer=8)]) / udp() / data
    yield "v4 record route and ttl 1", v4(B4, ttl=1, options=[IPOption_RR(routers=["0.0.0.0"] * 4, pointer=4)]) / udp() / data
    yield "v4 router alert", v4(B4, options=[IPOption_Router_Alert()]) / udp() / data
    yield "v4 record route, too long", v4(C4, options=[IPOption_RR(routers=["0.0.0.0"] * 3, pointer=4)]) / udp() / Raw(bytes(1400))
    yield "v4 router alert, too long", v4(C4, options=[IPOption_Router_Alert()]) / udp() / Raw(bytes(1400))
    yield "v4 to all of a link", v4("10.77.1.255") / udp() / data
    yield "v4 to a group", v4("239.1.2.3", ttl=9) / udp() / data
    yield "v4 from loopback", IP(src="127.0.0.1", dst=B4, id=number()) / udp() / data
    yield "v4 to loopback", v4("127.0.0.1") / udp() / data
    yield "v4 bad checksum", v4(B4, chksum=0x1234) / udp() / data
    yield "v4 wrong length", v4(B4, len=2000) / udp() / data
    yield "v4 ping", v4(R4) / ICMP(id=number(), seq=2) / data
    yield "v4 ping of the far side", v4("10.77.1.1") / ICMP(id=number(), seq=2) / data
    yield "v4 ping, record route", v4(R4, options=[IPOption_RR(routers=["0.0.0.0"] * 3, pointer=4)]) / ICMP(id=number(), seq=2) / data
    yield "v4 ping, wrong checksum", v4(R4) / ICMP(id=number(), seq=2, chksum=1) / data
    yield "v4 port", v4(R4) / udp() / data
    yield "v4 protocol", v4(R4, proto=200) / data
    yield "v6 forwarded", v6(B6) / udp() / data
    yield "v6 class and label kept", v6(B6, tc=0xb9, fl=0x12345) / udp() / data
    yield "v6 forwarded by a route", v6("fd78::1") / udp() / data
    yield "v6 hop limit 2", v6(B6, hlim=2) / udp() / data
    yield "v6 hop limit 1", v6(B6, hlim=1) / udp() / data
    yield "v6 hop limit 0", v6(B6, hlim=0) / udp() / data
    yield "v6 hop limit 1, long", v6(B6, hlim=1) / udp() / Raw(bytes(1400))
    yield "v6 hop limit 1, ping", v6(B6, hlim=1) / ICMPv6EchoRequest(id=number(), seq=2) / data
    yield "v6 hop limit 1, error", v6(B6, hlim=1, nh=58) / Raw(bytes([1, 0, 0, 0, 0, 0, 0, 0]) + bytes(48))
    yield "v6 no route", v6("fd99::1") / udp() / data
    yield "v6 too long", v6(C6) / udp() / Raw(bytes(1400))
    yield "v6 hop-by-hop options", v6(B6) / IPv6ExtHdrHopByHop(options=[RouterAlert(value=9)]) / udp() / data
    yield "v6 destination options", v6(B6) / IPv6ExtHdrDestOpt() / udp() / data
    yield "v6 fragment", v6(B6) / IPv6ExtHdrFragment(m=1, id=5) / udp() / data
    yield "v6 to a group of a site", v6("ff05::99") / udp() / data
    yield "v6 to loopback", v6("::1") / udp() / data
    yield "v6 wrong length", v6(B6, plen=2000) / udp() / data
    yield "v6 ping", v6(R6) / ICMPv6EchoRequest(id=number(), seq=2, data=bytes(40))
    yield "v6 ping of the far side", v6("fd77:0:0:b::1") / ICMPv6EchoRequest(id=number(), seq=2, data=bytes(40))
    yield "v6 port", v6(R6) / udp() / data


def mark(packet):
    """The number of the probe that a packet is, or is the answer to; nothing where it is neither."""
    if len(packet) >= 28 and packet[0] >> 4 == 4:
        header = (packet[0] & 15) * 4
        first = struct.unpack("!H", packet[6:8])[0] & 0x1fff == 0
        if packet[9] == 1 and first and packet[header] in (3, 11) and len(packet) >= header + 28:
            return mark(packet[header + 8:]) or struct.unpack("!H", packet[4:6])[0]
        if packet[9] == 1 and first and packet[header] == 0:
            return struct.unpack("!H", packet[header + 4:header + 6])[0]
        return struct.unpack("!H", packet[4:6])[0]
    if len(packet) >= 48 and packet[0] >> 4 == 6:
        kind, at = packet[6], 40
        while kind in (0, 43, 44, 60):
            kind, at = packet[at], at + (8 if kind == 44 else 8 * (packet[at + 1] + 1))
        if kind == 58 and packet[at] in (1, 2, 3, 4):
            return mark(packet[at + 8:])
        if kind == 58 and packet[at] in (128, 129):
            return struct.unpack("!H", packet[at + 4:at + 6])[0]
        return struct.unpack("!H", packet[at:at + 2])[0] if kind == 17 else None
    return None


def normal(packet):
    """A packet without what may differ. Checksums are looked at, then left out."""
    packet = bytearray(packet)
    if packet[0] >> 4 == 4:
        header = (packet[0] & 15) * 4
        if checksum(packet[:header]) != 0:
            return "header checksum wrong: " + packet.hex()
        packet[10:12] = b"\0\0"
        if packet[9] == 1 and struct.unpack("!H", packet[6:8])[0] & 0x3fff == 0:
            if checksum(packet[header:]) != 0:
                return "ICMP checksum wrong: " + packet.hex()
            if packet[header] in (0, 3, 11):
                # The router's own packets have any identification.
                packet[4:6] = b"\0\0"
                packet[header + 2:header + 4] = b"\0\0"
    elif packet[6] == 58 and packet[40] in (1, 2, 3, 129):
        pseudo = bytes(packet[8:40]) + struct.pack("!IBBBB", len(packet) - 40, 0, 0, 0, 58)
        if checksum(pseudo + packet[40:]) != 0:
            return "ICMPv6 checksum wrong: " + packet.hex()
        # The kernel's own packets have a flow label, the router's none.
        packet[1:4] = bytes([packet[1] & 0xf0, 0, 0])
        packet[42:44] = b"\0\0"
    return packet.hex()


def ip_of(frame):
    """The packet in a frame, without padding."""
    packet = frame[14:]
    if frame[12:14] == b"\x08\x00" and len(packet) >= 20:
        return packet[:struct.unpack("!H", packet[2:4])[0]]
    if frame[12:14] == b"\x86\xdd" and len(packet) >= 40:
        return packet[:40 + struct.unpack("!H", packet[4:6])[0]]
    return b""


def checksum(data):
    data = bytes(data) + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def main():
    opened = {name: open_in(space) for name, space in LINKS.items()}
    links = {name: link for name, (link, _) in opened.items()}
    source = links["a"].getsockname()[4]
    names = {link.fileno(): name for name, link in links.items()}
    for link in links.values():
        link.setblocking(False)
    answers = {}

    def listen(seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for link in select.select(list(links.values()), [], [], left)[0]:
                frame, (_, _, direction, _, _) = link.recvfrom(65536)
                packet = ip_of(frame)
                # Not what this end has sent.
                number = None if direction == socket.PACKET_OUTGOING else mark(packet)
                if number is not None:
                    told = f"{names[link.fileno()]} {frame[:12].hex()} {normal(packet)}"
                    answers.setdefault(number, []).append(told)

    for name, packet in probes():
        frame = raw(Ether(dst=ROUTER, src=":".join(f"{b:02x}" for b in source), type=0x86dd if packet.version == 6 else 0x800) / packet)
        if name in ("v4 no route", "v4 unreachable"):
            # With icmp_ratelimit = 0 the kernel says this at most once in a second after another error: both share a bucket,
            # which a limit of 0 empties.
            listen(1.1)
        links["a"].send(frame.ljust(60, b"\0"))
        sent.append(name)
        listen(0.01)
    # However busy the machine is.
    listen(2)
    # What comes on two links has no order.
    results = {name: sorted(answers.get(FIRST + index, []), key=lambda told: told[0]) for index, name in enumerate(sent)}
    json.dump(results, open(sys.argv[5], "w"), indent=1)


main()
