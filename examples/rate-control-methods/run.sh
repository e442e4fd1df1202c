#!/usr/bin/env bash
# How the gaps of some patterns are distributed, all at the same mean rate: simulated, so nothing but the pattern is in them.
# Needs the module: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
for pattern in '"constant"' '"poisson"' '{ kind = "bursts", size = 10, gap = "1us" }' '{ kind = "pareto", shape = 2.5 }' \
  '{ kind = "on-off", on = "1ms", off = "3ms", fixed = true }'; do
  number=$((number + 1))
  sed "s|^pattern = .*|pattern = $pattern|; s|\.\./\.\./target/modules|$(realpath ../../target/modules)|" patterns.toml > "$work/$number.toml"
  "$perigee" sim "$work/$number.toml" --json "$work/$number.json" > "$work/told" || { cat "$work/told"; exit 1; }
done
python3 - "$work" << 'PYTHON'
import json, sys

names = ["constant", "poisson", "bursts of 10", "pareto 2.5", "on-off 1:3 ms"]
print(f"{'pattern':<14} {'packets':>8} {'mean ns':>10} {'p1':>9} {'p50':>9} {'p99':>10} {'longest':>12}")
for number, name in enumerate(names, 1):
    summary = json.load(open(f"{sys.argv[1]}/{number}.json"))["summary"]
    stream = summary["measured"][0]
    assert summary["accounting"]["balanced"] and stream["probes"]["lost"] == 0, name
    gaps = stream["departure_gaps"]["gaps"]
    at = {one["name"]: one["value"].get("ns", 0) for one in gaps["percentiles"]}
    print(f"{name:<14} {gaps['count']:>8} {gaps['mean_ns']:>10.1f} {at['p1']:>9} {at['p50']:>9} {at['p99']:>10} {gaps['max_ns']:>12}")
    # The mean is what was asked for: exactly, or within five standard deviations of what is random.
    within = {"constant": 0.0001, "poisson": 5 / gaps["count"] ** 0.5, "pareto 2.5": 0.05}.get(name, 0.01)
    assert abs(gaps["mean_ns"] / 10_000 - 1) < within, name
    if name == "poisson":
        # Of an exponential distribution the median is ln 2 of the mean, and 1 % lie above 4.605 times the mean.
        assert abs(at["p50"] / 6_931 - 1) < 0.03 and abs(at["p99"] / 46_052 - 1) < 0.05
PYTHON
