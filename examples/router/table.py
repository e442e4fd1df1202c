#!/usr/bin/env python3
"""Fills the table of lcores.toml's slow instance and changes it while packets flow: table.py PERIGEE FOLDER [ROUTES4 ROUTES6].

By default a million routes of IPv4 and 250,000 of IPv6, and 10,000 changes a second. What all instances together take for them, and what
is lost meanwhile."""
import ipaddress, json, os, random, signal, subprocess, sys, time

from control import Control, Refused

perigee, folder = sys.argv[1:3]
four, six = (int(number) for number in sys.argv[3:5]) if len(sys.argv) > 4 else (1_000_000, 250_000)
RATE, SECONDS, BATCH = 10_000, 5, 64
path, report = f"{folder}/table.sock", f"{folder}/table.json"
run = subprocess.Popen([perigee, "run", "lcores.toml", "--control", path, "--quiet", "--json", report, "--duration", "15min"],
                       stdout=open(f"{folder}/table", "w"), stderr=subprocess.STDOUT)


def ctl(*words, patience=20.0):
    """What the run answers; it is asked again until it has started."""
    end = time.monotonic() + patience
    while True:
        answer = subprocess.run([perigee, "ctl", "--socket", path, *words], capture_output=True, text=True)
        if answer.returncode == 0:
            return answer.stdout
        if time.monotonic() > end or run.poll() is not None:
            run.kill()
            sys.exit(f"ctl {' '.join(words)}: {answer.stderr}\n{open(f'{folder}/table').read()}")
        time.sleep(0.05)


def dropped():
    """Packets that were dropped, by cause: but for those that hosts drop, which are for them, and for answers to the slow one."""
    causes = {}
    for chain in json.loads(ctl("stats", "--json"))["chains"]:
        for cause, count in chain["dropped"].items():
            if not chain["name"].startswith("host") and (chain["name"], cause) != ("slow", "verdict"):
                causes[cause] = causes.get(cause, 0) + count
    return causes


def states():
    """Bytes of all state regions of the run, as they are used; and pages that readers have of their own."""
    kept = {}
    for number in os.listdir(f"/proc/{run.pid}/fd"):
        link = f"/proc/{run.pid}/fd/{number}"
        if "perigee-state" in os.readlink(link):
            found = os.stat(link)
            kept[found.st_ino] = found.st_blocks * 512
    own, here, is_private = 0, False, False
    for line in open(f"/proc/{run.pid}/smaps"):
        words = line.split()
        if "-" in words[0]:
            here, is_private = "perigee-state" in line, words[1].endswith("p")
        elif here and is_private and words[0] == "Anonymous:":
            own += int(words[1]) << 10
    return sum(kept.values()), own, len(kept)


def send(number, lines):
    """A batch; one that has to wait is sent again. How long the answer took, and how often it had to wait."""
    begin, waits = time.monotonic(), 0
    while True:
        try:
            told = control.ask(f"batch {number}\n" + "\n".join(lines)).strip()
            assert told == f"batch {number}: {len(lines)} changes", told
            return time.monotonic() - begin, waits
        except Refused as refused:
            assert "not now" in str(refused), refused
            waits += 1
            time.sleep(0.001)


random.seed(7)
hops = ["10.77.0.9", "10.77.1.9"]
routes = {}
while len(routes) < four:
    length = random.choice([24] * 6 + [23, 22, 20, 16, 28, 32])
    number = random.randrange(80 << 24, 220 << 24) >> (32 - length) << (32 - length)
    if number >> 24 != 127:
        routes[(number, length)] = random.choice(hops)
lines = [f"route add {ipaddress.ip_address(number)}/{length} via {hop}" for (number, length), hop in routes.items()]
others = set()
while len(others) < six:
    length = random.choice([48] * 4 + [32, 36, 40, 44, 64])
    others.add((0x2 << 124 | random.getrandbits(124) >> (128 - length) << (128 - length), length))
lines += [f"route add {ipaddress.IPv6Address(number)}/{length} dev 2" for number, length in sorted(others)]

ctl("stats")
time.sleep(2)
control = Control(path, "slow")
begin, batch = time.monotonic(), 0
for at in range(0, len(lines), BATCH):
    batch += 1
    send(batch, lines[at:at + BATCH])
filled = time.monotonic() - begin
total = control.ask("routes?").splitlines()[0]
used, own, regions = states()

# Changes at an even pace: the next hop of each is the other one, or it goes and comes.
before, took, waited, made = dropped(), [], 0, 0
begin, known = time.monotonic(), list(routes)
while made < RATE * SECONDS:
    part = []
    for net in random.sample(known, BATCH // 2):
        routes[net] = hops[routes[net] == hops[0]]
        prefix = f"{ipaddress.ip_address(net[0])}/{net[1]}"
        part += [f"route del {prefix}", f"route add {prefix} via {routes[net]}"]
    batch += 1
    time.sleep(max(0, begin + made / RATE - time.monotonic()))
    seconds, waits = send(batch, part)
    took.append(seconds)
    made, waited = made + len(part), waited + waits
rate = made / (time.monotonic() - begin)
after = dropped()

fast, looked = Control(path, "fast"), 0
for number, length in random.sample(known, 300):
    told = fast.ask(f"route? {ipaddress.ip_address(number)}").strip()
    hop = next(routes[net] for cut in range(32, -1, -1) if (net := (number >> (32 - cut) << (32 - cut), cut)) in routes)
    assert f" via {hop} " in told, (told, hop)
    looked += 1
run.send_signal(signal.SIGINT)
if run.wait(60):
    sys.exit(open(f"{folder}/table").read())
told = json.loads(open(report).read())
fasts = [module["counters"] for module in told["modules"] if module["name"] == "fast"]
lost = {cause: count - before.get(cause, 0) for cause, count in after.items() if count != before.get(cause, 0)}
took.sort()
rows = [
    ("routes", total),
    ("came in", f"{filled:.1f} s, by messages of {BATCH}"),
    ("state regions of one slow and two fast instances", f"{regions}, of which {used / 2**20:.1f} MiB are used"),
    ("pages that fast instances have of their own", own // 4096),
    ("changes while packets flow", f"{made}, {rate:.0f} in a second"),
    ("an answer to a message takes", f"{took[len(took) // 2] * 1e3:.2f} ms, the longest {took[-1] * 1e3:.1f} ms"),
    ("messages that had to wait", waited),
    ("look-ups of a fast instance that were right", f"{looked} of 300"),
    ("forwarded by the fast instances", " and ".join(str(counts["forwarded4"]) for counts in fasts)),
    ("dropped meanwhile", lost or "nothing"),
    ("accounting", "balanced" if told["accounting"]["balanced"] else "not balanced"),
]
for what, value in rows:
    print(f"{what:<52} {value}")
assert regions == 1 and own == 0 and used <= 128 << 20, (regions, own, used)
assert not lost and told["accounting"]["balanced"], lost
assert all(counts["forwarded4"] > 1_000 for counts in fasts)
