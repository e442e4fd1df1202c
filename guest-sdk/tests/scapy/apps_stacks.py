"""The rest of stacks.py: what applications and devices say."""

import random

from scapy.contrib.lacp import LACP, MarkerProtocol
from scapy.contrib.ptp_v2 import PTP
from scapy.contrib.slowprot import SlowProtocol
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import DHCP6_RelayForward, DHCP6_RelayReply, DHCP6_Reply, DHCP6_Request, DHCP6_Solicit
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import UDP
from scapy.layers.l2 import Ether
from scapy.layers.netflow import NetflowHeader, NetflowHeaderV9, NetflowHeaderV10
from scapy.layers.ntp import NTPHeader
from scapy.layers.quic import QUIC, QUIC_1RTT, QUIC_Handshake, QUIC_Initial
from scapy.packet import Raw, bind_bottom_up, bind_layers, fuzz
from scapy.volatile import RandMAC, RandNum

from common import eth, ip4, ip6, noise, padded, tag, tcp, udp
from more_stacks import address4, address6

# What scapy knows, but not under these numbers.
bind_bottom_up(UDP, NetflowHeader, dport=4739)
bind_bottom_up(UDP, QUIC, dport=443)
bind_layers(Ether, PTP, type=0x88F7)
bind_bottom_up(UDP, PTP, dport=319)

GROUP = "01:80:c2:00:00:02"


def flags(*names):
    return {name: random.getrandbits(1) for name in names}


def dns():
    return DNS(
        id=random.getrandbits(16), opcode=random.choice([0, 1, 2, 4, 5]), rcode=random.randint(0, 10),
        qd=[DNSQR(qname="a.example")], an=[DNSRR(rrname="a.example", rdata=address4())] * random.randint(0, 2),
        **flags("qr", "aa", "tc", "rd", "ra", "ad", "cd"))


def dhcp():
    return BOOTP(
        op=random.choice([1, 2]), hops=random.getrandbits(8), xid=random.getrandbits(32), secs=random.getrandbits(16),
        flags=random.getrandbits(16), ciaddr=address4(), yiaddr=address4(), siaddr=address4(), giaddr=address4(),
        chaddr=noise(16, 16), sname=noise(64, 64), file=noise(128, 128),
    ) / DHCP(options=[("message-type", "discover"), ("hostname", b"here"), "end"])


def dhcp6(kind):
    return kind(trid=random.getrandbits(24))


def relay6(kind):
    return kind(hopcount=random.getrandbits(8), linkaddr=address6(), peeraddr=address6())


def ntp():
    return fuzz(NTPHeader(
        version=random.randint(1, 4), mode=random.randint(0, 5), stratum=random.choice([0, 1, 2, 16]), id=address4(),
        ref_id=noise(4, 4), orig=random.getrandbits(31), sent=random.getrandbits(31), ref=7, recv=9,
        delay=random.getrandbits(8), dispersion=random.getrandbits(8)))


def ipfix():
    return NetflowHeader(version=10) / NetflowHeaderV10(
        ExportTime=random.getrandbits(31), flowSequence=random.getrandbits(32),
        ObservationDomainID=random.getrandbits(32)) / Raw(bytes([0, 2, 0, 12, 1, 0, 0, 1, 0, 8, 0, 4]))


def netflow9():
    return NetflowHeader(version=9) / NetflowHeaderV9(
        count=1, sysUptime=random.getrandbits(32), unixSecs=random.getrandbits(31),
        packageSequence=random.getrandbits(32), SourceID=random.getrandbits(32),
    ) / Raw(bytes([0, 0, 0, 12, 1, 0, 0, 1, 0, 8, 0, 4]))


def quic(kind):
    return kind(Version=1, DstConnID=noise(0, 20), SrcConnID=noise(0, 20), PacketNumber=1) / Raw(noise(20, 60))


def ptp(kind, missing=0):
    """A message, with the bytes that scapy does not write."""
    length = {11: 64, 2: 54, 3: 54, 9: 54, 10: 54}.get(kind, 44)
    message = fuzz(PTP(version=2, messageType=kind, messageLength=length))
    return message / Raw(noise(missing, missing)) if missing else message


def lacp():
    fixed = {
        "actor_type": 1, "actor_length": 20, "partner_type": 2, "partner_length": 20, "collector_type": 3,
        "collector_length": 16, "terminator_type": 0, "terminator_length": 0, "reserved": bytes(50),
    }
    return SlowProtocol(subtype=1) / fuzz(LACP(
        actor_system=RandMAC(), partner_system=RandMAC(), actor_reserved=noise(3, 3), partner_reserved=noise(3, 3),
        collector_reserved=noise(12, 12), **fixed))


def marker():
    return SlowProtocol(subtype=2) / fuzz(MarkerProtocol(
        version=1, marker_type=RandNum(1, 2), marker_length=16, requester_system=RandMAC(), marker_reserved=noise(2, 2),
        terminator_type=0, terminator_length=0, reserved=bytes(90)))


STACKS = {
    "dns": lambda: eth() / ip4() / udp(dport=53) / dns(),
    "dns in ipv6": lambda: padded(eth() / ip6() / udp(dport=53) / dns()),
    "dns in tcp": lambda: eth() / ip4() / tcp(dport=53) / dns(),
    "dhcp": lambda: eth() / ip4() / udp(sport=68, dport=67) / dhcp(),
    "dhcpv6 solicit": lambda: eth() / ip6() / udp(dport=547) / dhcp6(DHCP6_Solicit),
    "dhcpv6 request": lambda: eth() / ip6() / udp(dport=547) / dhcp6(DHCP6_Request),
    "dhcpv6 reply": lambda: eth() / ip6() / udp(dport=546) / dhcp6(DHCP6_Reply),
    "dhcpv6 relay": lambda: eth() / ip6() / udp(sport=547, dport=547) / relay6(DHCP6_RelayForward),
    "dhcpv6 relay back": lambda: eth() / ip6() / udp(sport=547, dport=547) / relay6(DHCP6_RelayReply),
    "ntp": lambda: eth() / ip4() / udp(dport=123) / ntp(),
    "ipfix": lambda: eth() / ip4() / udp(dport=4739) / ipfix(),
    "netflow 9": lambda: eth() / ip6() / udp(dport=2055) / netflow9(),
    "quic initial": lambda: eth() / ip4() / udp(dport=443) / quic(QUIC_Initial),
    "quic handshake": lambda: eth() / ip6() / udp(dport=443) / quic(QUIC_Handshake),
    "quic short": lambda: eth() / ip4() / udp(dport=443) / QUIC_1RTT(
        SpinBit=random.getrandbits(1), PacketNumber=3) / Raw(noise(30, 60)),
    "ptp sync": lambda: eth(type=0x88F7) / ptp(0),
    "ptp delay request": lambda: eth() / ip4() / udp(sport=319, dport=319) / ptp(1),
    "ptp follow-up": lambda: padded(eth(type=0x88F7) / ptp(8)),
    "ptp peer delay request": lambda: eth(type=0x88F7) / ptp(2, 10),
    "ptp peer delay response": lambda: eth(type=0x88F7) / ptp(3, 10),
    "ptp delay response": lambda: eth() / tag() / ip6() / udp(sport=319, dport=319) / ptp(9, 10),
    "ptp peer delay response follow-up": lambda: eth(type=0x88F7) / ptp(10, 10),
    "ptp announce": lambda: eth(type=0x88F7) / ptp(11),
    "lacp": lambda: Ether(src=RandMAC(), dst=GROUP) / lacp(),
    "marker": lambda: Ether(src=RandMAC(), dst=GROUP) / marker(),
}
