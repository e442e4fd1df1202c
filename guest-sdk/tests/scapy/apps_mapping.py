"""The rest of mapping.py: what applications and devices say."""

from part import Part, bits


def over_tcp(layer):
    return type(layer.underlayer).__name__ == "TCP"


DNS = {
    "id": "id", "response": "qr", "opcode": "opcode", "authoritative": "aa", "truncated": "tc",
    "recursion_desired": "rd", "recursion_available": "ra", "reserved": "z", "authentic": "ad",
    "checking_disabled": "cd", "rcode": "rcode", "question_count": "qdcount", "answer_count": "ancount",
    "authority_count": "nscount", "additional_count": "arcount",
}
DHCP6 = [Part("DHCPv6", {"kind": "msgtype", "transaction_id": "trid"})]
RELAY6 = [Part("DHCPv6 relay", {"kind": "msgtype", "hops": "hopcount", "link": "linkaddr", "peer": "peeraddr"})]
FLAGS = [
    "reserved_flag", "profile_specific2", "profile_specific1", None, None, "unicast", "two_step", "alternate",
    "reserved_flag2", "synchronization_uncertain", "frequency_traceable", "time_traceable", "ptp_timescale",
    "utc_offset_valid", "leap59", "leap61",
]


def time_of(name):
    return {"seconds": f"{name}_seconds", "nanoseconds": f"{name}_nanoseconds"}


def ptp_body(name, kind, fields):
    return Part(name, fields, start=34, when=lambda layer: layer.messageType == kind)


def signed(field):
    return lambda layer: layer.getfieldval(field) & 0xFF


def protected(layer):
    return layer.Reserved << 2 | layer.get_field("PacketNumberLen").i2m(layer, layer.PacketNumberLen)


QUIC_LONG = [
    Part("QUIC", {
        "long": "HeaderForm", "fixed": "FixedBit", "kind": "LongPacketType", "protected": protected,
        "version": "Version", "destination_len": "DstConnIDLen",
    }),
    Part("QUIC source", {"length": "SrcConnIDLen"}, start=lambda layer: 6 + layer.DstConnIDLen),
]
PORT = ["system_priority", "system", "key", "port_priority", "state", "reserved"]


def lacp_port(who):
    fields = {f"{who}_{name}": f"{who}_{name}" for name in PORT}
    return {**fields, f"{who}_type": f"{who}_type", f"{who}_len": f"{who}_length", f"{who}_port": f"{who}_port_number"}


PARTS = {
    "DNS": [
        Part("DNS over TCP", {"length": "length"}, when=over_tcp),
        Part("DNS", DNS, start=lambda layer: 2 if over_tcp(layer) else 0),
    ],
    "BOOTP": [
        Part("DHCP", {
            "operation": "op", "hardware": "htype", "hardware_len": "hlen", "hops": "hops", "transaction_id": "xid",
            "seconds": "secs", "broadcast": bits("flags", 15, 1), "reserved": bits("flags", 0, 15),
            "client": "ciaddr", "yours": "yiaddr", "next_server": "siaddr", "relay": "giaddr",
            "mac": lambda layer: layer.chaddr[:6], "mac_padding": lambda layer: layer.chaddr[6:],
            "server_name": "sname", "boot_file": "file", "cookie": lambda layer: layer.options[:4],
        })
    ],
    "DHCP6_Solicit": DHCP6,
    "DHCP6_Request": DHCP6,
    "DHCP6_Reply": DHCP6,
    "DHCP6_RelayForward": RELAY6,
    "DHCP6_RelayReply": RELAY6,
    "NTPHeader": [
        Part("NTP", {
            "leap": "leap", "version": "version", "mode": "mode", "stratum": "stratum", "poll": signed("poll"),
            "precision": signed("precision"), "root_delay": "delay", "root_dispersion": "dispersion",
            "reference_id": lambda layer: layer.id if layer.stratum > 1 else layer.ref_id,
            "reference": "ref", "origin": "orig", "receive": "recv", "transmit": "sent",
        })
    ],
    # The version is a layer of its own before these.
    "NetflowHeaderV9": [
        Part("NetFlow v9", {
            "version": lambda layer: layer.underlayer.version, "count": "count", "uptime": "sysUptime",
            "export_time": "unixSecs", "sequence": "packageSequence", "domain": "SourceID",
        }, start=-2)
    ],
    "NetflowHeaderV10": [
        Part("IPFIX", {
            "version": lambda layer: layer.underlayer.version, "length": "length", "export_time": "ExportTime",
            "sequence": "flowSequence", "domain": "ObservationDomainID",
        }, start=-2)
    ],
    "NetflowFlowsetV9": [Part("IPFIX set", {"id": "flowSetID", "length": "length"}, option=True)],
    "NetflowDataflowsetV9": [Part("IPFIX set", {"id": "templateID", "length": "length"}, option=True)],
    "QUIC_Initial": QUIC_LONG,
    "QUIC_Handshake": QUIC_LONG,
    "QUIC_1RTT": [
        Part("QUIC short", {"long": "HeaderForm", "fixed": "FixedBit", "spin": "SpinBit"}, option=True),
    ],
    "PTP": [
        Part("PTP", {
            "major_sdo_id": "transportSpecific", "kind": "messageType", "minor_version": "reserved1",
            "version": "version", "length": "messageLength", "domain": "domainNumber", "minor_sdo_id": "reserved2",
            **{name: bits("flags", 15 - bit, 1) for bit, name in enumerate(FLAGS) if name},
            "reserved_flags": bits("flags", 11, 2), "correction": "correctionField", "type_specific": "reserved3",
            "source_clock": "clockIdentity", "source_port": "portNumber", "sequence": "sequenceId",
            "control": "controlField", "log_interval": "logMessageInterval",
        }),
        ptp_body("PTP time", 0, time_of("originTimestamp")),
        ptp_body("PTP time", 1, time_of("originTimestamp")),
        ptp_body("PTP time", 8, time_of("preciseOriginTimestamp")),
        ptp_body("PTP peer delay request", 2, time_of("originTimestamp")),
        ptp_body("PTP response", 3, time_of("requestReceiptTimestamp")),
        ptp_body("PTP response", 9, time_of("receiveTimestamp")),
        ptp_body("PTP response", 10, time_of("responseOriginTimestamp")),
        ptp_body("PTP announce", 11, {
            **time_of("originTimestamp"), "utc_offset": "currentUtcOffset", "reserved": "reserved4",
            "priority1": "grandmasterPriority1", "clock_class": "grandmasterClockClass",
            "clock_accuracy": "grandmasterClockAccuracy", "clock_variance": "grandmasterClockVariance",
            "priority2": "grandmasterPriority2", "grandmaster": "grandmasterIdentity",
            "steps_removed": "stepsRemoved", "time_source": "timeSource",
        }),
    ],
    "SlowProtocol": [Part("slow protocol", {"subtype": "subtype"})],
    "LACP": [
        Part("LACP", {
            "version": "version", **lacp_port("actor"), **lacp_port("partner"),
            "collector_type": "collector_type", "collector_len": "collector_length",
            "collector_max_delay": "collector_max_delay", "collector_reserved": "collector_reserved",
            "terminator_type": "terminator_type", "terminator_len": "terminator_length",
        })
    ],
    "MarkerProtocol": [
        Part("marker", {
            "version": "version", "kind": "marker_type", "length": "marker_length",
            "requester_port": "requester_port", "requester_system": "requester_system",
            "transaction_id": "requester_transaction_id", "padding": "marker_reserved",
            "terminator_type": "terminator_type", "terminator_len": "terminator_length",
        })
    ],
}

NO_SFLOW = "scapy does not know sFlow; Wireshark does"
NO_PORT = "scapy's PTP ends before the port that asked"
WITHOUT = {
    **{name: NO_SFLOW for name in (
        "sFlow", "sFlow agent", "sFlow IPv6 agent", "sFlow record", "sFlow flow sample", "sFlow expanded flow sample",
        "sFlow counter sample", "sFlow expanded counter sample", "sFlow packet", "sFlow switch", "sFlow port counters",
    )},
    "PTP peer delay request.reserved": "scapy leaves it out",
    "PTP response.requesting_clock": NO_PORT,
    "PTP response.requesting_port": NO_PORT,
    "PTP signaling": "scapy knows the common header only",
    "PTP management": "scapy knows the common header only",
    "QUIC short.protected": "scapy reads it as if it were not protected",
}
