#!/usr/bin/env python3
"""The table at the end, and whether all is as it should be: report.py FOLDER MILLISECONDS."""
import json, sys

folder = sys.argv[1]
read = lambda name: open(f"{folder}/{name}").read()
run = json.loads(read("run.json"))
counters = next(module["counters"] for module in run["modules"] if module["name"] == "router")


def lost(name):
    """Datagrams that were sent, and those of them that were lost on the way: not in the receiver's socket."""
    told = json.loads(read(f"{name}.json"))["end"]["sum"]
    return told["packets"], max(0, told["lost_packets"] - int(read(f"{name}.overflows")))


tcp = json.loads(read("tcp.json"))["end"]["sum_received"]["bits_per_second"]
routes = json.loads(read("routes.log"))
before, after = (read(name).splitlines() for name in ("neighbours", "neighbours-after"))
known = lambda lines: {line.split()[0] for line in lines[1:] if " lladdr " in line and "incomplete" not in line}
rows = [
    ("probes answered as by the kernel", read("compared").splitlines()[-1].split(" probes")[0]),
    ("a neighbour with another MAC address is found after", f"{sys.argv[2]} ms"),
    ("TCP through it", f"{tcp / 1e6:.0f} Mbit/s"),
    ("neighbours, before and after the swap", f"{len(known(before))} and {len(known(after))}"),
    ("datagrams lost in a swap", f"{lost('swap')[1]} of {lost('swap')[0]}"),
    ("datagrams lost while routes came", f"{lost('routes')[1]} of {lost('routes')[0]}"),
    ("routes by messages", f"{routes['routes']} in {routes['seconds']:.2f} s"),
    ("look-ups that were right", f"{routes['looked']} of {routes['looked']}"),
    ("packets forwarded since the swap", f"{counters['forwarded4'] + counters['forwarded6']}"),
    ("accounting", "balanced" if run["accounting"]["balanced"] else "not balanced"),
]
for what, value in rows:
    print(f"{what:<52} {value}")
if lost("swap")[1] or lost("routes")[1]:
    print(read("swap"), counters, run["ports"], run["accounting"], sep="\n")
    sys.exit("datagrams were lost")
assert known(before) <= known(after) and len(known(before)) >= 120, "neighbours were lost in the swap"
assert run["accounting"]["balanced"]
