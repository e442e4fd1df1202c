#!/usr/bin/env bash
# Simulates the same thing with several seeds, runs it once with a burst, and draws what came: two pictures in target/results, or in the folder that is named. docs/ has those that
#   examples/results/run.sh docs
# has made. Needs the modules: ./x build-modules
set -euo pipefail
into=$(realpath -m "${1:-"$(dirname "${BASH_SOURCE[0]}")/../../target/results"}")
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee=$(realpath "${PERIGEE:-../../target/release/perigee}")
modules=$(realpath ../../target/modules)
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
mkdir -p "$into"

at() { sed -e "s/RATE/$1/" -e "s|MODULES|$modules|" "${@:2}"; }

# Five seeds at half of what the link carries, five at nine tenths of it, in virtual time: the same on any machine.
at "22 kpps" link.toml > "$results/half.toml"
at "40 kpps" link.toml > "$results/most.toml"
for seed in 1 2 3 4 5; do
  for load in half most; do
    "$perigee" sim "$results/$load.toml" --seed "$seed" --json "$results/$load-$seed.json" > "$results/said"
  done
done
group() { local files=("$results/$1"-*.json); (IFS=,; echo "${files[*]}"); }
"$perigee" plot --group "half of the link=$(group half)" --group "nine tenths=$(group most)" -o "$into/results-spread.svg"

# One run in real time, with a burst in the middle, whose latencies are written ten times a second.
at "15 kpps" link.toml burst.toml > "$results/burst.toml"
"$perigee" run "$results/burst.toml" --quiet --hdr-log "$results/burst.hlog" --json-lines "$results/burst.jsonl" --every 100ms
"$perigee" plot "$results/burst.hlog" --what percentiles-over-time -o "$into/results-over-time.svg"
"$perigee" plot "$results/burst.jsonl" --what rate-over-time -o "$results/rate.png"

python3 - "$results" << 'END'
import glob, json, sys
for load in ("half", "most"):
    medians = []
    for name in sorted(glob.glob(f"{sys.argv[1]}/{load}-*.json")):
        result = json.load(open(name))["summary"]
        assert result["accounting"]["balanced"] and all(pool["full"] for pool in result["pools"]), name
        medians += [one["value"]["ns"] for one in result["measured"][0]["latency"]["percentiles"] if one["name"] == "p50"]
    print(f"{load}: p50 of five seeds {', '.join(f'{ns / 1000:.0f}' for ns in medians)} us")
END
echo "drawn: $into/results-spread.svg, $into/results-over-time.svg"
