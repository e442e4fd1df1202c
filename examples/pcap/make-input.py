#!/usr/bin/env python3
"""Writes in.pcap anew, always with the same bytes. Needs scapy (pip install scapy); the example itself does not."""

from scapy.all import ARP, DNS, DNSQR, ICMP, IP, TCP, UDP, Dot1Q, Ether, ICMPv6EchoRequest, IPv6, wrpcap

CLIENT, SERVER = "02:00:00:00:00:01", "02:00:00:00:00:02"


def frame(payload):
    return Ether(src=CLIENT, dst=SERVER) / payload


v4 = IP(src="192.0.2.1", dst="192.0.2.2", id=1)
v6 = IPv6(src="2001:db8::1", dst="2001:db8::2")
frames = [
    frame(ARP(op=1, hwsrc=CLIENT, psrc="192.0.2.1", pdst="192.0.2.2")),
    frame(v4 / ICMP(id=7, seq=1) / b"a ping by IPv4"),
    frame(v6 / ICMPv6EchoRequest(id=7, seq=1) / b"the same by IPv6"),
    frame(v4 / UDP(sport=40000, dport=53) / DNS(id=1, rd=1, qd=DNSQR(qname="example.org"))),
    frame(v4 / TCP(sport=40001, dport=80, flags="S", seq=1000)),
    frame(Dot1Q(vlan=42, prio=3) / v4 / UDP(sport=40002, dport=9) / b"in VLAN 42"),
]
for number, packet in enumerate(frames):
    packet.time = 1_700_000_000 + number / 1000
wrpcap("in.pcap", frames)
