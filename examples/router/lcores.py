#!/usr/bin/env python3
"""Runs lcores.toml, replaces both modules meanwhile, and looks at what became of the packets: lcores.py PERIGEE FOLDER."""
import json, signal, subprocess, sys, time

perigee, folder = sys.argv[1:]
socket, report = f"{folder}/lcores.sock", f"{folder}/lcores.json"
run = subprocess.Popen([perigee, "run", "lcores.toml", "--control", socket, "--quiet", "--json", report, "--duration", "5min"],
                       stdout=open(f"{folder}/lcores", "w"), stderr=subprocess.STDOUT)


def ctl(*words, patience=20.0):
    """What the run answers; it is asked again until it has started."""
    end = time.monotonic() + patience
    while True:
        answer = subprocess.run([perigee, "ctl", "--socket", socket, *words], capture_output=True, text=True)
        if answer.returncode == 0:
            return answer.stdout
        if time.monotonic() > end or run.poll() is not None:
            run.kill()
            sys.exit(f"ctl {' '.join(words)}: {answer.stderr}\n{open(f'{folder}/lcores').read()}")
        time.sleep(0.05)


def dropped():
    """Packets that were dropped, by cause: but for those that hosts drop, which are for them, and for answers to the slow one."""
    chains = json.loads(ctl("stats", "--json"))["chains"]
    causes = {}
    for chain in chains:
        for cause, count in chain["dropped"].items():
            if not chain["name"].startswith("host") and (chain["name"], cause) != ("slow", "verdict"):
                causes[cause] = causes.get(cause, 0) + count
    return causes


# In the first second neighbours are found, and fast instances are told the tables.
ctl("stats")
time.sleep(2)
before = dropped()
ctl("message", "slow", "route add 203.0.113.0/24 via 10.77.1.9")
swaps = []
for module in ("fast", "slow", "fast"):
    time.sleep(0.4)
    swaps.append(json.loads(ctl("swap", module, "../../target/modules/router.wasm", "--json")))
time.sleep(0.2)
after = dropped()
reached = ctl("message", "fast", "version?").split("\n")
expected = ctl("message", "slow", "version?").strip()
run.send_signal(signal.SIGINT)
if run.wait(60):
    sys.exit(open(f"{folder}/lcores").read())
told = json.loads(open(report).read())
modules = {}
for module in told["modules"]:
    modules.setdefault(module["name"], []).append(module)
fast = [module["counters"] for module in modules["fast"]]
slow = modules["slow"][0]
accounting = told["accounting"]
lost = {cause: count - before.get(cause, 0) for cause, count in after.items() if count != before.get(cause, 0)}
rows = [
    ("forwarded by the two fast instances since the swap", " and ".join(str(counts["forwarded4"]) for counts in fast)),
    ("handed to the slow one by them", " and ".join(str(counts["to_slow"] + counts["to_slow_behind"]) for counts in fast)),
    ("told by the slow one, and heard", f"{slow['told']}, {' and '.join(str(module['heard']) for module in modules['fast'])}"),
    ("lost in three swaps", sum(swap["lost"] for swap in swaps)),
    ("dropped meanwhile", lost or "nothing"),
    ("accounting", "balanced" if accounting["balanced"] else "not balanced"),
]
for what, value in rows:
    print(f"{what:<52} {value}")
assert all(counts["forwarded4"] > 1_000 for counts in fast), "each direction goes by its lcore"
assert all(counts["no_route"] + counts["unresolved"] + counts["queue_full"] == 0 for counts in fast + [slow["counters"]])
assert all(module["hear_refused"] == 0 for module in modules["fast"])
assert not any(swap["lost"] for swap in swaps) and accounting["balanced"] and not lost, (swaps, accounting)
assert [line for line in reached if "change" in line and expected in line], (reached, expected)
