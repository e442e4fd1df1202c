#!/usr/bin/env bash
# Records the packets, and counts them by size. Needs the module: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed "s|device = \"net_null0\"|device = \"net_pcap0,tx_pcap=$work/out.pcap\"|; s|\.\./\.\./target/modules|$(realpath ../../target/modules)|" imix.toml > "$work/imix.toml"
"$perigee" run "$work/imix.toml" --duration 5s
sizes=$(tshark -r "$work/out.pcap" -T fields -e frame.len 2>/dev/null | sort -n | uniq -c | awk '{print $2 "=" $1}')
echo "packets by size: ${sizes//$'\n'/ }"
# Shares of 7, 4 and 1 in 12,000 packets, within four standard deviations.
awk -F= -v bad=0 '
  { want = $1 == 60 ? 7000 : $1 == 566 ? 4000 : $1 == 1514 ? 1000 : -1; if ($2 < want - 216 || $2 > want + 216) bad = 1; all += $2 }
  END { exit bad || all != 12000 }' <<< "$sizes"
echo "7 : 4 : 1, as asked"
