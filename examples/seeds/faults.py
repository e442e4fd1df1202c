#!/usr/bin/env python3
"""Plants one fault after the other into a scenario, and sees that seeds find it: a check that never fails proves nothing.

A fault is a stage of the observer that spoils some packets behind the function ("fault"), or a function that was told something else
than the observers were."""
import concurrent.futures
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PERIGEE = sys.argv[1]
SEEDS = "3"

STAGE = """
[[module]]
name = "fault"
file = "../../target/modules/observer.wasm"
domain = "lab"
grants = {{ create = true, hold = 64, hostcalls = ["log", "counter"] }}
config = {{ mode = "fault", fault = {{ {} }} }}
"""


def spoil(watch, fault):
    """A stage before an observer, which spoils what the function had right."""
    return lambda text: text.replace(f'stages = ["{watch}"]', f'stages = ["fault", "{watch}"]') + STAGE.format(fault)


def told(old, new, which=0):
    """One of those who are told something is told something else."""
    def change(text):
        parts = text.split(old)
        assert len(parts) > which + 1, f"{old!r} is not there"
        return old.join(parts[: which + 1]) + new + old.join(parts[which + 1 :])
    return change


FAULTS = [
    # What has to hold behind each function.
    ("router", "a hop too many", spoil("watch-host", 'what = "ttl", every = 500'), "hops left"),
    ("router", "a wrong checksum", spoil("watch-load", 'what = "checksum", every = 500'), "checksum"),
    ("router", "a packet twice", spoil("watch-host", 'what = "double", every = 500'), "comes twice"),
    ("router", "a packet that is lost", spoil("watch-host", 'what = "lose", every = 500'), "missing"),
    ("router-floods", "another order", spoil("watch-host", 'what = "order", every = 20'), "comes after"),
    # The router.
    ("router", "another MAC address",
     spoil("watch-host", 'what = "mac", every = 500, mac = "02:00:00:00:00:77"'), "no next hop"),
    ("router", "an update that is not applied",
     told('message = { module = "router", text = "route replace 10.81.0.0/16 via 10.77.1.3" }',
          'message = { module = "router", text = "route? 10.81.0.1" }'), "no next hop"),
    ("router", "a black hole that is none", told('"10.83.0.0/16 blackhole"', '"10.83.0.0/16 via 10.77.1.3"'), "no next hop"),
    ("router", "a short prefix before a long one",
     told('text = "route add 10.82.1.0/24 via 10.77.1.3"', 'text = "route? 10.82.1.1"'), "no next hop"),
    ("router", "more errors than may be", told("icmp = { rate = 20, burst = 10 }", "icmp = { rate = 40, burst = 10 }"), "more errors"),
    # The translator.
    ("nat", "two inside behind one outside", spoil("watch-world", 'what = "port", every = 20, port = 1024'), "until"),
    ("nat", "an answer to another host",
     spoil("watch-hosts", 'what = "address", every = 500, address = "10.0.0.11"'), "comes to"),
    ("nat", "mappings that end too early", told("timers = { udp = 2,", "timers = { udp = 1,"), "until"),
    ("nat", "a filter that lets everybody in",
     told("timers = {", 'filtering = "endpoint-independent"\ntimers = {'), "not asked"),
    ("nat-forwards", "an echo with another number", spoil("watch-hosts", 'what = "port", every = 300, port = 9'), "comes to"),
    ("nat-forwards", "a forward to another port", told(':53", inside = "10.0.0.13:5353"', ':53", inside = "10.0.0.13:5354"', 1), "goes to"),
    ("nat-forwards", "a hairpin that is not translated",
     told('inside = ["10.0.0.0/24"]\npools = ["198.51.100.2/32"]\nports', 'inside = ["10.0.0.10/31", "10.0.0.13/32"]\npools = ["198.51.100.2/32"]\nports'), "flows came"),
    ("nat-forwards", "parts that are not waited for", told("held = 64 }\n", "held = 0 }\n"), "missing"),
    # The firewall.
    ("firewall", "a port too many", told("dport = [53], action", "dport = [53, 69], action", 1), "no rule lets it"),
    ("firewall", "a prefix that is too short", told('src = "10.0.0.6/32"', 'src = "10.0.0.0/8"', 1), "no rule lets it"),
    ("firewall", "no memory of connections",
     told("stateful = true", "stateful = true\nloose = true\npolicy = \"accept\""), "passes"),
    ("firewall", "a rule that does not let pass", told("dport = [80, 443], action", "dport = [80], action", 1), "flows came"),
    ("firewall", "more rejects than may be", told("{ per_second = 20", "{ per_second = 60"), "more errors"),
    ("firewall-rules", "rules that are not applied",
     told('proto = "tcp", dport = [443], action = "drop"', 'proto = "tcp", dport = [443], action = "accept"'), "no rule lets it"),
    ("firewall-rules", "connections that outlive their rule", told('established = "rules"', 'established = "accept"', 2), "no rule lets it"),
    ("firewall-rules", "a rule that opens nothing", told('dport = [69], action = "accept"', 'dport = [69], action = "drop"', 1), "flows came"),
    # The policer.
    ("policer", "a rate that is too high", told('cir = "200k", cbs = 3000', 'cir = "220k", cbs = 3000'), "more passes"),
    ("policer", "a burst that is too long", told('cbs = 4000, ebs = 4000', 'cbs = 4000, ebs = 5000'), "more passes"),
    ("policer", "buckets that begin anew with each swap", told('policer.wasm" }\n\n', 'policer.wasm", fresh = true }\n\n', 1), "more passes"),
    ("policer", "a rate that stays as it was", told('text = "class one cir=200k"', 'text = "classes?"'), "more passes"),
    ("policer", "a shaper that is too slow", told('shape = "500k"', 'shape = "100k"'), "bytes came"),
    # The balancer.
    ("balancer", "another server", spoil("watch", 'what = "mac", every = 50, mac = "02:00:00:00:00:11"'), "goes to"),
    ("balancer", "none of the servers", spoil("watch", 'what = "mac", every = 50, mac = "02:00:00:00:00:77"'), "no server"),
    ("balancer", "a server that is down",
     told('message = { module = "balancer", text = "backend s1 down" }', 'message = { module = "balancer", text = "backends?" }'),
     "is down"),
    ("balancer", "a server that is drained",
     told('message = { module = "balancer", text = "backend s2 drain" }', 'message = { module = "balancer", text = "backends?" }'),
     "takes no new ones"),
    ("balancer", "flows that are forgotten", told("table_size = 251", "table_size = 251\nidle_s = { new = 2, udp = 2 }"), "goes to"),
    # Floods.
    ("router-floods", "a scan that takes all places",
     told("max = 64, unresolved = 32, reachable = 2", "max = 4, unresolved = 2, reachable = 2"), ""),
    ("balancer-floods", "connections that a flood pushes out",
     told("tcp = 1024, udp = 1024", "tcp = 8, udp = 8"), "goes to"),
    ("nat-floods", "connections that end while they open", told("sessions = 1024", "sessions = 96"), ""),
    ("firewall-floods", "a table that is too small", told("connections = 1024", "connections = 16"), ""),
]


def search(number, file, change, expected):
    """Runs seeds of the changed scenario until an observer says what is expected; what was said."""
    path = HERE / f".fault-{number}.toml"
    path.write_text(change((HERE / f"{file}.toml").read_text()))
    command = [PERIGEE, "sim", str(path), "--seeds", SEEDS, "--log", "error"]
    last = []
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
            for line in run.stdout:
                last = [*last[-9:], line]
                if "invariant: " in line and expected in line:
                    # The rest of the run would only look for the events that it takes.
                    run.kill()
                    return True, line.split("invariant: ")[1].strip()
        return False, "".join(last)
    finally:
        path.unlink()


def main():
    only = sys.argv[2:]
    faults = [fault for fault in FAULTS if not only or fault[0] in only]
    missed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        ran = [pool.submit(search, n, file, change, said) for n, (file, _, change, said) in enumerate(faults)]
        for (file, name, _, _), one in zip(faults, ran):
            found, said = one.result()
            missed += not found
            print(f"{file:16} {name:36} {'found' if found else 'NOT FOUND'}: {said[:150] if found else said}", flush=True)
    if missed:
        sys.exit(f"{missed} of {len(faults)} faults were not found")
    print(f"{len(faults)} faults on purpose, and all were found")


main()
