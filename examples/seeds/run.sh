#!/usr/bin/env bash
# Router, translator, firewall, balancer and policer in virtual time, with observers at the ends of their wires: so many seeds each (50; SEEDS=1000).
# Then the same with a fault on purpose, which must be found. Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="$(realpath "${PERIGEE:-../../target/release/perigee}")"
seeds="${SEEDS:-50}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# Seeds of one configuration: nothing may break.
holds() {
    local begin=$SECONDS
    if ! "$perigee" sim "$1.toml" --seeds "$seeds" --log off > "$work/$1.out" 2>&1; then
        grep -v '^ *[0-9]*: ' "$work/$1.out" | tail -n 15 >&2
        return 1
    fi
    printf '%-18s %5s seeds, nothing broke, %4s s\n' "$1" "$seeds" "$((SECONDS - begin))"
}

# Two at a time: most machines have as many CPUs.
running=()
for name in router nat nat-forwards firewall firewall-rules balancer policer router-floods nat-floods firewall-floods balancer-floods; do
    holds "$name" &
    running+=($!)
    if [ "${#running[@]}" = 2 ]; then
        wait "${running[0]}"
        running=("${running[1]}")
    fi
done
for one in "${running[@]}"; do wait "$one"; done

./faults.py "$perigee"
