#!/usr/bin/env bash
# Records the packets, and checks what they are. Needs the module: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed "s|device = \"net_null0\"|device = \"net_pcap0,tx_pcap=$work/out.pcap\"|; s|\.\./\.\./target/modules|$(realpath ../../target/modules)|" tcp-syn.toml > "$work/tcp-syn.toml"
"$perigee" run "$work/tcp-syn.toml" --duration 5s
good='tcp.flags == 0x002 and tcp.dstport == 443 and tcp.checksum.status == 1'
count() { tshark -r "$work/out.pcap" -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -Y "$1" 2>/dev/null | wc -l; }
v4=$(count "ip and ip.checksum.status == 1 and $good") v6=$(count "ipv6 and $good")
echo "connection requests with right checksums: $v4 over IPv4, $v6 over IPv6"
[ $((v4 + v6)) = 10000 ] && [ "$v4" -gt 7300 ] && [ "$v4" -lt 7700 ]
