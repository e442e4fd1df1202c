"""The client: asks the balanced address, and looks at who answers while servers come and go.

check.py PERIGEE SOCKET MODULE
"""
import http.client
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

perigee, control, module = sys.argv[1:]
rows = []


def row(what, got, is_right):
    rows.append(is_right)
    print(f"{what:<68} {got:<24} {'ok' if is_right else 'WRONG'}", flush=True)


def ctl(*words):
    return subprocess.run([perigee, "ctl", "--socket", control, *words], check=True, capture_output=True, text=True).stdout


def message(text):
    return ctl("message", "balancer", text)


def counters():
    modules = json.loads(ctl("stats", "--json"))["modules"]
    return next(one["counters"] for one in modules if one["name"] == "balancer")


class Connection:
    """One that stays open."""

    def __init__(self, address="10.97.0.100", port=80):
        self.http = http.client.HTTPConnection(address, port, timeout=3)
        self.first = self.ask()

    def ask(self, body=None):
        self.http.request("POST" if body else "GET", "/", body)
        return self.http.getresponse().read().decode().strip()

    def stays(self):
        try:
            return self.ask() == self.first
        except (OSError, http.client.HTTPException):
            return False

    def close(self):
        self.http.close()


def curl():
    return subprocess.run(["curl", "-s", "--max-time", "3", "http://10.97.0.100/"], capture_output=True, text=True).stdout.strip()


def shares():
    with ThreadPoolExecutor(4) as threads:
        got = Counter(threads.map(lambda _: curl(), range(200)))
    # Four standard deviations: 24 for 50 of 200, 28 for 100.
    is_right = all(abs(got[name] - asked) <= spread for name, asked, spread in [("s1", 50, 24), ("s2", 50, 24), ("s3", 100, 28)])
    row("200 times curl; weights 1, 1, 2", " ".join(f"{name} {got[name]}" for name in sorted(got)), is_right)


def sticking():
    old = [Connection() for _ in range(60)]
    of = Counter(connection.first for connection in old)
    message("backend s2 drain")
    new = {Connection().first for _ in range(30)}
    stay = sum(connection.stays() for connection in old)
    row("s2 is drained: open connections that stay", f"{stay} of 60", stay == 60 and of["s2"] > 0)
    row("servers of 30 new ones", " ".join(sorted(new)), new == {"s1", "s3"})
    moved = json.loads(message("backend s2 down"))
    others = [connection for connection in old if connection.first != "s2"]
    stay = sum(connection.stays() for connection in others)
    row("s2 is down: open connections of the others that stay", f"{stay} of {len(others)}", stay == len(others))
    gone = sum(not connection.stays() for connection in old if connection.first == "s2")
    row("those of s2, which other servers do not know", f"{gone} of {of['s2']} reset", gone == of["s2"])
    new = {Connection().first for _ in range(30)}
    row("servers of 30 new ones", " ".join(sorted(new)), new == {"s1", "s3"} and moved["moved"] == 0)
    message("backend s2 up")
    stay = sum(connection.stays() for connection in others)
    new = {Connection().first for _ in range(30)}
    row("s2 is back: the others' that stay; servers of new ones", f"{stay} of {len(others)}; {' '.join(sorted(new))}",
        stay == len(others) and "s2" in new)
    for connection in old:
        connection.close()


def swap():
    # Where the hash would lead elsewhere than the table, only what is saved keeps connections.
    old = [Connection() for _ in range(40)]
    message("backend s1 drain")
    # A machine that gives the run no CPU for a fifth of a second makes the client send again, swap or not: then once more.
    for _ in range(3):
        asked, failures, again, told = swap_under_load(old)
        if not again:
            break
    row("three swaps under load: requests that failed", f"{len(failures)} of {asked}", not failures and asked > 100)
    row("segments that the client sent again", str(again), again == 0)
    health = {one["name"]: one["health"] for one in json.loads(message("backends?"))}
    row("what the last instance knows of s1", health["s1"], health["s1"] == "drain")
    message("backend s1 up")
    told = next(line for line in told.splitlines() if "longest pause" in line).strip()
    row(f"what the last swap says: {told.split(', ')[0]}", told.split(", ")[1], "packets lost 0" in told)
    for connection in old:
        connection.close()


def swap_under_load(old):
    """Requests, those that failed, segments that were sent again, and what the last swap says."""
    failures, asked, is_over = [], [0] * 4, threading.Event()

    def load(part):
        while not is_over.is_set():
            for connection in old[part::4]:
                asked[part] += 1
                if not connection.stays():
                    failures.append(connection.first)
            try:
                Connection().close()
            except OSError as error:
                failures.append(error)

    threads = [threading.Thread(target=load, args=(part,)) for part in range(4)]
    before = retransmitted()
    for thread in threads:
        thread.start()
    time.sleep(0.4)
    for _ in range(3):
        told = ctl("swap", "balancer", module)
        time.sleep(0.3)
    is_over.set()
    for thread in threads:
        thread.join()
    return sum(asked), failures, retransmitted() - before, told


def retransmitted():
    lines = open("/proc/net/snmp").read().splitlines()
    names, values = (line.split() for line in lines if line.startswith("Tcp:"))
    return int(dict(zip(names, values))["RetransSegs"])


def tunnels():
    ways = [("by MAC address, IPv6", "fd97::100", 80), ("IPv4 in IPv4", "10.97.0.101", 81), ("IPv6 in IPv4", "fd97::101", 81),
            ("IPv4 in GENEVE", "10.97.0.102", 82), ("IPv6 in GENEVE", "fd97::102", 82)]
    for what, address, port in ways:
        before = counters()["too_big.told"]
        got = Counter()
        for _ in range(6):
            connection = Connection(address, port)
            # Longer than one packet: in a tunnel it only comes through once the client was told what fits.
            got[connection.ask(bytes(30_000))] += connection.stays()
            connection.close()
        told = counters()["too_big.told"] - before
        row(f"6 uploads, {what}; times the client was told what fits", f"{sum(got.values())}; {told}",
            sum(got.values()) == 6 and (told > 0) == (port != 80))


shares()
sticking()
swap()
tunnels()
told = counters()
row("packets without a backend, malformed, without room", f"{told['no_backend']} {told['malformed']} {told['no_headroom']}",
    told["no_backend"] == told["malformed"] == told["no_headroom"] == 0)
sys.exit(0 if all(rows) else 1)
