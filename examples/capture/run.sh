#!/usr/bin/env bash
# Captures what a running chain takes in, passes on, and drops, and shows why.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee=$(realpath "${PERIGEE:-../../target/release/perigee}")
folder=$(mktemp --directory)
trap 'kill "$run" 2> /dev/null || true; rm -rf "$folder"' EXIT

mkfifo "$folder/ready"
"$perigee" run capture.toml --quiet --control "$folder/socket" --ready-fd 3 3> "$folder/ready" &
run=$!
read -r < "$folder/ready"

"$perigee" capture --socket "$folder/socket" --at fwd:rx --at fwd:tx --at fwd:drops --duration 3s -w "$folder/fwd.pcapng"
"$perigee" ctl --socket "$folder/socket" stop

if command -v tshark > /dev/null; then
  echo "drops of the chain by cause and port:"
  tshark -r "$folder/fwd.pcapng" -Y 'frame.comment' -T fields -e frame.comment -e udp.dstport 2> /dev/null |
    sort | uniq --count | sort --reverse --numeric-sort
  # Each cause has its packets: the filter port 1000, the module odd ports, the slow port some of the even ones.
  tshark -r "$folder/fwd.pcapng" -T fields -e frame.comment 2> /dev/null > "$folder/comments"
  for cause in filtered verdict tx_full; do grep --quiet "dropped: $cause" "$folder/comments"; done
else
  echo "tshark is not here to show it"
fi
