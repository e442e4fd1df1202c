#!/usr/bin/env bash
# Records the frames, and counts addresses. Needs the module: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed "s|device = \"net_null0\"|device = \"net_pcap0,tx_pcap=$work/out.pcap\"|; s|\.\./\.\./target/modules|$(realpath ../../target/modules)|" l2-load.toml > "$work/l2-load.toml"
"$perigee" run "$work/l2-load.toml" --duration 5s
distinct() { tshark -r "$work/out.pcap" -Y "eth.type == 0x88b5 and frame.len == 60" -T fields -e "$1" 2>/dev/null | sort -u | wc -l; }
frames=$(tshark -r "$work/out.pcap" -Y "eth.type == 0x88b5 and frame.len == 60" 2>/dev/null | wc -l)
sources=$(distinct eth.src) destinations=$(distinct eth.dst)
echo "$frames frames from $sources MAC addresses to $destinations"
[ "$frames $sources $destinations" = "10000 256 16" ]
