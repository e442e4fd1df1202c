"""The rest of stacks.py: extension headers, groups, errors, tunnels, IPsec, SCTP."""

import random

from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.contrib.gtp import GTP_U_Header, GTP_UDPPort_ExtensionHeader, GTPPDUSessionContainer
from scapy.contrib.mpls import MPLS
from scapy.layers.igmp import IGMP, IGMPv3_MQ, IGMPv3_MR, IGMPv3_MR_Group
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_LSRR, IPOption_SSRR
from scapy.layers.inet6 import (
    HAO, HBHOptUnknown, ICMPv6DestUnreach, ICMPv6MLDMultAddrRec, ICMPv6MLDone, ICMPv6MLQuery, ICMPv6MLQuery2, ICMPv6MLReport,
    ICMPv6MLReport2, ICMPv6ND_RA, ICMPv6ND_Redirect, ICMPv6ND_RS, ICMPv6NDOptMTU, ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig, ICMPv6ParamProblem, ICMPv6TimeExceeded, IPv6, IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, IPv6ExtHdrSegmentRouting, PadN, RouterAlert,
)
from scapy.layers.ipsec import AH, ESP
from scapy.layers.l2 import GRE, Ether
from scapy.layers.ppp import PPP, PPPoE, PPPoED, PPPoETag
from scapy.layers.sctp import (
    SCTP, SCTPChunkCookieAck, SCTPChunkData, SCTPChunkHeartbeatReq, SCTPChunkInit, SCTPChunkInitAck,
    SCTPChunkParamHeartbeatInfo, SCTPChunkSACK,
)
from scapy.packet import Raw, bind_layers, fuzz
from scapy.volatile import RandIP, RandIP6, RandMAC, RandNum

from common import data, eth, icmp, ip4, ip4_options, ip6, noise, padded, port, tag, tcp, tcp_options, udp

# Scapy knows only IP behind AH.
bind_layers(AH, UDP, nh=17)
bind_layers(AH, TCP, nh=6)
# Nor what is behind this extension header.
bind_layers(GTP_UDPPort_ExtensionHeader, IP, next_ex=0)


def some(most, make):
    return [make() for _ in range(random.randint(0, most))]


def address4():
    return str(RandIP())


def address6():
    return str(RandIP6())


def hop_by_hop():
    return IPv6ExtHdrHopByHop(options=random.choice([
        [RouterAlert()], [PadN(optdata=bytes(12))], [HBHOptUnknown(otype=0x1E, optdata=noise(1, 60))],
    ]))


def destination():
    return IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=0x1E, optdata=noise(0, 60))])


def routing():
    addresses = [address6() for _ in range(random.randint(1, 5))]
    return IPv6ExtHdrRouting(type=0, addresses=addresses, segleft=random.randint(0, len(addresses)))


def mobile():
    """To a mobile node's home address, and from another one's."""
    return IPv6ExtHdrRouting(type=2, addresses=[address6()], segleft=random.randint(0, 1))


def home():
    return IPv6ExtHdrDestOpt(options=[HAO(hoa=address6())])


def source_route():
    """A route on whose way there are still places: scapy does not look at the pointer."""
    kind, number = random.choice([(IPOption_LSRR, 3), (IPOption_SSRR, 9)])
    routers = [address4() for _ in range(random.randint(1, 8))]
    pointer = random.randrange(4, 4 + 4 * len(routers), 4)
    return ip4(options=[kind(copy_flag=1, optclass=0, option=number, routers=routers, pointer=pointer)])


def segments():
    addresses = [address6() for _ in range(random.randint(1, 5))]
    left = random.randint(0, len(addresses) - 1)
    return fuzz(IPv6ExtHdrSegmentRouting(type=4, addresses=addresses, segleft=left))


def fragment(**fields):
    return fuzz(IPv6ExtHdrFragment(**{"res2": 0, **fields}))


def icmp6(kind, **fields):
    return fuzz(kind(type=kind().type, **fields))


def quoted4():
    return IP(src=address4(), dst=address4()) / UDP(sport=port(), dport=port()) / Raw(noise(0, 20))


def quoted6():
    return IPv6(src=address6(), dst=address6()) / UDP(sport=port(), dport=port()) / Raw(noise(0, 20))


def records6():
    make = lambda: ICMPv6MLDMultAddrRec(rtype=random.randint(1, 6), dst=address6(), sources=some(3, address6))  # noqa: E731
    return [make() for _ in range(random.randint(1, 3))]


def records4():
    make = lambda: IGMPv3_MR_Group(rtype=random.randint(1, 6), maddr=address4(), srcaddrs=some(3, address4))  # noqa: E731
    return [make() for _ in range(random.randint(1, 3))]


def with_ah(packet):
    """Puts AH behind the IP header. Before, because scapy computes no checksum behind it."""
    packet = Ether(bytes(packet))
    network = packet.payload
    transport = network.payload
    value = noise(12, 12) if random.random() < 0.5 else noise(32, 32)
    network.remove_payload()
    for name in ("len", "chksum", "proto", "plen", "nh"):
        if name in network.fields:
            delattr(network, name)
    number = 17 if isinstance(transport, UDP) else 6
    header = AH(
        nh=number, payloadlen=(12 + len(value)) // 4 - 2, reserved=random.getrandbits(16), spi=random.getrandbits(32),
        seq=random.getrandbits(32), icv=value)
    return packet / header / transport


def mpls(bottom):
    return MPLS(label=random.randrange(16, 1 << 20), cos=random.getrandbits(3), s=bottom, ttl=random.getrandbits(8))


def gre():
    present = [random.getrandbits(1) for _ in range(3)]
    return GRE(
        chksum_present=present[0], key_present=present[1], seqnum_present=present[2],
        key=random.getrandbits(32) if present[1] else None,
        sequence_number=random.getrandbits(32) if present[2] else None,
    )


def geneve():
    option = lambda: GeneveOptions(  # noqa: E731
        classid=random.getrandbits(16), type=random.getrandbits(8), reserved=random.getrandbits(3),
        data=random.randbytes(4 * random.randint(0, 5)))
    return GENEVE(
        oam=random.getrandbits(1), critical=random.getrandbits(1), vni=random.getrandbits(24), options=some(3, option))


def gtp(**fields):
    return GTP_U_Header(**{"gtp_type": 255, "teid": random.getrandbits(32), **fields})


def session():
    if random.getrandbits(1):
        return GTPPDUSessionContainer(type=1, QFI=random.getrandbits(6), NextExtHdr=0)
    return GTPPDUSessionContainer(type=0, RQI=random.getrandbits(1), QFI=random.getrandbits(6), NextExtHdr=0)


def sctp():
    return SCTP(sport=port(), dport=port(), tag=random.getrandbits(32))


def chunk_data():
    return fuzz(SCTPChunkData(type=0, reserved=0, len=None, data=noise(1, 40)))


def init(kind):
    return kind(
        flags=0, init_tag=random.getrandbits(32), a_rwnd=random.getrandbits(32), n_out_streams=random.getrandbits(16),
        n_in_streams=random.getrandbits(16), init_tsn=random.getrandbits(32))


GTP_PORTS = {"sport": 2152, "dport": 2152}

STACKS = {
    "icmp, error": lambda: eth() / ip4() / ICMP(
        type=random.choice([11, 12]), code=random.getrandbits(8), ptr=random.getrandbits(8)) / quoted4(),
    "icmp, redirect": lambda: eth() / ip4() / ICMP(type=5, code=1, gw=address4()) / quoted4(),
    "icmp, timestamp": lambda: eth() / ip4() / ICMP(
        type=random.choice([13, 14]), id=random.getrandbits(16), seq=random.getrandbits(16),
        ts_ori=random.getrandbits(31), ts_rx=random.getrandbits(31), ts_tx=random.getrandbits(31)),
    "icmpv6, unreachable": lambda: eth() / ip6() / ICMPv6DestUnreach(code=random.getrandbits(8)) / quoted6(),
    "icmpv6, too big": lambda: eth() / ip6() / icmp6(ICMPv6PacketTooBig) / quoted6(),
    "icmpv6, time exceeded": lambda: eth() / ip6() / ICMPv6TimeExceeded(code=random.getrandbits(8)) / quoted6(),
    "icmpv6, parameter problem": lambda: eth() / ip6() / icmp6(ICMPv6ParamProblem) / quoted6(),
    "router solicitation": lambda: eth() / ip6() / icmp6(ICMPv6ND_RS) / ICMPv6NDOptSrcLLAddr(lladdr=RandMAC()),
    "router advertisement": lambda: eth() / ip6() / icmp6(ICMPv6ND_RA) / fuzz(
        ICMPv6NDOptPrefixInfo(type=3, len=4, prefix=address6())) / fuzz(ICMPv6NDOptMTU(type=5, len=1)),
    "neighbor redirect": lambda: eth() / ip6() / icmp6(ICMPv6ND_Redirect, tgt=address6(), dst=address6()),
    "mld query": lambda: eth() / ip6() / hop_by_hop() / icmp6(ICMPv6MLQuery, mladdr=address6()),
    "mld report": lambda: eth() / ip6() / hop_by_hop() / icmp6(ICMPv6MLReport, mladdr=address6()),
    "mld done": lambda: eth() / ip6() / icmp6(ICMPv6MLDone, mladdr=address6()),
    "mld 2 query": lambda: eth() / ip6() / hop_by_hop() / ICMPv6MLQuery2(
        mladdr=address6(), S=random.getrandbits(1), QRV=random.getrandbits(3), QQIC=random.getrandbits(8),
        sources=some(4, address6)),
    "mld 2 report": lambda: eth() / ip6() / hop_by_hop() / ICMPv6MLReport2(records=records6()),
    "igmp": lambda: eth() / ip4_options() / IGMP(
        type=random.choice([0x11, 0x12, 0x16, 0x17]), mrcode=random.getrandbits(8), gaddr=address4()),
    "igmp 3 query": lambda: eth() / ip4() / IGMPv3_MQ(
        gaddr=address4(), s=random.getrandbits(1), qrv=random.getrandbits(3), qqic=random.getrandbits(8),
        srcaddrs=some(4, address4)),
    "igmp 3 report": lambda: eth() / ip4() / IGMPv3_MR(records=records4()),
    "extension headers": lambda: padded(eth() / tag() / ip6() / hop_by_hop() / destination() / udp() / data()),
    "extension headers, tcp": lambda: eth() / ip6() / destination() / tcp_options() / data(),
    "routing header": lambda: eth() / ip6() / hop_by_hop() / routing() / udp() / data(),
    "routing header, tcp": lambda: eth() / ip6() / routing() / tcp() / data(),
    "routing header of mobile nodes": lambda: eth() / ip6() / mobile() / udp() / data(),
    "home address": lambda: eth() / ip6() / home() / tcp() / data(),
    "source route": lambda: eth() / source_route() / tcp() / data(),
    "source route, udp": lambda: padded(eth() / source_route() / udp() / data()),
    "segment routing": lambda: eth() / ip6() / segments() / udp() / data(),
    "segment routing, tcp": lambda: eth() / ip6() / segments() / tcp() / data(),
    "segment routing, ip": lambda: eth() / ip6() / segments() / ip4() / udp() / data(),
    "fragment that is none": lambda: eth() / ip6() / fragment(offset=0, m=0) / udp() / data(),
    "fragment": lambda: eth() / ip6() / fragment(offset=RandNum(1, 8191), nh=17) / data(8),
    "ah": lambda: with_ah(eth() / ip4() / udp() / data()),
    "ah in ipv6": lambda: with_ah(eth() / ip6() / tcp() / data()),
    "esp": lambda: eth() / ip4() / ESP(spi=RandNum(256, 1 << 31), seq=RandNum(0, 1 << 31), data=noise(16, 64)),
    "esp in ipv6": lambda: eth() / ip6() / ESP(spi=RandNum(256, 1 << 31), seq=1, data=noise(16, 64)),
    "mpls": lambda: eth() / mpls(0) / mpls(0) / mpls(1) / ip4() / udp() / data(),
    "mpls, ipv6": lambda: eth() / mpls(1) / ip6() / tcp() / data(),
    "pppoe": lambda: padded(eth() / PPPoE(sessionid=random.getrandbits(16)) / PPP() / ip4() / udp() / data()),
    "pppoe, ipv6": lambda: eth() / PPPoE(sessionid=random.getrandbits(16)) / PPP() / ip6() / udp() / data(),
    "pppoe, discovery": lambda: eth() / PPPoED(code=9) / PPPoETag(tag_type=0x101) / PPPoETag(
        tag_type=0x103, tag_value=noise(4, 4)),
    "gre": lambda: eth() / ip4() / gre() / ip4() / udp() / data(),
    "gre, ipv6": lambda: eth() / ip6() / gre() / ip6() / tcp() / data(),
    "gre, bridged": lambda: eth() / ip4() / gre() / eth() / tag() / ip4() / icmp() / data(),
    "geneve": lambda: eth() / ip4() / udp(dport=6081) / geneve() / eth() / ip4() / udp() / data(),
    "geneve, ipv6": lambda: eth() / ip6() / udp(dport=6081) / geneve() / ip6() / tcp() / data(),
    "gtp": lambda: eth() / ip4() / udp(**GTP_PORTS) / gtp() / ip4() / udp() / data(),
    "gtp, sequence": lambda: eth() / ip4() / udp(**GTP_PORTS) / gtp(
        S=1, seq=random.getrandbits(16)) / ip6() / tcp() / data(),
    "gtp, session": lambda: eth() / ip6() / udp(**GTP_PORTS) / gtp(
        E=1, next_ex=0x85) / session() / ip4() / udp() / data(),
    "gtp, extension": lambda: eth() / ip4() / udp(**GTP_PORTS) / gtp(
        E=1, next_ex=0x40) / GTP_UDPPort_ExtensionHeader(length=1, udp_port=port()) / ip4() / udp() / data(),
    "sctp": lambda: eth() / ip4() / sctp() / chunk_data(),
    "sctp, two chunks": lambda: padded(eth() / ip6() / sctp() / chunk_data() / chunk_data()),
    "sctp, init": lambda: eth() / ip4_options() / sctp() / init(SCTPChunkInit),
    "sctp, init acknowledged": lambda: eth() / tag() / ip4() / sctp() / init(SCTPChunkInitAck),
    "sctp, sack": lambda: eth() / ip6() / destination() / sctp() / SCTPChunkSACK(
        cumul_tsn_ack=random.getrandbits(32), a_rwnd=random.getrandbits(32)),
    "sctp, heartbeat": lambda: eth() / ip4() / sctp() / SCTPChunkHeartbeatReq(
        params=[SCTPChunkParamHeartbeatInfo(data=noise(8, 8))]),
    "sctp, cookie acknowledged": lambda: eth() / ip4() / sctp() / SCTPChunkCookieAck(),
}
