#!/usr/bin/env bash
# A run that remembers; what happened before a flow was seen, and the last half second; and what the run itself waits for.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee=${PERIGEE:-../../target/release/perigee}
folder=$(mktemp -d)
trap 'kill "${run:-}" 2>/dev/null || true; rm -rf "$folder" dumps' EXIT
export XDG_RUNTIME_DIR=$folder
mkfifo "$folder/ready"
"$perigee" run run.toml --quiet --ready-fd 3 3> "$folder/ready" & run=$!
read -r < "$folder/ready"

"$perigee" trigger lab --into "$folder" --filter 'udp src port 4242' --past 2s --future 500ms --count 2 --duration 6s
"$perigee" history lab --write "$folder/last.pcapng" --last 500ms
"$perigee" history
if command -v tcpdump > /dev/null; then
  tcpdump -nn -t -r "$folder/dump-00001.pcapng" 2> /dev/null
fi
"$perigee" ctl stop
wait "$run"
# What the run has dumped by itself, as its configuration says.
ls -l dumps
[ -s dumps/dump-00001.pcapng ]
