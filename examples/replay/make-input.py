#!/usr/bin/env python3
"""Writes in.pcap anew, always with the same bytes: thirty UDP packets in a second, at uneven gaps, in nanoseconds."""

import struct

SECOND = 1_000_000_000


def frame(number):
    ethernet = bytes.fromhex("020000000002 020000000001 0800")
    payload = b"packet %02d" % number
    udp = struct.pack("!HHHH", 40_000 + number % 3, 9, 8 + len(payload), 0)
    length = 20 + len(udp) + len(payload)
    head = [0x4500, length, number, 0, 0x4011, 0, 0xC000, 0x0201, 0xC000, 0x0202]
    total = sum(head)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    head[5] = 0xFFFF ^ total
    return ethernet + struct.pack("!10H", *head) + udp + payload


with open("in.pcap", "wb") as file:
    file.write(struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 65_535, 1))
    for number in range(30):
        # The gaps grow: 2.3 ms, 4.6 ms, ... and some nanoseconds that microseconds do not show.
        at = 1_700_000_000 * SECOND + number * (number + 1) // 2 * 2_300_000 + number * 7
        data = frame(number)
        file.write(struct.pack("<IIII", at // SECOND, at % SECOND, len(data), len(data)) + data)
