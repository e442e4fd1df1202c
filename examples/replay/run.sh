#!/usr/bin/env bash
# Plays in.pcap twice, and checks that out.pcap has its packets at its times. Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
"${PERIGEE:-../../target/release/perigee}" run replay.toml

# Microseconds from the first packet to each one: a pcap file is a header of 24 bytes, then for each frame 16 bytes with its times
# (here in nanoseconds) and lengths, then the frame.
times() {
  local at=24 size record first=""
  size=$(stat --format=%s "$1")
  while [ "$at" -lt "$size" ]; do
    read -ra record <<< "$(od --address-radix=n --skip-bytes="$at" --read-bytes=16 --format=u4 "$1")"
    local now=$((record[0] * 1000000 + record[1] / 1000))
    first=${first:-$now}
    echo $((now - first))
    at=$((at + 16 + record[2]))
  done
}

mapfile -t own < <(times in.pcap)
mapfile -t played < <(times out.pcap)
count=${#own[@]}
[ "${#played[@]}" = $((2 * count)) ] || { echo "out.pcap has ${#played[@]} packets, not $((2 * count))" >&2; exit 1; }
# The second round begins a mean gap behind the last packet of the first.
round=$((own[count - 1] + own[count - 1] / (count - 1)))
worst=0
for number in "${!played[@]}"; do
  off=$((played[number] - number / count * round - own[number % count]))
  [ "${off#-}" -gt "$worst" ] && worst=${off#-}
done
echo "Of ${#played[@]} packets the one that is farthest from its time is off by $worst us."
# Another process may have had the CPU meanwhile; a clock that is wrong is off by more.
[ "$worst" -lt 100000 ]
