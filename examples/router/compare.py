#!/usr/bin/env python3
"""Compares what probe.py got of the kernel and of the router, field by field: compare.py KERNEL.json ROUTER.json."""
import json, sys
from scapy.all import IP, IPv6

# Where the two may differ, and why.
ALLOWED = {
    "v4 record route and ttl 1": "the kernel copies options into errors, and quotes the packet with what it recorded",
    "v4 record route, too long": "the kernel overwrites options that later fragments must not have, the router leaves them out",
    "v4 ping, record route": "the kernel records itself twice, when the question comes and when the answer goes",
}

kernel, router = (json.load(open(path)) for path in sys.argv[1:3])


def show(answer):
    link, macs, packet = answer.split(" ", 2)
    if not packet.startswith(("4", "6")):
        return answer
    parsed = (IP if packet.startswith("4") else IPv6)(bytes.fromhex(packet))
    fields, layer = [], parsed
    while layer and layer.name != "NoPayload":
        fields += [f"{layer.name}.{name}={value!r}" for name, value in layer.fields.items() if name != "load"]
        layer = layer.payload
    return [f"link {link}", f"macs {macs}", *fields, f"length={len(packet) // 2}", f"end={packet[-24:]}"]


same, wrong = 0, 0
for name, expected in kernel.items():
    got = router[name]
    if got == expected:
        same += 1
    elif name in ALLOWED and len(got) == len(expected):
        print(f"{name:<28} differs: {ALLOWED[name]}")
    else:
        wrong += 1
        print(f"{name}: {len(expected)} packets of the kernel, {len(got)} of the router")
        for one, other in zip(expected, got):
            ours, theirs = show(other), show(one)
            for field, other_field in zip(theirs, ours):
                if field != other_field:
                    print(f"    kernel {field}\n    router {other_field}")
        for answer in expected[len(got):]:
            print("    kernel alone", show(answer))
        for answer in got[len(expected):]:
            print("    router alone", show(answer))
print(f"{same} of {len(kernel)} probes have the kernel's answer, byte for byte but for identifications and checksums")
sys.exit(wrong != 0)
