"""iperf3 through the policer: what the server gets of each of the client's addresses, against what was asked for.

real.py PERIGEE SOCKET MODULE CLIENT SERVER FOLDER
CLIENT and SERVER are network namespaces.
"""
import json
import subprocess
import sys
import time

perigee, control, module, client, server, folder = sys.argv[1:]
# iperf3 counts what UDP carries; the policer the IP packet, 28 bytes more.
PAYLOAD = 1000
SECONDS = 5
wrong = 0
print(f"{'in real time, by iperf3':<58} {'asked for':>14} {'got':>14} {'off by':>9}   allowed")


def within(space, *words, **more):
    return subprocess.Popen(["ip", "netns", "exec", space, *words], **more)


def ctl(*words):
    subprocess.run([perigee, "ctl", "--socket", control, *words], check=True, capture_output=True)


def start(address, port, load):
    """A server and a client for one of the client's addresses."""
    file = open(f"{folder}/iperf-{port}", "w+")
    ends = [within(server, "iperf3", "-s", "-1", "-p", str(port), "--json", stdout=file)]
    time.sleep(0.3)
    ends.append(within(client, "iperf3", "-c", "10.98.0.2", "-p", str(port), "-B", address, "-u", "-b", load, "-l", str(PAYLOAD),
                       "-t", str(SECONDS), stdout=subprocess.DEVNULL))
    return ends, file


def finish(what, started, asked, allowed=0.1):
    global wrong
    ends, file = started
    for end in ends[::-1]:
        end.wait(timeout=SECONDS + 10)
    file.seek(0)
    # Whole seconds in the middle: the first and the last have a beginning and an end in them.
    sums = [interval["sum"] for interval in json.load(file)["intervals"]][1:-1]
    length, got = sum(one["seconds"] for one in sums), sum(one["bytes"] for one in sums) * 8 * (PAYLOAD + 28) / PAYLOAD
    off = abs(got / length - asked) / asked * 100
    wrong += off > allowed
    print(f"{what:<58} {asked:>10,.0f} b/s {got / length:>10,.0f} b/s {off:>7.4f} % {allowed:>7.2f} %", flush=True)


started = [start("10.98.0.11", 5011, "10M"), start("10.98.0.12", 5012, "40M"), start("10.98.0.13", 5013, "20M")]
finish("shaped to 5 Mbit/s, beside the others", started[0], 5e6)
finish("shaped to 25 Mbit/s", started[1], 25e6)
# What a burst may bring, a fifth of a second's bytes, may be in these three seconds or before them.
finish("policed to 10 Mbit/s", started[2], 10e6, allowed=2)

ctl("message", "policer", "class slow shape=8M")
started = start("10.98.0.11", 5011, "12M")
time.sleep(SECONDS / 2)
ctl("swap", "policer", module)
finish("8 Mbit/s by a message, and the module swapped meanwhile", started, 8e6)
sys.exit(1 if wrong else 0)
