"""Scapy's opinion on packets, as JSON lines, for guest-sdk/tests/scapy.rs.

    packets.py mapping              which fields scapy can say something about (mapping.py)
    packets.py make SEED ROUNDS     random packets of all stacks (stacks.py), and what scapy reads in them
    packets.py corpus FOLDER        one short packet of each stack as a file, for the fuzzer (fuzz/README.md)
    packets.py read                 what scapy reads in packets from stdin, one a line in hex
"""

import json
import logging
import pathlib
import random
import sys
import warnings

warnings.filterwarnings("ignore")
logging.getLogger("scapy").setLevel(logging.CRITICAL)

from scapy.layers.l2 import Ether  # noqa: E402
from scapy.packet import NoPayload  # noqa: E402

import common  # noqa: E402
import mapping  # noqa: E402
import stacks  # noqa: E402
from part import value  # noqa: E402

CHECKSUMS = ("chksum", "cksum", "checksum")


def layers_of(packet):
    """Scapy's layers with their offsets."""
    start = 0
    while packet and not isinstance(packet, NoPayload):
        yield start, packet
        # A layer that moves bytes to itself after it was dissected has no copy of them.
        own = packet.raw_packet_cache or bytes(packet.self_build())
        start += len(own)
        packet = packet.payload


def described(data):
    """Our headers in a packet, as scapy reads them."""
    found = []
    for start, layer in layers_of(Ether(data)):
        for part in mapping.PARTS.get(type(layer).__name__, []):
            if part.when(layer):
                inner = part.inner(layer)
                fields = {name: f"{value(inner, source):x}" for name, source in part.fields.items()}
                at = start + (part.start(layer) if callable(part.start) else part.start)
                found.append({"name": part.name, "start": at, "option": part.option, "fields": fields})
    return found


def rebuilt(data):
    """The packet with all checksums computed anew, but those in packets that an error quotes, and those behind AH, which
    scapy does not know."""
    packet = Ether(data)
    for _, layer in list(layers_of(packet)):
        if "error" in type(layer).__name__:
            break
        if type(layer.underlayer).__name__ == "AH":
            continue
        for name in CHECKSUMS:
            if name in layer.fields and layer.get_field(name).default is None:
                delattr(layer, name)
    return bytes(packet)


def say(**line):
    print(json.dumps(line))


def make(seed, rounds):
    for turn in range(rounds):
        for name, stack in stacks.STACKS.items():
            random.seed(f"{seed} {turn} {name}")
            packet, filled = common.bytes_of(stack())
            say(stack=name, raw=packet.hex(), filled=filled.hex(), layers=described(packet))


def corpus(folder):
    common.longest[0] = 3
    for name, stack in stacks.STACKS.items():
        random.seed(name)
        pathlib.Path(folder, name.replace(",", "").replace(" ", "-")).write_bytes(common.bytes_of(stack())[0])


def main(task, *arguments):
    if task == "mapping":
        say(**mapping.describe())
    elif task == "make":
        make(*(int(argument) for argument in arguments))
    elif task == "corpus":
        corpus(*arguments)
    elif task == "read":
        for line in sys.stdin:
            data = bytes.fromhex(line)
            say(layers=described(data), rebuilt=rebuilt(data).hex())
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
