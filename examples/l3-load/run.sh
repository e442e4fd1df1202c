#!/usr/bin/env bash
# Records the packets, and counts flows. Needs the module: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed "s|device = \"net_null0\"|device = \"net_pcap0,tx_pcap=$work/out.pcap\"|; s|\.\./\.\./target/modules|$(realpath ../../target/modules)|" l3-load.toml > "$work/l3-load.toml"
"$perigee" run "$work/l3-load.toml" --duration 5s
good='ip.checksum.status == 1 and udp.checksum.status != 0 and udp.dstport == 42 and frame.len == 120'
show() { tshark -r "$work/out.pcap" -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -Y "$good" -T fields "$@" 2>/dev/null; }
packets=$(show -e ip.src | wc -l) clients=$(show -e ip.src | sort -u | wc -l)
flows=$(show -e ip.src -e udp.srcport | sort -u | wc -l) servers=$(show -e ip.dst | sort -u | wc -l)
echo "$packets packets of $clients clients with $flows ports to $servers servers"
[ "$packets $clients $flows $servers" = "10000 250 1000 100" ]
