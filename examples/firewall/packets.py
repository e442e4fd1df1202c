"""Packets for a firewall, in order, each with the side from which it comes."""

from scapy.all import GRE, ICMP, IP, TCP, UDP, Ether, ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest
from scapy.all import ICMPv6PacketTooBig, ICMPv6TimeExceeded, IPv6, Raw

# All packets have this class of service; answers to rejected ones have another.
CLASS = 0x28
# Addresses that the rules tell apart, and their neighbours.
CLIENTS = ["10.1.0.0", "10.1.0.9", "10.1.0.255", "10.1.1.0", "10.1.7.0", "10.1.7.1", "10.1.7.9", "10.1.7.10"]
CLIENTS6 = ["2001:db8:1::1", "2001:db8:1:0:ffff:ffff:ffff:ffff", "2001:db8:1:1::1"]
SERVER, SERVER6, ROUTER, ROUTER6 = "10.2.0.1", "2001:db8:2::1", "10.2.99.1", "2001:db8:2:99::1"
TCP_PORTS = [21, 22, 23, 24, 25, 79, 80, 81, 82, 89, 90, 94, 95, 96, 99, 100, 442, 443, 444, 1023, 1024, 5200, 5201]
TCP_PORTS += [7999, 8000, 8005, 8010, 8011, 65535]
UDP_PORTS = [6, 7, 8, 9, 10, 52, 53, 54, 122, 123, 124, 546]
FLAGS = ["", "S", "F", "R", "A", "SA", "FA", "RA", "SF", "SR", "FPU", "SPU", "SFRPAU", "SEC"]


class Trace:
    """The packets; each has a number of its own, in IPv4's identification or IPv6's flow label."""

    def __init__(self):
        self.packets = []
        self.port = 20_000

    def add(self, side, packet, same=False):
        number = len(self.packets) if not same else self.packets[-1][2]
        ip = packet
        if ip.version == 4:
            ip.id, ip.tos = number + 1, CLASS
        else:
            ip.fl, ip.tc = number + 1, CLASS
        self.packets.append((side, ip.__class__(bytes(ip)), number))

    def fresh(self):
        """A port that no packet has had."""
        self.port += 1
        return self.port

    def open(self, network, client, server, port):
        """A connection, with data and an end."""
        own = self.fresh()
        out = lambda **fields: self.add("a", network(src=client, dst=server) / TCP(sport=own, dport=port, window=8192, **fields))
        back = lambda **fields: self.add("b", network(src=server, dst=client) / TCP(sport=port, dport=own, window=8192, **fields))
        out(flags="S", seq=1000)
        back(flags="SA", seq=5000, ack=1001)
        out(flags="A", seq=1001, ack=5001)
        self.add("a", network(src=client, dst=server) / TCP(sport=own, dport=port, flags="PA", seq=1001, ack=5001, window=8192) / Raw(b"data"))
        back(flags="A", seq=5001, ack=1005)
        return own, out, back


def ip4(**fields):
    return IP(**fields)


def ip6(**fields):
    return IPv6(**fields)


def connections(trace):
    for network, client, server in [(ip4, CLIENTS[1], SERVER), (ip6, CLIENTS6[0], SERVER6)]:
        _, out, back = trace.open(network, client, server, 80)
        out(flags="FA", seq=1005, ack=5001)
        back(flags="FA", seq=5001, ack=1006)
        out(flags="A", seq=1006, ack=5002)
        _, out, back = trace.open(network, client, server, 80)
        back(flags="R", seq=5001)
        back(flags="S", seq=9000)
        # The other side cannot open one, but by what to_clients lets through.
        for sport, dport in [(80, 80), (20, 1023), (20, 1024), (20, 65535), (21, 1024)]:
            trace.add("b", network(src=server, dst=client) / TCP(sport=sport, dport=dport, flags="S", seq=1))


def borders(trace):
    for client in CLIENTS:
        for port in [22, 80, 95, 8010, 8011]:
            trace.add("a", ip4(src=client, dst=SERVER) / TCP(sport=trace.fresh(), dport=port, flags="S", seq=1))
    for client in CLIENTS6:
        for port in [80, 81, 1023, 1024, 65535]:
            trace.add("a", ip6(src=client, dst=SERVER6) / TCP(sport=trace.fresh(), dport=port, flags="S", seq=1))
    for network, client, server in [(ip4, CLIENTS[1], SERVER), (ip6, CLIENTS6[0], SERVER6)]:
        for port in TCP_PORTS:
            trace.add("a", network(src=client, dst=server) / TCP(sport=trace.fresh(), dport=port, flags="S", seq=1))
        for port in UDP_PORTS:
            for sport in [None, 4999, 5000, 5005, 5006]:
                sport = sport or trace.fresh()
                trace.add("a", network(src=client, dst=server) / UDP(sport=sport, dport=port) / Raw(b"1234"))
            trace.add("b", network(src=server, dst=client) / UDP(sport=trace.fresh(), dport=port) / Raw(b"1234"))
        for flags in FLAGS:
            for port in [80, 95, 97]:
                trace.add("a", network(src=client, dst=server) / TCP(sport=trace.fresh(), dport=port, flags=flags, seq=1, ack=1))
    for last in [0, 255]:
        trace.add("a", ip4(src=CLIENTS[1], dst=f"10.2.9.{last}") / UDP(sport=trace.fresh(), dport=1000) / Raw(b"1"))
    trace.add("a", ip4(src=CLIENTS[1], dst="10.2.8.255") / UDP(sport=trace.fresh(), dport=1000) / Raw(b"1"))


def answers(trace):
    """UDP and echo, with what nobody asked for."""
    for network, client, server in [(ip4, CLIENTS[1], SERVER), (ip6, CLIENTS6[0], SERVER6)]:
        own = trace.fresh()
        trace.add("b", network(src=server, dst=client) / UDP(sport=53, dport=own) / Raw(b"early"))
        trace.add("a", network(src=client, dst=server) / UDP(sport=own, dport=53) / Raw(b"ask"))
        trace.add("b", network(src=server, dst=client) / UDP(sport=53, dport=own) / Raw(b"answer"))
        trace.add("b", network(src=server, dst=client) / UDP(sport=54, dport=own) / Raw(b"other"))
    for kind in range(0, 20):
        for side, source, destination in [("a", CLIENTS[1], SERVER), ("b", SERVER, CLIENTS[1])]:
            trace.add(side, ip4(src=source, dst=destination) / ICMP(type=kind, code=0, id=kind) / Raw(b"0" * 28))
    for number in [7, 8]:
        trace.add("b", ip4(src=SERVER, dst=CLIENTS[1]) / ICMP(type=0, id=number) / Raw(b"x"))
    trace.add("a", ip4(src=CLIENTS[1], dst=SERVER) / ICMP(type=8, id=77) / Raw(b"x"))
    trace.add("b", ip4(src=SERVER, dst=CLIENTS[1]) / ICMP(type=0, id=77) / Raw(b"x"))
    trace.add("b", ip4(src=SERVER, dst=CLIENTS[1]) / ICMP(type=8, id=77) / Raw(b"x"))
    trace.add("b", ip6(src=SERVER6, dst=CLIENTS6[0]) / ICMPv6EchoReply(id=5))
    trace.add("a", ip6(src=CLIENTS6[0], dst=SERVER6) / ICMPv6EchoRequest(id=5))
    trace.add("b", ip6(src=SERVER6, dst=CLIENTS6[0]) / ICMPv6EchoReply(id=5))
    trace.add("b", ip6(src=SERVER6, dst=CLIENTS6[0]) / ICMPv6EchoRequest(id=5))


def errors(trace):
    """Errors about packets that were sent, and about others, from the server and from a router."""
    own = trace.fresh()
    sent = ip4(src=CLIENTS[1], dst=SERVER) / UDP(sport=own, dport=53) / Raw(b"12345678")
    other = ip4(src=CLIENTS[1], dst=SERVER) / UDP(sport=trace.fresh(), dport=53) / Raw(b"12345678")
    trace.add("a", sent)
    quoted = bytes(IP(bytes(sent)))[:28]
    for source, to, quote in [(SERVER, CLIENTS[1], quoted), (ROUTER, CLIENTS[1], quoted), (ROUTER, CLIENTS[0], quoted)]:
        for kind, code in [(3, 0), (3, 3), (3, 4), (11, 0), (12, 0)]:
            trace.add("b", ip4(src=source, dst=to) / ICMP(type=kind, code=code) / Raw(quote))
    trace.add("b", ip4(src=ROUTER, dst=CLIENTS[1]) / ICMP(type=3, code=3) / Raw(bytes(IP(bytes(other)))[:28]))
    trace.add("a", ip4(src=CLIENTS[1], dst=SERVER) / ICMP(type=3, code=4) / Raw(bytes(IP(bytes(other)))[:28]))
    sent = ip6(src=CLIENTS6[0], dst=SERVER6) / UDP(sport=own, dport=53) / Raw(b"12345678")
    trace.add("a", sent)
    quoted = IPv6(bytes(sent))
    for source in [SERVER6, ROUTER6]:
        for error in [ICMPv6DestUnreach(code=4), ICMPv6PacketTooBig(mtu=1280), ICMPv6TimeExceeded()]:
            trace.add("b", ip6(src=source, dst=CLIENTS6[0]) / error / quoted)
    trace.add("b", ip6(src=ROUTER6, dst=CLIENTS6[1]) / ICMPv6DestUnreach(code=4) / quoted)


def others(trace):
    for source in ["10.1.0.9", "10.1.0.8"]:
        for protocol in [47, 50, 51, 132]:
            payload = GRE() / Raw(b"0" * 16) if protocol == 47 else Raw(b"\0\1\0\2" + b"0" * 28)
            trace.add("a", ip4(src=source, dst=SERVER, proto=protocol) / payload)
            trace.add("b", ip4(src=SERVER, dst=source, proto=protocol) / payload)


def fragments(trace):
    """Each packet in two parts, under one number."""
    for port in [53, 54]:
        whole = bytes((ip4(src=CLIENTS[1], dst=SERVER) / UDP(sport=trace.fresh(), dport=port) / Raw(b"x" * 40)))[20:]
        trace.add("a", ip4(src=CLIENTS[1], dst=SERVER, proto=17, flags="MF") / Raw(whole[:24]))
        trace.add("a", ip4(src=CLIENTS[1], dst=SERVER, proto=17, frag=3) / Raw(whole[24:]), same=True)


def trace():
    """All of them."""
    made = Trace()
    for part in [connections, borders, answers, errors, others, fragments]:
        part(made)
    return made.packets
