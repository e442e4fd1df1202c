#!/usr/bin/env bash
# Runs the six frames of examples/pcap twice through rules and filters, and checks what came out where.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
"${PERIGEE:-../../target/release/perigee}" run filters.toml

# A pcap file is a header of 24 bytes, then for each frame 16 bytes with its times and lengths, then the frame.
frames() {
  local at=24 count=0 size length
  size=$(stat --format=%s "$1")
  while [ "$at" -lt "$size" ]; do
    length=$(od --address-radix=n --skip-bytes=$((at + 8)) --read-bytes=4 --format=u4 "$1")
    at=$((at + 16 + length))
    count=$((count + 1))
  done
  echo "$count"
}

# The SYN and the frame in VLAN 42 of the first queue; DNS of both queues.
[ "$(frames web.pcap)" = 2 ]
[ "$(frames names.pcap)" = 2 ]
echo "web.pcap and names.pcap hold two frames each"
