"""Sends the same packets through two translators, and compares what becomes of them: Perigee's, and the kernel's masquerade.

trace.py NAME=INSIDE,OUTSIDE ...    interfaces of this namespace that lead to the translators' two sides
"""
import random
import select
import socket
import struct
import sys
import time

import packets as p

INSIDE_MAC, OUTSIDE_MAC = bytes.fromhex("020000007711"), bytes.fromhex("020000007712")
OURS = [bytes.fromhex("020000007701"), bytes.fromhex("020000007702")]
NAT, SERVER = "198.51.100.2", ("10.77.0.2", 8080)
OWN = {"10.77.0.1", "198.51.100.1", NAT}
IN, OUT = 0, 1


class Device:
    """A translator between two interfaces."""

    def __init__(self, name, interfaces):
        self.name, self.sockets, self.macs = name, [], [INSIDE_MAC, OUTSIDE_MAC]
        for interface in interfaces:
            one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            one.bind((interface, 0))
            self.sockets.append(one)
        self.came = []

    def send(self, side, packet):
        self.sockets[side].send(OURS[side] + self.macs[side] + b"\x08\x00" + packet)

    def take(self, one):
        side = self.sockets.index(one)
        frame, address = one.recvfrom(2048)
        if address[2] == socket.PACKET_OUTGOING:
            return
        if frame[12:14] == b"\x08\x06":
            self.answer(side, frame)
        elif frame[12:14] == b"\x08\x00" and frame[:6] == self.macs[side]:
            length = struct.unpack_from("!H", frame, 16)[0]
            self.came.append((side, frame[14 : 14 + length]))

    def answer(self, side, frame):
        sender, target = frame[28:32], frame[38:42]
        if frame[20:22] == b"\0\1" and socket.inet_ntoa(target) not in OWN:
            arp = frame[14:20] + b"\0\2" + self.macs[side] + target + frame[22:28] + sender
            self.sockets[side].send(frame[22:28] + self.macs[side] + b"\x08\x06" + arp + bytes(18))


class Trace:
    """Rounds of packets, each with a number by which it is known again."""

    def __init__(self, devices):
        self.devices, self.number, self.rows = devices, 100, []

    def next(self):
        self.number += 1
        return self.number

    def exchange(self, what, made):
        """`made`: for each packet a side and a function that makes it for a device. Compares, and gives what came by number."""
        for device in self.devices:
            device.came = []
        numbers = []
        for side, make in made:
            number = self.next()
            numbers.append(number)
            for device in self.devices:
                pieces = make(device, number)
                for piece in pieces if isinstance(pieces, list) else [pieces]:
                    device.send(side, piece)
        self.listen(set(numbers))
        results = [collect(device) for device in self.devices]
        same = sum(results[0].get(n, "dropped") == results[1].get(n, "dropped") for n in numbers)
        passed = sum(n in results[0] for n in numbers)
        self.rows.append((what, len(numbers), passed, len(numbers) - passed, same))
        for n in numbers:
            ours, theirs = (result.get(n, "dropped") for result in results)
            if ours != theirs:
                print(f"  {what}, packet {n}: {self.devices[0].name} {ours}, {self.devices[1].name} {theirs}")
        return numbers

    def listen(self, numbers):
        """Until all of these have come through both; or nothing more for a while. One that is behind the other gets its time."""
        begin = time.monotonic()
        sockets = {one: device for device in self.devices for one in device.sockets}
        while (passed := time.monotonic() - begin) < 5:
            ready = select.select(list(sockets), [], [], 0.02)[0]
            for one in ready:
                sockets[one].take(one)
            came = [numbers & collect(device).keys() for device in self.devices] if not ready else []
            if came and (came[0] == came[1] == numbers or came[0] == came[1] and passed > 0.3):
                break


def collect(device):
    """What came, by number: the side, and what the packet is, without what two translators may choose each for itself."""
    pieces = {}
    for side, packet in device.came:
        number = struct.unpack_from("!H", packet, 4)[0]
        # An error that the translator itself has made has a number of its own, and quotes that of what it is about.
        if p.is_error(packet) and packet[20] == 11:
            number = struct.unpack_from("!H", packet, 32)[0]
        pieces.setdefault((number, side), []).append(packet)
    told = {}
    device.packets = {}
    for (number, side), parts in pieces.items():
        packet = parts[0] if len(parts) == 1 else p.join(parts)
        if packet is not None and not struct.unpack_from("!H", packet, 6)[0] & 0x3FFF:
            device.packets[number] = packet
            told[number] = (side, shown(device, packet))
    return told


def shown(device, packet):
    """A packet in words. A port of the translator's own is "kept" where it is the one that the host inside has."""
    if not p.is_right(packet):
        return "wrong checksum"
    source, destination = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    if p.is_error(packet):
        source = "device" if source in OWN else source
        return f"error {packet[20]} {source} > {destination} about {shown_ends(device, packet[28:])}"
    data = packet[28:] if packet[9] != p.TCP else packet[33:34] + packet[40:]
    no_checksum = packet[9] == p.UDP and packet[26:28] == b"\0\0"
    return f"{packet[9]} {shown_ends(device, packet)} {data.hex()}{' without checksum' if no_checksum else ''}"


def shown_ends(device, packet):
    def name(end):
        if end[0] != NAT:
            return "%s:%d" % end
        port = end[1]
        inside = device.owners.get((packet[9], port)) if hasattr(device, "owners") else None
        return "nat:" + ("?" if inside is None else "kept" if port == inside else "other")

    source, destination = p.ends(packet)
    if packet[9] == p.ICMP:
        return f"{source[0]} > {destination[0]} id {'own' if NAT in (source[0], destination[0]) else source[1]}"
    return f"{name(source)} > {name(destination)}"


class Flow:
    """An endpoint inside and a remote one; by device, the port outside."""

    def __init__(self, protocol, inside, remote):
        self.protocol, self.inside, self.remote, self.ports = protocol, inside, remote, {}

    def out(self, number, **more):
        return self.make(self.inside, self.remote, number, 8, **more)

    def back(self, device, number, remote=None, **more):
        return self.make(remote or self.remote, (NAT, self.ports[device.name]), number, 0, **more)

    def make(self, a, b, number, kind, **more):
        if self.protocol == p.UDP:
            return p.udp(a, b, number, **more)
        if self.protocol == p.TCP:
            return p.tcp(a, b, number, **more)
        identifier = a[1] if kind == 8 else b[1]
        return p.echo(a[0], b[0], identifier, number, kind)


def flows(draw):
    made, used = [], set()
    for protocol, count in [(p.UDP, 30), (p.TCP, 30), (p.ICMP, 10)]:
        while count:
            inside = (f"10.77.0.{draw.randrange(2, 200)}", draw.randrange(1024, 65000))
            if (protocol, inside[1]) not in used:
                used.add((protocol, inside[1]))
                made.append(Flow(protocol, inside, (f"192.0.2.{draw.randrange(1, 200)}", draw.randrange(1, 1000))))
                count -= 1
    return made


def main():
    devices = [Device(name, ends.split(",")) for name, ends in (word.split("=") for word in sys.argv[1:])]
    draw, trace = random.Random(7), Trace(devices)
    for device in devices:
        device.owners = {}
    opened = flows(draw)
    udp = [flow for flow in opened if flow.protocol == p.UDP]
    tcp = [flow for flow in opened if flow.protocol == p.TCP]

    def open_all(what, some, **more):
        numbers = trace.exchange(what, [(IN, lambda d, n, flow=flow: flow.out(n, **more)) for flow in some])
        for device in devices:
            for flow, number in zip(some, numbers):
                if number in device.packets:
                    port = p.ends(device.packets[number])[0][1]
                    flow.ports[device.name] = port
                    device.owners[(flow.protocol, port)] = flow.inside[1]

    def back(what, some, **more):
        return trace.exchange(what, [(OUT, lambda d, n, flow=flow: flow.back(d, n, **more)) for flow in some])

    # The gateway is found first.
    warm = Flow(p.UDP, ("10.77.0.250", 999), ("192.0.2.250", 9))
    for device in devices:
        device.send(IN, warm.out(99))
    trace.listen({0})

    open_all("first packets", opened)
    back("answers", opened)
    open_all("more of the same endpoint", [Flow(f.protocol, f.inside, ("203.0.113.9", 7)) for f in udp[:10]])
    clash = [Flow(p.UDP, ("10.77.0.201", f.inside[1]), f.remote) for f in udp[:10]]
    open_all("a port that another has", clash)
    back("answers to these", clash)
    stranger = lambda some, end: trace.exchange(
        "strangers from outside", [(OUT, lambda d, n, f=f: f.back(d, n, remote=end(f))) for f in some]
    )
    stranger(udp + tcp, lambda f: (f.remote[0], f.remote[1] + 1))
    stranger(udp + tcp, lambda f: ("203.0.113.77", f.remote[1]))
    unknown = [Flow(f.protocol, f.inside, f.remote) for f in udp[:5] + tcp[:5]]
    for flow in unknown:
        flow.ports = {device.name: 65_000 + unknown.index(flow) for device in devices}
    back("to ports of nobody", unknown)
    trace.exchange("UDP without a checksum", [(IN, lambda d, n, f=f: f.out(n, with_checksum=False)) for f in udp[:10]])
    back("SYN and ACK", tcp, flags="SA")
    trace.exchange("ACK", [(IN, lambda d, n, f=f: f.out(n, flags="A")) for f in tcp])
    back("data of TCP", tcp, flags="A", data=b"data of an odd length")
    errors(trace, udp, tcp, [flow for flow in opened if flow.protocol == p.ICMP])
    forwards(trace)
    pieces(trace, udp)
    odd(trace, udp, tcp)
    trace.exchange("FIN", [(IN, lambda d, n, f=f: f.out(n, flags="FA")) for f in tcp[:10]])
    back("FIN back", tcp[:10], flags="FA")
    open_all("SYN with the same ports", tcp[:10])
    report(trace)


def errors(trace, udp, tcp, pings):
    """Errors about what has gone out, and about what has come in."""
    def about(flow, device, number, quoted, remote=None, right=True):
        remote = remote or flow.remote
        sent = flow.make((NAT, flow.ports[device.name]), remote, number, 8)
        packet = p.error("203.0.113.1", NAT, number, sent, quoted)
        return packet if right else packet[:24] + bytes([packet[24] ^ 1]) + packet[25:]

    some = udp[:10] + tcp[:10] + pings
    for what, more in [("whole", {"quoted": 100}), ("with 8 bytes", {"quoted": 28})]:
        trace.exchange(f"errors, quoted {what}", [(OUT, lambda d, n, f=f: about(f, d, n, **more)) for f in some])
    trace.exchange(
        "errors about nothing", [(OUT, lambda d, n, f=f: about(f, d, n, 28, remote=("203.0.113.250", 9))) for f in some]
    )
    trace.exchange("errors with a wrong checksum", [(OUT, lambda d, n, f=f: about(f, d, n, 28, right=False)) for f in some])

    def outward(flow, number):
        came = flow.make(flow.remote, flow.inside, number, 0)
        return p.error(flow.inside[0], flow.remote[0], number, came, 100)

    trace.exchange("errors from inside", [(IN, lambda d, n, f=f: outward(f, n)) for f in udp[:10]])


def forwards(trace):
    clients = [(f"192.0.2.{host}", 4000 + host) for host in range(1, 11)]
    trace.exchange("forwarded SYN", [(OUT, lambda d, n, c=c: p.tcp(c, (NAT, 80), n)) for c in clients])
    trace.exchange("its answer", [(IN, lambda d, n, c=c: p.tcp(SERVER, c, n, "SA")) for c in clients])
    trace.exchange("its ACK", [(OUT, lambda d, n, c=c: p.tcp(c, (NAT, 80), n, "A")) for c in clients])


def pieces(trace, udp):
    data = bytes(range(90))
    orders = {"in order": lambda parts: parts, "backwards": lambda parts: parts[::-1], "first one last": lambda parts: parts[1:] + parts[:1]}
    for what, order in orders.items():
        make = lambda d, n, f: order(p.fragments(f.out(n, data=data)))
        trace.exchange(f"fragments, {what}", [(IN, lambda d, n, f=f: make(d, n, f)) for f in udp[:8]])
        answer = lambda d, n, f: order(p.fragments(f.back(d, n, data=data)))
        trace.exchange(f"fragments of answers, {what}", [(OUT, lambda d, n, f=f: answer(d, n, f)) for f in udp[:8]])

    def overlapping(flow, number):
        parts = p.fragments(flow.out(number, data=data))
        bent = p.ipv4(flow.inside[0], flow.remote[0], p.UDP, bytes(32), number, offset=16, more=True)
        return [parts[0], bent, *parts[2:]]

    trace.exchange("fragments that overlap", [(IN, lambda d, n, f=f: overlapping(f, n)) for f in udp[:8]])


def odd(trace, udp, tcp):
    fresh = [(f"10.77.0.{host}", 30_000 + host) for host in range(2, 8)]
    server = ("192.0.2.33", 80)
    trace.exchange("TCP in its midst", [(IN, lambda d, n, e=e: p.tcp(e, server, n, "A")) for e in fresh])
    others = [(address, port + 100) for address, port in fresh]
    trace.exchange("RST of nobody", [(IN, lambda d, n, e=e: p.tcp(e, server, n, "R")) for e in others])
    mend = lambda packet: packet[:10] + b"\0\0" + packet[12:]
    sum_up = lambda packet: packet[:10] + struct.pack("!H", p.checksum(mend(packet)[:20])) + packet[12:]
    short = lambda packet: packet[:2] + struct.pack("!H", 24) + packet[4:24]
    trace.exchange("headers cut off", [(IN, lambda d, n, f=f: sum_up(short(f.out(n)))) for f in udp[:5] + tcp[:5]])
    bent = lambda packet: packet[:32] + b"\xf0" + packet[33:]
    trace.exchange("TCP with a length that cannot be", [(IN, lambda d, n, f=f: bent(f.out(n))) for f in tcp[:5]])
    trace.exchange("no time left to live", [(IN, lambda d, n, f=f: f.out(n, ttl=1)) for f in udp[:1]])


def report(trace):
    print(f"{'packets':<36} {'sent':>6} {'passed':>7} {'dropped':>8} {'alike':>6}")
    for what, sent, passed, dropped, same in trace.rows:
        print(f"{what:<36} {sent:>6} {passed:>7} {dropped:>8} {same:>6}{'' if same == sent else '   DIFFERENT'}")
    sent, same = sum(row[1] for row in trace.rows), sum(row[4] for row in trace.rows)
    print(f"{same} of {sent} packets had the same fate in both")
    sys.exit(same != sent)


main()
