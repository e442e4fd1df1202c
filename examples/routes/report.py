#!/usr/bin/env python3
"""The table at the end, and what must be true: report.py FOLDER COUNT FRR GONE BIRD CHANGED (milliseconds)."""
import json, sys

work, (count, frr, gone, bird, changed) = sys.argv[1], map(int, sys.argv[2:])


def last(name):
    return json.loads(open(f"{work}/{name}").read().strip().splitlines()[-1])


run, fpm, kernel = json.load(open(f"{work}/run.json")), last("fpm.log"), last("kernel.log")
counters = next(module["counters"] for module in run["modules"] if module["name"] == "router")
# What still lies in net_ring's own ring when the run stops was sent and never came.
chains = {chain["name"]: chain for chain in run["chains"]}
in_ring = chains["load"]["sent"] - chains["router"]["received"]
accounting = run["accounting"]
lost = chains["load"]["created"] - chains["load"]["sent"] + chains["router"]["received"] - counters["forwarded4"]
rows = [
    ("routes of FRR, by FPM", f"{count} in {frr / 1000:.1f} s, its BGP included"),
    ("withdrawn after FRR had gone", f"{gone / 1000:.1f} s"),
    ("routes of BIRD, through the kernel", f"{count} in {bird / 1000:.1f} s"),
    ("a third of them with another next hop", f"{changed / 1000:.1f} s, the comparison included"),
    ("changes, and batches", f"{fpm['changes'] + kernel['changes']}, {fpm['batches'] + kernel['batches']}"),
    ("news that the kernel lost, made up for", str(kernel["lost"])),
    ("refused by the router", str(fpm["refused"] + kernel["refused"])),
    ("packets forwarded meanwhile", str(counters["forwarded4"])),
    ("packets lost", str(lost)),
    ("packets in the ring at the stop", str(in_ring)),
    ("accounting", "balanced" if accounting["balanced"] else "NOT BALANCED"),
]
for name, value in rows:
    print(f"{name:40} {value}")
if lost or not 0 <= in_ring <= 1024 or not accounting["balanced"] or fpm["refused"] or kernel["refused"]:
    sys.exit("FAILED")
