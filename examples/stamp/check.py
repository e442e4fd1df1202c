"""Reads the test packets of a capture by scapy's STAMP layer, and by the tables of RFC 8762 and RFC 8972: python3 check.py FILE ADDRESS.

ADDRESS is that of our sender and our reflector. Prints what was seen; ends with 1 where a field is not what it must be.
"""

import struct
import sys

from scapy.contrib.stamp import STAMPSessionReflectorTestUnauthenticated as Answer
from scapy.contrib.stamp import STAMPSessionSenderTestUnauthenticated as Question
from scapy.layers.inet import IP, UDP
from scapy.utils import PcapNgReader

NTP_EPOCH = 2_208_988_800


def tlvs(packet):
    return [(tlv.type, int(tlv.flags), bytes(tlv.value)) for tlv in packet.tlv_objects]


def check_question(payload):
    question = Question(payload)
    assert bytes(question) == payload, "scapy writes it as it was"
    assert question.mbz == 0 and question.ssid == 1
    assert (question.err_estimate.S, question.err_estimate.Z) == (0, 0) and question.err_estimate.multiplier > 0
    # Extra Padding with U and no other flag; what is in it is ours.
    assert [(kind, flags, len(value)) for kind, flags, value in tlvs(question)] == [(1, 0x80, 12)]


def check_answer(payload, questions, captured):
    answer = Answer(payload)
    assert bytes(answer) == payload, "scapy writes it as it was"
    ip, asked = questions[answer.ssid, answer.seq_sender]
    sequence, timestamp, error, ssid = struct.unpack("!IQHH", asked[:16])
    assert len(payload) == max(len(asked), 44), "it is as long as its question"
    assert payload[24:40] == struct.pack("!IQHH", sequence, timestamp, error, 0)
    assert (answer.ssid, answer.ttl_sender, answer.mbz1, answer.mbz2) == (ssid, ip.ttl, 0, 0)
    left, came = struct.unpack("!Q", payload[4:12])[0], struct.unpack("!Q", payload[16:24])[0]
    assert came <= left and abs(left / 2**32 - NTP_EPOCH - captured) < 1, "times of the day"
    for (kind, flags, value), (kind_asked, _, value_asked) in zip(tlvs(answer), tlvs(Question(asked))):
        assert kind == kind_asked and flags == 0 and len(value) == len(value_asked), f"extension {kind}"
        if kind == 1:
            assert value == value_asked
        if kind == 2:
            assert value[:4] == struct.pack("!HH", 862, questions["port"])
        if kind == 3:
            assert value[:4] == bytes([5, 2, 5, 2])
        if kind == 4:
            dscp1, dscp2, ecn = value[0] >> 2, (value[0] & 3) << 4 | value[1] >> 4, value[1] >> 2 & 3
            assert (dscp1, dscp2, ecn) == (value_asked[0] >> 2, ip.tos >> 2, ip.tos & 3)
    return [kind for kind, _, _ in tlvs(answer)]


def main(name, ours):
    questions, counts, kinds = {}, {"questions": 0, "answers": 0}, set()
    for packet in PcapNgReader(name):
        if IP not in packet or UDP not in packet:
            continue
        ip, udp = packet[IP], packet[UDP]
        payload = bytes(udp.payload)
        if udp.dport == 862 and ip.src == ours:
            check_question(payload)
            counts["questions"] += 1
        elif udp.dport == 862:
            questions[struct.unpack("!H", payload[14:16])[0], struct.unpack("!I", payload[:4])[0]] = ip, payload
            questions["port"] = udp.sport
        elif udp.sport == 862 and ip.src == ours:
            kinds.update(check_answer(payload, questions, float(packet.time)))
            counts["answers"] += 1
    assert counts["questions"] > 0 and counts["answers"] > 0
    print(f"scapy: {counts['questions']} questions and {counts['answers']} answers of ours are right, extensions {sorted(kinds)}")


main(*sys.argv[1:])
