#!/usr/bin/env bash
# Simulates the link, and compares its figures with those that were asked for. Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run() { "$perigee" sim "$1" --json "$2" > "$work/told" || { cat "$work/told"; exit 1; }; }
run link-emulator.toml "$work/fast.json"
sed "s|rate = \"20M\"|rate = \"5M\"|; s|\.\./\.\./target/modules|$(realpath ../../target/modules)|" link-emulator.toml > "$work/slow.toml"
run "$work/slow.toml" "$work/slow.json"
python3 - "$work" <<'PYTHON'
import json, sys
from math import sqrt

def counters(name):
    summary = json.load(open(f"{sys.argv[1]}/{name}.json"))["summary"]
    assert summary["accounting"]["balanced"]
    return {module["name"]: module["counters"] for module in summary["modules"]}

def compare(what, got, asked, tolerance):
    print(f"{what:<34} {got:>12,.4f}   asked for {asked:>12,.4f}   within {tolerance:,.4f}")
    assert abs(got - asked) <= tolerance, what

def part(what, count, of, asked, spread=1.0):
    # Five standard deviations; losses in bursts spread further than single ones.
    compare(what, count / of, asked, 5 * spread * sqrt(asked * (1 - asked) / of))

link = counters("fast")["link"]
sent, arrived = link["packets"], link["packets"] - link["lost"]
assert sent == 100_000 and link["hold_full"] == link["queue_full"] == link["not_duplicated"] == 0
# Variance of the loss of a line by Gilbert and Elliott, against that of single losses: (2 - p - r) / (p + r).
part("lost, in bursts", link["lost"], sent, 0.01 / 0.21, sqrt((2 - 0.21) / 0.21))
part("came twice", link["duplicated"], arrived, 0.02)
part("with a bit turned over", link["corrupted"], arrived, 0.005)
part("overtaken", link["reordered"], arrived, 0.01)
compare("late by a call, ns in the mean", link["late_ns"] / link["passed"], 5_000, 5_000)

slow = counters("slow")["link"]
# 84 bytes on the wire at 5 Mbit/s, for the 10 s of the load, and those that wait in the queue then.
compare("packets that 5 Mbit/s let through", slow["packets"] - slow["queue_full"], 10 * 5e6 / 672 + 100, 100)
PYTHON
