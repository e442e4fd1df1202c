#!/usr/bin/env python3
"""Loads routes into the router by messages, and looks some up: routes.py SOCKET COUNT."""
import ipaddress, json, random, socket, sys, time

path, count = sys.argv[1], int(sys.argv[2])


class Control:
    """HTTP on the run's socket, one request behind the other."""

    def __init__(self):
        self.link, self.rest = None, b""

    def ask(self, text):
        if self.link is None:
            self.link = socket.socket(socket.AF_UNIX)
            self.link.connect(path)
            self.rest = b""
        body = text.encode()
        head = f"POST /v1/modules/router/message HTTP/1.1\r\nHost: perigee\r\nContent-Length: {len(body)}\r\n\r\n"
        self.link.sendall(head.encode() + body)
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.read()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = head.decode().lower().split("\r\n")
        length = int(next(line.split(":")[1] for line in lines if line.startswith("content-length")))
        while len(self.rest) < length:
            self.rest += self.read()
        answer, self.rest = json.loads(self.rest[:length]), self.rest[length:]
        if "connection: close" in lines:
            self.link = None
        assert " 200" in lines[0], (lines[0], answer)
        return answer["answers"][0]["text"]

    def read(self):
        part = self.link.recv(65536)
        assert part, "the run has closed the connection"
        return part


random.seed(7)
hops = ["10.77.1.2", "10.77.2.2"]
routes = {}
while len(routes) < count:
    length = random.choice([24] * 6 + [23, 22, 20, 16, 28, 32])
    number = random.randrange(20 << 24, 120 << 24) >> (32 - length) << (32 - length)
    routes[(number, length)] = random.choice(hops)
lines = [f"route add {ipaddress.ip_address(number)}/{length} via {hop}" for (number, length), hop in routes.items()]
control = Control()
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
