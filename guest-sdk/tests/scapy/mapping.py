"""Which of scapy's layers and fields are which of ours.

PARTS names, for each of scapy's classes, the headers of ours that it stands for: name, where it begins in scapy's layer,
and for each field of ours the name of scapy's, or a function of scapy's layer. WITHOUT names what scapy does not have, and
why. guest-sdk/tests/scapy.rs fails for a field that is in neither.
"""

import apps_mapping
import more_mapping
from part import Part, bits


def vxlan_reserved(layer):
    """Three bytes with different names, after what the flags say."""
    if layer.flags.NextProtocol:
        return layer.reserved0 << 8 | layer.NextProtocol
    if layer.flags.G:
        return int(layer.gpflags) << 16 | layer.gpid
    return layer.reserved1


ETHERNET = {"destination": "dst", "source": "src", "ether_type": "type"}
VLAN = {"pcp": "prio", "dei": "dei", "vid": "vlan", "ether_type": "type"}
ICMP6 = more_mapping.ICMP6
ECHO = Part("echo", {"identifier": "id", "sequence": "seq"}, start=4)
ND_MAC = Part("link-layer address", {"kind": "type", "words": "len", "mac": "lladdr"}, option=True)

PARTS = {
    "Ether": [Part("Ethernet", ETHERNET)],
    "Dot3": [Part("Ethernet", {**ETHERNET, "ether_type": "len"})],
    "Dot1Q": [Part("VLAN", VLAN)],
    "Dot1AD": [Part("VLAN", VLAN)],
    "ARP": [
        Part("ARP", {
            "hardware": "hwtype", "protocol": "ptype", "hardware_len": "hwlen", "protocol_len": "plen",
            "operation": "op", "sender_mac": "hwsrc", "sender": "psrc", "target_mac": "hwdst", "target": "pdst",
        })
    ],
    "IP": [
        Part("IPv4", {
            "version": "version", "header_words": "ihl", "dscp": bits("tos", 2, 6), "ecn": bits("tos", 0, 2),
            "total_length": "len", "identification": "id", "reserved": bits("flags", 2, 1),
            "dont_fragment": bits("flags", 1, 1), "more_fragments": bits("flags", 0, 1), "fragment_offset": "frag",
            "ttl": "ttl", "protocol": "proto", "checksum": "chksum", "source": "src", "destination": "dst",
        })
    ],
    "IPv6": [
        Part("IPv6", {
            "version": "version", "dscp": bits("tc", 2, 6), "ecn": bits("tc", 0, 2), "flow_label": "fl",
            "payload_length": "plen", "next_header": "nh", "hop_limit": "hlim", "source": "src", "destination": "dst",
        })
    ],
    "UDP": [
        Part("UDP", {"source_port": "sport", "destination_port": "dport", "length": "len", "checksum": "chksum"})
    ],
    "TCP": [
        Part("TCP", {
            "source_port": "sport", "destination_port": "dport", "sequence": "seq", "acknowledgment": "ack",
            "header_words": "dataofs",
            # Scapy counts the last reserved bit, once the nonce sum, among the flags.
            "reserved": lambda layer: layer.reserved << 1 | int(layer.flags) >> 8,
            "cwr": bits("flags", 7, 1), "ece": bits("flags", 6, 1), "urg": bits("flags", 5, 1),
            "ack": bits("flags", 4, 1), "psh": bits("flags", 3, 1), "rst": bits("flags", 2, 1),
            "syn": bits("flags", 1, 1), "fin": bits("flags", 0, 1),
            "window": "window", "checksum": "chksum", "urgent": "urgptr",
        })
    ],
    "ICMP": [
        more_mapping.ICMP4,
        Part("echo", ECHO.fields, start=4, when=lambda layer: layer.type in (0, 8)),
    ],
    "ICMPv6EchoRequest": [ICMP6, ECHO],
    "ICMPv6EchoReply": [ICMP6, ECHO],
    "ICMPv6ND_NS": [ICMP6, Part("neighbor solicitation", {"reserved": "res", "target": "tgt"}, start=4)],
    "ICMPv6ND_NA": [
        ICMP6,
        Part("neighbor advertisement", {
            "router": "R", "solicited": "S", "override_known": "O", "reserved": "res", "target": "tgt",
        }, start=4),
    ],
    "ICMPv6NDOptSrcLLAddr": [ND_MAC],
    "ICMPv6NDOptDstLLAddr": [ND_MAC],
    "VXLAN": [
        Part("VXLAN", {"flags": "flags", "reserved": vxlan_reserved, "vni": "vni", "reserved2": "reserved2"})
    ],
}

for more in (more_mapping, apps_mapping):
    for name, parts in more.PARTS.items():
        PARTS[name] = PARTS.get(name, []) + parts

# Header, or header and field with a dot, and why scapy cannot say anything about it.
WITHOUT = {**more_mapping.WITHOUT, **apps_mapping.WITHOUT}


def describe():
    """All that is mapped, for the test to compare with what there is."""
    fields = {}
    for parts in PARTS.values():
        for part in parts:
            fields.setdefault(part.name, set()).update(part.fields)
    return {"fields": {name: sorted(names) for name, names in fields.items()}, "without": WITHOUT}
