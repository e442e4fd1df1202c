#!/usr/bin/env bash
# Profiles a module that has one slow function, and checks that the profile names it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee=$(realpath "${PERIGEE:-../../target/release/perigee}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$perigee" run profile.toml --duration 3s --profile "$work/profile" 2> "$work/log" | tee "$work/said" || { cat "$work/log"; exit 1; }

# The first row of the table is the lcore's, the chain's and module's, the share, and the function.
read -r _ place share _ _ _ function < <(grep -A 1 'chain/module' "$work/said" | tail -1)
if [ "$place" != work/slow ] || [ "$function" != checksum ] || [ "${share%.*}" -lt 50 ]; then
  echo "the profile does not say that checksum takes most: $place $share $function"
  exit 1
fi
grep -q 'lcore [0-9]*;chain work;module slow;process;forward;checksum ' "$work/profile/stacks.folded"
grep -q '<title>checksum (' "$work/profile/flame.svg"
grep -q 'slow: checksum$' "$work/profile"/perf-*.map
[ "$(stat -c %a "$work/profile")" = 700 ]
echo "checksum takes $share % of the lcore's time, as it should: found in the table, the stacks, the flame graph and the map for perf"
