"""Random headers.

Fields are made random by scapy's own fuzz(), but for what decides which header follows, and how long it is.
"""

import random

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption, IPOption_NOP, IPOption_Router_Alert, IPOption_RR
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Padding, Raw, fuzz
from scapy.volatile import RandIP, RandIP6, RandMAC, RandNum


def eth(**fields):
    return Ether(src=RandMAC(), dst=RandMAC(), **fields)


def tag(kind=Dot1Q):
    return fuzz(kind(vlan=RandNum(0, 4095), prio=RandNum(0, 7), dei=RandNum(0, 1)))


def ip4(**fields):
    return fuzz(IP(version=4, frag=0, flags=RandNum(0, 3) * 2, src=RandIP(), dst=RandIP(), **fields))


def ip4_options():
    """With options; the last of them may end in the middle of a word."""
    address = str(RandIP())
    choices = [
        [IPOption_NOP()],
        [IPOption_Router_Alert()],
        [IPOption_RR(routers=[address] * random.randint(1, 8))],
        [IPOption_NOP(), IPOption_Router_Alert(), IPOption_NOP(), IPOption_NOP(), IPOption_NOP()],
        # An experiment's (RFC 4727), with anything in it.
        [IPOption(copy_flag=0, optclass=2, option=30, value=noise(1, 36))],
    ]
    return ip4(options=random.choice(choices))


def ip6(**fields):
    return fuzz(IPv6(version=6, src=RandIP6(), dst=RandIP6(), **fields))


def port():
    """No protocol of ours or scapy's is expected there."""
    return random.randint(30000, 39999)


def udp(**fields):
    return UDP(**{"sport": port(), "dport": port(), **fields})


def tcp(**fields):
    return fuzz(TCP(**{"sport": port(), "dport": port(), "options": [], **fields}))


def tcp_options():
    choices = [
        [("MSS", random.getrandbits(16))],
        [("NOP", None), ("WScale", random.randint(0, 14))],
        [("SAckOK", b""), ("Timestamp", (random.getrandbits(32), random.getrandbits(32)))],
        [("SAck", tuple(random.getrandbits(32) for _ in range(6))), ("MSS", 1460)],
    ]
    return tcp(options=random.choice(choices))


def icmp():
    return fuzz(ICMP(type=random.choice([0, 8])))


# Most random bytes where a packet does not need more.
longest = [2000]


def noise(least=0, most=80):
    return random.randbytes(random.randint(least, max(least, min(most, longest[0]))))


def data(least=0, most=80):
    return Raw(noise(least, most))


def checksum_of_zero(network):
    """UDP whose sum is 0xffff, so that the checksum of 0 is written as 0xffff."""
    fixed = Ether(bytes(network() / udp() / Raw(noise(20, 20) + bytes(2))))
    fixed[UDP].payload = Raw(bytes(fixed[UDP].payload)[:-2] + fixed[UDP].chksum.to_bytes(2, "big"))
    del fixed[UDP].chksum
    assert Ether(bytes(fixed))[UDP].chksum == 0xFFFF
    return fixed


class WithoutChecksum:
    """A packet whose sender did not compute UDP's checksum."""

    def __init__(self, packet):
        self.packet = packet


def vxlan(flags=8):
    return fuzz(VXLAN(flags=flags)) if flags == 8 else VXLAN(flags=flags, vni=random.getrandbits(24), gpid=7)


def padded(packet):
    return packet / Padding(noise(1, 20))


def arp():
    return fuzz(ARP(hwtype=1, ptype=0x800, hwlen=6, plen=4, hwsrc=RandMAC(), hwdst=RandMAC(), psrc=RandIP(), pdst=RandIP()))


def bytes_of(packet):
    """A packet's bytes as sent, and with all checksums."""
    if not isinstance(packet, WithoutChecksum):
        made = bytes(packet)
        return made, made
    filled = bytes(packet.packet)
    sent = Ether(filled)
    layer = sent
    while layer.getlayer(UDP):
        layer = layer.getlayer(UDP)
        layer.chksum = 0
        layer = layer.payload
    return bytes(sent), filled
