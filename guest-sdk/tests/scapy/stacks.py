"""Random packets of many stacks."""

import random

from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import (
    ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr,
)
from scapy.layers.l2 import Dot1AD, Dot3
from scapy.packet import fuzz
from scapy.volatile import RandIP, RandIP6, RandMAC, RandNum

import apps_stacks
import more_stacks
from common import (
    WithoutChecksum, arp, checksum_of_zero, data, eth, icmp, ip4, ip4_options, ip6, padded, tag, tcp, tcp_options, udp,
    vxlan,
)

STACKS = {
    "ethernet": lambda: eth(type=0x88B5) / data(46),
    "length in place of a type": lambda: Dot3(src=str(RandMAC()), dst=str(RandMAC())) / data(3, 60),
    "arp": lambda: eth() / arp(),
    "arp, padded": lambda: padded(eth() / arp()),
    "arp in a tag": lambda: eth() / tag() / arp(),
    "ipv4, protocol unknown": lambda: eth() / ip4(proto=253) / data(),
    "ipv4, a later fragment": lambda: eth() / fuzz(
        IP(version=4, frag=RandNum(1, 8191), src=RandIP(), dst=RandIP(), proto=17)) / data(8),
    "ipv4 options": lambda: eth() / ip4_options() / udp() / data(),
    "udp": lambda: eth() / ip4() / udp() / data(),
    "udp, padded": lambda: padded(eth() / ip4() / udp() / data()),
    "udp, long": lambda: eth() / ip4() / udp() / data(1000, 1472),
    "udp, checksum left out": lambda: WithoutChecksum(eth() / ip4() / udp() / data()),
    "udp, checksum left out in a tunnel": lambda: WithoutChecksum(
        eth() / ip4() / udp(dport=4789) / vxlan() / eth() / ip4() / udp() / data()),
    "udp, checksum of zero": lambda: checksum_of_zero(lambda: eth() / ip4()),
    "udp in ipv6, checksum of zero": lambda: checksum_of_zero(lambda: eth() / ip6()),
    "udp in a tag": lambda: eth() / tag() / ip4() / udp() / data(),
    "udp in two tags": lambda: eth(type=0x88A8) / tag(Dot1AD) / tag() / ip4() / udp() / data(),
    "udp in ipv6": lambda: eth() / ip6() / udp() / data(),
    "udp in ipv6 in a tag": lambda: padded(eth() / tag() / ip6() / udp() / data()),
    "tcp": lambda: eth() / ip4() / tcp() / data(),
    "tcp options": lambda: eth() / ip4() / tcp_options() / data(),
    "tcp and ipv4 options": lambda: eth() / tag() / ip4_options() / tcp_options() / data(),
    "tcp in ipv6": lambda: eth() / ip6() / tcp_options() / data(),
    "icmp echo": lambda: eth() / ip4() / icmp() / data(),
    "icmp, unreachable": lambda: eth() / ip4() / ICMP(type=3, code=random.randint(0, 15)) / ip4() / udp() / data(),
    "icmpv6 echo": lambda: eth() / ip6() / fuzz(ICMPv6EchoRequest(type=128)) / data(),
    "icmpv6 echo reply": lambda: padded(eth() / ip6() / fuzz(ICMPv6EchoReply(type=129)) / data()),
    "neighbor solicitation": lambda: eth() / ip6() / fuzz(ICMPv6ND_NS(type=135, tgt=RandIP6())) / ICMPv6NDOptSrcLLAddr(
        lladdr=RandMAC()),
    "neighbor advertisement": lambda: eth() / ip6() / fuzz(
        ICMPv6ND_NA(type=136, tgt=RandIP6())) / ICMPv6NDOptDstLLAddr(lladdr=RandMAC()),
    "ipv4 in ipv4": lambda: eth() / ip4() / ip4_options() / udp() / data(),
    "ipv6 in ipv4": lambda: eth() / ip4() / ip6() / tcp() / data(),
    "ipv4 in ipv6": lambda: eth() / ip6() / ip4() / icmp() / data(),
    "ipv6 in ipv6": lambda: eth() / ip6() / ip6() / udp() / data(),
    "vxlan": lambda: eth() / ip4() / udp(dport=4789) / vxlan() / eth() / ip4() / udp() / data(),
    "vxlan, group policy": lambda: eth() / ip4() / udp(dport=4789) / vxlan(0x88) / eth() / ip6() / tcp() / data(),
    "vxlan in ipv6 with tags": lambda: padded(
        eth() / tag() / ip6() / udp(dport=4789) / vxlan() / eth() / tag() / ip6() / tcp_options() / data()),
}

STACKS.update(more_stacks.STACKS)
STACKS.update(apps_stacks.STACKS)
