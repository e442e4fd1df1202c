"""Rules and packets that are drawn: the same for the same seed.

    draw.py SEED > rules.nft
"""

import random
import sys

from scapy.all import ICMP, TCP, UDP, ICMPv6EchoRequest, IPv6, Raw

from packets import Trace, ip4

# Few networks, one in the other, so that rules overlap.
NETS4 = [("10.1.0.0", 16), ("10.1.4.0", 22), ("10.1.4.128", 25), ("10.1.5.7", 32), ("10.2.0.0", 15), ("10.2.8.0", 21), ("10.2.8.8", 29)]
NETS6 = [("2001:db8::", 32), ("2001:db8:1::", 48), ("2001:db8:1:8000::", 49), ("2001:db8:2::", 47), ("2001:db8:2::1", 128)]
PORTS = [0, 1, 22, 79, 80, 81, 442, 443, 444, 1023, 1024, 1025, 8000, 8010, 65534, 65535]
HOSTS = {"a": ["10.1.3.255", "10.1.4.0", "10.1.4.127", "10.1.4.128", "10.1.5.6", "10.1.5.7", "10.1.7.255", "10.1.8.0"],
         "b": ["10.2.7.255", "10.2.8.0", "10.2.8.8", "10.2.8.15", "10.2.8.16", "10.2.15.255", "10.2.16.0", "10.2.255.254"]}
HOSTS6 = {"a": ["2001:db8:1::1", "2001:db8:1:7fff:ffff:ffff:ffff:ffff", "2001:db8:1:8000::", "2001:db8:1:ffff::1"],
          "b": ["2001:db8:2::1", "2001:db8:2::2", "2001:db8:2:1::1", "2001:db8:2:ffff::1"]}
FLAGS = ["tcp flags syn / fin,syn,rst,ack", "tcp flags & (syn|ack) == ack", "tcp flags fin,psh", "tcp flags & (fin|rst) != 0", "tcp flags == syn"]
VERDICTS = ["accept", "accept", "drop", "reject", "counter accept", "reject with icmpx type admin-prohibited"]


def port(draw):
    low, high = sorted(draw.sample(PORTS, 2))
    return draw.choice([f"{low}", f"{low}-{high}", f"{{ {low}, {high} }}", f"!= {low}", f"!= {low}-{high}"])


def address(draw, word):
    nets, word = draw.choice([(NETS4, f"ip {word}"), (NETS4, f"ip {word}"), (NETS6, f"ip6 {word}")])
    net, length = draw.choice(nets)
    return f"{word} {net}/{length} "


def rule(draw):
    text = ""
    kind = draw.choice(["tcp", "udp", "both", "icmp", "flags", "any"])
    # What is met by nearly all packets leaves nothing to the rules behind it.
    if kind == "any" or draw.random() < 0.7:
        text += address(draw, draw.choice(["saddr", "daddr"]))
    if draw.random() < 0.3:
        text += f'iifname "{draw.choice("ab")}" '
    if kind in ("tcp", "udp"):
        text += f"{kind} {draw.choice(['sport', 'dport', 'dport'])} {port(draw)} "
    elif kind == "both":
        text += f"meta l4proto {{ tcp, udp }} th dport {port(draw)} "
    elif kind == "icmp":
        text += draw.choice(["icmp type { echo-request, timestamp-request } ", "icmpv6 type echo-request ", "meta l4proto icmp "])
    elif kind == "flags":
        text += draw.choice(FLAGS) + " "
    if draw.random() < 0.2:
        text += "ct state new "
    return text + draw.choice(VERDICTS)


def rules(seed):
    """A table of both families or of one, with a set in which nobody is."""
    draw = random.Random(seed)
    family, foreign = [("ip6", ["ip ", "icmp type", "icmpx"]), ("inet", []), ("ip", ["ip6", "icmpv6", "icmpx"])][seed % 3]

    def own():
        text = rule(draw)
        while any(word in text for word in foreign):
            text = rule(draw)
        return f"    {text}"

    lines = [own() for _ in range(60)]
    lines.insert(30, '    tcp dport 443 jump more')
    word, kind = ("ip6", "ipv6_addr") if family == "ip6" else ("ip", "ipv4_addr")
    lines.insert(3, f"    {word} saddr @nobody accept")
    lines.insert(50, f"    {word} daddr != @nobody tcp dport 444 drop")
    more = [own() for _ in range(8)]
    return "\n".join([f"table {family} filter {{", f"  set nobody {{ type {kind}; }}", "  chain more {", *more, "  }", "  chain forward {",
                      "    type filter hook forward priority 0; policy drop;", *lines, "  }", "}"])


def trace(seed):
    """Three hundred packets, no two of one connection."""
    draw, made, known = random.Random(seed), Trace(), set()
    while len(made.packets) < 300:
        side = draw.choice("ab")
        network, hosts = draw.choice([(ip4, HOSTS), (ip4, HOSTS), (IPv6, HOSTS6)])
        source, to = draw.choice(hosts[side]), draw.choice(hosts["b" if side == "a" else "a"])
        sport, dport = draw.choice([draw.choice(PORTS), 20_000 + len(made.packets)]), draw.choice(PORTS)
        kind = draw.choice(["tcp", "tcp", "udp", "icmp"])
        key = (kind, frozenset([(source, sport), (to, dport)]))
        if key in known:
            continue
        known.add(key)
        packet = network(src=source, dst=to)
        if kind == "tcp":
            packet /= TCP(sport=sport, dport=dport, flags=draw.choice(["S", "S", "A", "SA", "PA", "FA", "R"]), seq=1, ack=1)
        elif kind == "udp":
            packet /= UDP(sport=sport, dport=dport) / Raw(b"1234")
        elif network is ip4:
            packet /= ICMP(type=draw.choice([8, 13, 0]), id=len(made.packets)) / Raw(b"0" * 12)
        else:
            packet /= ICMPv6EchoRequest(id=len(made.packets))
        made.add(side, packet)
    return made.packets


if __name__ == "__main__":
    print(rules(int(sys.argv[1])))
