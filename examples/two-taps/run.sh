#!/usr/bin/env bash
# Latency and loss of a simulated device by what is seen in front of it and behind it; checks them against what the cables say that they did.
# Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$perigee" sim two-taps.toml --json "$work/told.json"
python3 - "$work/told.json" << 'PYTHON'
import json, sys

summary = json.load(open(sys.argv[1]))["summary"]
wire = summary["ports"][2]["wire"]
for path in summary["paths"]:
    packets, latency = path["packets"], path["latency"]
    assert packets["first"] == packets["in_time"] + packets["lost"], packets
    assert packets["lost"] == wire["lost"] and packets["twice"] == wire["duplicated"], (packets, wire)
    print(f"path {path['name']}: {packets['lost']} of {packets['first']} lost, min {latency['min_ns']} ns, max {latency['max_ns']} ns")
device, all_the_way = summary["paths"]
# The second cable: 3 us, and 152 bytes (with preamble, check sequence and gap) at 10 Gbit/s. The first: 1 us, and as many.
line = 122
assert device["latency"]["min_ns"] - (3_000 + line) in (-1, 0), device["latency"]
assert all_the_way["latency"]["min_ns"] - (4_000 + 2 * line) in (-1, 0, 1), all_the_way["latency"]
PYTHON
