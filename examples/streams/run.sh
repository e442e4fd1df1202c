#!/usr/bin/env bash
# Streams from a file: shown, written with their times, and sent; what is sent is what was shown. Needs the module:
# ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
module=$(realpath ../../target/modules/stream-gen.wasm)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$perigee" streams streams.toml --module "$module" --print --count 2
"$perigee" streams streams.toml --module "$module" --pcap "$work/told.pcap"
"$perigee" streams streams.toml --module "$module" --port "out=net_pcap0,tx_pcap=$work/sent.pcap" --control off

# The bytes of one stream's packets. They leave in the same order; between streams a busy machine may be late with one.
packets() { tshark -r "$1" -Y "$2" -x 2>/dev/null; }
for stream in vlan tcp dns; do
  diff <(packets "$work/told.pcap" "$stream") <(packets "$work/sent.pcap" "$stream")
  echo "$stream: $(tshark -r "$work/sent.pcap" -Y "$stream" 2>/dev/null | wc -l) packets, as they were told"
done
# 0: wrong.
sums=(-o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -o tcp.check_checksum:TRUE)
wrong='ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0'
[ "$(tshark -r "$work/sent.pcap" "${sums[@]}" -Y "$wrong" 2>/dev/null | wc -l)" = 0 ]
# Packet number n of the calls leaves n milliseconds after the first one.
times=$(tshark -r "$work/told.pcap" -Y vlan -T fields -e frame.time_epoch 2>/dev/null)
awk '{ if ($1 * 1000 - (NR - 1) > 1e-6 || (NR - 1) - $1 * 1000 > 1e-6) exit 1 }' <<< "$times"
echo "checksums are right, and the calls leave each millisecond"
