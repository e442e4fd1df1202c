#!/usr/bin/env bash
# Packets from a template, byte for byte those of the module's native test, with right checksums. Needs the module:
# ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed "s|FOLDER|$work|g; s|MODULES|$(realpath ../../target/modules)|" stream-gen.toml > "$work/stream-gen.toml"
"$perigee" run "$work/stream-gen.toml" --duration 3s
fields=(-e frame.len -e eth.dst -e ip.id -e ip.ttl -e ip.src -e ip.dst -e udp.srcport -e udp.dstport)
tshark -r "$work/out.pcap" -c 5 -T fields "${fields[@]}" 2>/dev/null
# 1: good.
sums=$(tshark -r "$work/out.pcap" -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -T fields -e ip.checksum.status \
    -e udp.checksum.status 2>/dev/null | sort | uniq -c)
echo "checksums of IPv4 and UDP, 1 is good: $sums"
[ "$(tr -s ' \t' ' ' <<< "$sums")" = " 2000 1 1" ]
# The packets' bytes without the file's headers and times, by the hash of the native test (FNV-1a with 64 bits).
hash=$(python3 - "$work/out.pcap" <<'PYTHON'
import struct, sys
data = open(sys.argv[1], "rb").read()
order, at, value = "<" if data[0] in (0xd4, 0x4d) else ">", 24, 0xcbf29ce484222325
while at < len(data):
    length = struct.unpack(order + "I", data[at + 8:at + 12])[0]
    for byte in data[at + 16:at + 16 + length]:
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    at += 16 + length
print(f"{value:016x}")
PYTHON
)
echo "hash of all bytes: $hash"
[ "$hash" = d5a7ae6894948cb1 ]
echo "the module in WebAssembly made what it makes natively"

# The same fields by machine code and by the interpreter.
for compile in true false; do
    sed "s|FOLDER|$work|g; s|MODULES|$(realpath ../../target/modules)|; s|^compile = .*|compile = $compile|" compiled.toml > "$work/compiled.toml"
    "$perigee" run "$work/compiled.toml" --duration 10s --log debug 2>&1 | grep -o 'its fields are .*'
    tshark -r "$work/out.pcap" -T fields -e frame.len -e eth.src -e ip.id -e ip.ttl -e ip.src -e ip.checksum -e udp.srcport \
        -e udp.dstport -e udp.checksum 2>/dev/null > "$work/$compile.txt"
done
[ "$(wc -l < "$work/true.txt")" = 20000 ]
cmp "$work/true.txt" "$work/false.txt"
echo "machine code made what the interpreter makes: 20000 packets"
