#!/usr/bin/env bash
# Finds the planted fault by its seed, and shows it again. Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
found=0
told="$("$perigee" sim sim.toml --seeds 1000)" || found=$?
echo "$told"
[ "$found" = 2 ] || { echo "nothing was found, or it did not start" >&2; exit 1; }
again="$(sed -n 's/^  perigee \(sim .*\)/\1/p' <<< "$told")"
echo "Again: perigee $again"
status=0
# shellcheck disable=SC2086
"$perigee" $again > again.txt || status=$?
digest() { sed -n 's/.*digest //p'; }
tail -n 4 again.txt
rm -f again.txt
[ "$status" = 2 ]
