#!/usr/bin/env bash
# A recorded conversation through the tunnel and back: what comes out must be what went in. Needs the module: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp ../pcap/in.pcap "$work/in.pcap"
sed "s|FOLDER|$work|g; s|MODULES|$(realpath ../../target/modules)|" wrap.toml > "$work/wrap.toml"
sed "s|FOLDER|$work|g; s|MODULES|$(realpath ../../target/modules)|" unwrap.toml > "$work/unwrap.toml"
"$perigee" run "$work/wrap.toml"
"$perigee" run "$work/unwrap.toml"
echo "in the tunnel:"
tshark -r "$work/wrapped.pcap" -c 3 2>/dev/null
# Times differ; the packets may not.
packets() { tshark -r "$1" -x 2>/dev/null; }
cmp <(packets "$work/in.pcap") <(packets "$work/out.pcap")
echo "what came out of the tunnel is what went in"
