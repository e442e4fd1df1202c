"""The rest of mapping.py: extension headers, groups, errors, tunnels, IPsec, SCTP."""

from part import Part, bits, coded, first_of

OPTIONS = {"next_header": "nh", "words": "len"}
ICMP4 = Part("ICMP", {"kind": "type", "code": "code", "checksum": "chksum"})
ICMP6 = Part("ICMPv6", {"kind": "type", "code": "code", "checksum": "cksum"})
LISTENERS = Part("MLD", {"max_response": "mrd", "reserved": "reserved", "group": "mladdr"}, start=4)
IGMP = Part("IGMP", {"kind": "type", "max_response": coded("mrcode"), "checksum": "chksum"})
IGMP_GROUP = Part("IGMP group", {"group": "gaddr"}, start=4)
QUERY = {"group": "gaddr", "reserved": "flags", "suppress": "s", "qrv": "qrv", "qqic": coded("qqic"), "sources": "numsrc"}
PPPOE = {"version": "version", "kind": "type", "code": "code", "session": "sessionid", "length": "len"}
CHUNK = {"kind": "type", "flags": "flags", "length": "len"}
INIT = {
    **CHUNK, "tag": "init_tag", "window": "a_rwnd", "outbound_streams": "n_out_streams",
    "inbound_streams": "n_in_streams", "tsn": "init_tsn",
}


def is_first_chunk(layer):
    """Dissecting ends with the first chunk; the others are walked."""
    return type(layer.underlayer).__name__ == "SCTP"


def icmp6_error(parameter):
    return [ICMP6, Part("ICMPv6 error", {"parameter": parameter}, start=4)]


def with_length(layer):
    """Where extensions may follow, the first byte says how long the packet's beginning is (RFC 4884)."""
    return layer.length << 24 | int(layer.unused)


def gtp_flags(layer):
    if layer.type == 0:
        return layer.QMP << 3 | layer.SNP << 2 | layer.spareDl1
    return layer.QMP << 3 | layer.dlDelayInd << 2 | layer.ulDelayInd << 1 | layer.SNP


GTP = [
    Part("GTP-U", {
        "version": "version", "gtp": "PT", "reserved": "reserved", "extension": "E", "sequence": "S", "npdu": "PN",
        "kind": "gtp_type", "length": "length", "teid": "teid",
    }),
    Part("GTP-U optional part", {"sequence": "seq", "npdu": "npdu", "unused": "next_ex"}, start=8,
         when=lambda layer: not layer.E and (layer.S or layer.PN)),
    Part("GTP-U extended part", {"sequence": "seq", "npdu": "npdu", "next_extension": "next_ex"}, start=8,
         when=lambda layer: layer.E),
]

PARTS = {
    "ICMP": [
        Part("ICMP unreachable", {"unused": "reserved", "words": "length", "mtu": "nexthopmtu"}, start=4,
             when=lambda layer: layer.type == 3),
        Part("ICMP error", {
            "pointer": lambda layer: layer.ptr if layer.type == 12 else layer.reserved,
            "words": "length", "unused": "unused",
        }, start=4, when=lambda layer: layer.type in (11, 12)),
        Part("ICMP redirect", {"gateway": "gw"}, start=4, when=lambda layer: layer.type == 5),
        Part("ICMP timestamp", {
            "identifier": "id", "sequence": "seq", "originate": "ts_ori", "receive": "ts_rx", "transmit": "ts_tx",
        }, start=4, when=lambda layer: layer.type in (13, 14)),
    ],
    "ICMPv6DestUnreach": icmp6_error(with_length),
    "ICMPv6TimeExceeded": icmp6_error(with_length),
    "ICMPv6PacketTooBig": icmp6_error("mtu"),
    "ICMPv6ParamProblem": icmp6_error("ptr"),
    "ICMPv6ND_RS": [ICMP6, Part("router solicitation", {"reserved": "res"}, start=4)],
    "ICMPv6ND_RA": [
        ICMP6,
        Part("router advertisement", {
            "hop_limit": "chlim", "managed": "M", "other": "O", "home_agent": "H", "preference": "prf", "proxy": "P",
            "reserved": "res", "lifetime": "routerlifetime", "reachable": "reachabletime",
            "retransmit": "retranstimer",
        }, start=4),
    ],
    "ICMPv6ND_Redirect": [
        ICMP6, Part("neighbor redirect", {"reserved": "res", "target": "tgt", "destination": "dst"}, start=4),
    ],
    "ICMPv6NDOptPrefixInfo": [
        Part("prefix information", {
            "kind": "type", "words": "len", "prefix_len": "prefixlen", "on_link": "L", "autonomous": "A",
            # Scapy has one more flag, of mobile IPv6 (RFC 6275).
            "reserved": lambda layer: layer.R << 5 | layer.res1,
            "valid": "validlifetime", "preferred": "preferredlifetime", "reserved2": "res2", "prefix": "prefix",
        }, option=True)
    ],
    "ICMPv6NDOptMTU": [
        Part("link MTU", {"kind": "type", "words": "len", "reserved": "res", "mtu": "mtu"}, option=True),
    ],
    "ICMPv6MLQuery": [ICMP6, LISTENERS],
    "ICMPv6MLReport": [ICMP6, LISTENERS],
    "ICMPv6MLDone": [ICMP6, LISTENERS],
    "ICMPv6MLQuery2": [
        ICMP6,
        Part("MLDv2 query", {
            "max_response": "mrd", "reserved": "reserved", "group": "mladdr", "reserved2": "Resv", "suppress": "S",
            "qrv": "QRV", "qqic": "QQIC", "sources": "sources_number",
        }, start=4),
    ],
    "ICMPv6MLReport2": [
        Part("ICMPv6", {"kind": "type", "code": "res", "checksum": "cksum"}),
        Part("MLDv2 report", {"reserved": "reserved", "records": "records_number"}, start=4),
        Part("MLDv2 record", {
            "kind": "rtype", "auxiliary_words": "auxdata_len", "sources": "sources_number", "group": "dst",
        }, start=8, inner=first_of("records")),
    ],
    "IGMP_MQ": [IGMP, IGMP_GROUP],
    "IGMP_MR": [IGMP, IGMP_GROUP],
    "IGMPv2_MR": [IGMP, IGMP_GROUP],
    "IGMPv2_LG": [IGMP, IGMP_GROUP],
    "IGMPv3_MQ": [IGMP, Part("IGMPv3 query", QUERY, start=4)],
    "IGMPv3_MR": [
        Part("IGMP", {"kind": "type", "max_response": "reserved", "checksum": "chksum"}),
        Part("IGMPv3 report", {"reserved": "flags", "records": "numgrp"}, start=4),
        Part("IGMPv3 record", {
            "kind": "rtype", "auxiliary_words": "auxdlen", "sources": "numsrc", "group": "maddr",
        }, start=8, inner=first_of("records")),
    ],
    "IPv6ExtHdrHopByHop": [Part("hop-by-hop options", OPTIONS)],
    "IPv6ExtHdrDestOpt": [Part("destination options", OPTIONS)],
    "IPv6ExtHdrRouting": [
        Part("routing", {**OPTIONS, "kind": "type", "segments_left": "segleft", "specific": "reserved"}),
    ],
    "IPv6ExtHdrSegmentRouting": [
        Part("segment routing", {
            **OPTIONS, "kind": "type", "segments_left": "segleft", "last_entry": "lastentry",
            "flags": lambda layer: layer.unused1 << 7 | layer.protected << 6 | layer.oam << 5 | layer.alert << 4
            | layer.hmac << 3 | layer.unused2,
            "tag": "tag",
        })
    ],
    "IPv6ExtHdrFragment": [
        Part("fragment", {
            "next_header": "nh", "reserved": "res1", "offset": "offset", "reserved2": "res2", "more": "m",
            "identification": "id",
        })
    ],
    "AH": [
        Part("AH", {
            "next_header": "nh", "words": "payloadlen", "reserved": "reserved", "spi": "spi", "sequence": "seq",
        })
    ],
    "ESP": [Part("ESP", {"spi": "spi", "sequence": "seq"})],
    "MPLS": [Part("MPLS", {"label": "label", "tc": "cos", "bottom": "s", "ttl": "ttl"})],
    "PPPoE": [Part("PPPoE", PPPOE)],
    "PPPoED": [Part("PPPoE", PPPOE)],
    "PPP": [Part("PPP", {"protocol": "proto"})],
    "GRE": [
        Part("GRE", {
            "checksum_present": "chksum_present", "routing_present": "routing_present",
            "key_present": "key_present", "sequence_present": "seqnum_present",
            "reserved": lambda layer: layer.strict_route_source << 8 | layer.recursion_control << 5 | layer.flags,
            "version": "version", "protocol": "proto",
        })
    ],
    "GENEVE": [
        Part("GENEVE", {
            "version": "version", "option_words": "optionlen", "control": "oam", "critical": "critical",
            "reserved": "reserved", "protocol": "proto", "vni": "vni", "reserved2": "reserved2",
        }),
        Part("GENEVE option", {
            "class": "classid", "critical": bits("type", 7, 1), "kind": bits("type", 0, 7), "reserved": "reserved",
            "words": "length",
        }, start=8, option=True, inner=first_of("options")),
    ],
    "GTPHeader": GTP,
    "GTP_U_Header": GTP,
    "GTP_UDPPort_ExtensionHeader": [
        Part("GTP-U extension", {"words": "length", "content": "udp_port", "last": "next_ex"}),
    ],
    "GTPPDUSessionContainer": [
        Part("GTP-U PDU session container", {
            "words": "ExtHdrLen", "direction": "type", "flags": gtp_flags, "qfi": "QFI",
            "paging": lambda layer: layer.PPP if layer.type == 0 else layer.N3N9DelayInd,
            "reflective": lambda layer: layer.RQI if layer.type == 0 else layer.spareUl1,
            "next_extension": "NextExtHdr",
        })
    ],
    "SCTP": [Part("SCTP", {"source_port": "sport", "destination_port": "dport", "tag": "tag", "checksum": "chksum"})],
    "SCTPChunkData": [
        Part("SCTP data", {
            "kind": "type", "reserved": "reserved", "immediate": "delay_sack", "unordered": "unordered",
            "first": "beginning", "last": "ending", "length": "len", "tsn": "tsn", "stream": "stream_id",
            "stream_sequence": "stream_seq", "payload_protocol": "proto_id",
        }, when=is_first_chunk)
    ],
    "SCTPChunkInit": [Part("SCTP init", INIT, when=is_first_chunk)],
    "SCTPChunkInitAck": [Part("SCTP init", INIT, when=is_first_chunk)],
    "SCTPChunkSACK": [Part("SCTP chunk", CHUNK, when=is_first_chunk)],
    "SCTPChunkHeartbeatReq": [Part("SCTP chunk", CHUNK, when=is_first_chunk)],
    "SCTPChunkCookieAck": [Part("SCTP chunk", CHUNK, when=is_first_chunk)],
}

WITHOUT = {
    "hop-by-hop options.first": "scapy reads options of any length there",
    "destination options.first": "scapy reads options of any length there",
    "NVGRE": "scapy reads it as GRE with a key, as we do where we are not told otherwise",
    "extension": "scapy has a layer for each kind, and none for any",
    "ESP trailer": "it is encrypted where a packet is dissected",
}
