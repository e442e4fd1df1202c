#!/usr/bin/env python3
"""Compares the kernel's routes of a program with the router's of a feed: compare.py KERNEL ROUTER FEED COUNT.

KERNEL is what `ip -json route` has written, ROUTER what `perigee ctl routes --json` has."""
import json, sys

kernel, router, feed, count = json.load(open(sys.argv[1])), json.load(open(sys.argv[2])), sys.argv[3], int(sys.argv[4])


def prefix(text):
    return "0.0.0.0/0" if text == "default" else text if "/" in text else text + "/32"


def gateway(route):
    return route.get("gateway") or next((hop.get("gateway") for hop in route.get("nexthops", [])), None)


theirs = {prefix(route["dst"]): gateway(route) for route in kernel if gateway(route)}
ours = {route["prefix"]: route["ways"][0].get("via") for route in router["routes"] if route["feed"] == feed}
if theirs != ours or len(ours) != count:
    missing = [net for net in theirs if ours.get(net) != theirs[net]][:5]
    more = [net for net in ours if net not in theirs][:5]
    sys.exit(f"FAILED: {len(theirs)} routes of the kernel's, {len(ours)} of the router's; not the same: {missing}; too many: {more}")
