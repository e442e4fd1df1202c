#!/usr/bin/env bash
# Reads in.pcap, writes out.pcap, and checks that the frames are the same but for their swapped MAC addresses.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
"${PERIGEE:-../../target/release/perigee}" run pcap.toml

# The bytes of all frames, one frame to a line: a pcap file is a header of 24 bytes, then for each frame 16 bytes with
# its times and lengths, then the frame.
frames() {
  local at=24 size length
  size=$(stat --format=%s "$1")
  while [ "$at" -lt "$size" ]; do
    length=$(od --address-radix=n --skip-bytes=$((at + 8)) --read-bytes=4 --format=u4 "$1")
    od --address-radix=n --skip-bytes=$((at + 16)) --read-bytes=$((length)) --format=x1 --output-duplicates --width=65536 "$1"
    at=$((at + 16 + length))
  done
}

# Six bytes are 18 characters: " 02 00 00 00 00 01".
diff <(frames in.pcap | sed -E 's/^(.{18})(.{18})/\2\1/') <(frames out.pcap)
echo "out.pcap holds the frames of in.pcap with their MAC addresses swapped"
