#!/usr/bin/env python3
"""Loads routes into the router by messages, and looks some up: routes.py SOCKET COUNT."""
import ipaddress, json, random, sys, time

from control import Control

path, count = sys.argv[1], int(sys.argv[2])

random.seed(7)
hops = ["10.77.1.2", "10.77.2.2"]
routes = {}
while len(routes) < count:
    length = random.choice([24] * 6 + [23, 22, 20, 16, 28, 32])
    number = random.randrange(20 << 24, 120 << 24) >> (32 - length) << (32 - length)
    routes[(number, length)] = random.choice(hops)
lines = [f"route add {ipaddress.ip_address(number)}/{length} via {hop}" for (number, length), hop in routes.items()]
control = Control(path, "router")
start = time.monotonic()
for batch, at in enumerate(range(0, count, 64), 1):
    part = lines[at:at + 64]
    told = control.ask(f"batch {batch}\n" + "\n".join(part))
    assert told.strip() == f"batch {batch}: {len(part)} changes", told
took = time.monotonic() - start


def longest(address):
    for length in range(32, -1, -1):
        hop = routes.get((address >> (32 - length) << (32 - length), length))
        if hop:
            return length, hop
    return None


looked = 0
for _ in range(300):
    address = random.randrange(20 << 24, 120 << 24)
    expected = longest(address)
    told = control.ask(f"route? {ipaddress.ip_address(address)}").strip()
    if expected is None:
        assert told.endswith("no route") or " 0.0.0.0/0 " in told, told
    else:
        assert f"/{expected[0]} via {expected[1]} " in told, (told, expected)
    looked += 1
total = control.ask("routes?").splitlines()[0]
print(json.dumps({"routes": count, "seconds": took, "looked": looked, "total": total}))
