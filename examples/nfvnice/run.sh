#!/usr/bin/env bash
# Simulates both configurations as they are and without what they show, and compares. Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Configurations that are changed lie elsewhere: their paths are made whole.
plain() { sed "/^$2 = /d; s|\.\./\.\./target/modules|$(realpath ../../target/modules)|; s|\"nf.wat\"|\"$PWD/nf.wat\"|" "$1.toml" > "$work/$1-plain.toml"; }
run() { "$perigee" sim "$1" --json "$work/$2.json" > "$work/told" || { cat "$work/told"; exit 1; }; }
plain chains backpressure
plain shares weight
run chains.toml chains
run "$work/chains-plain.toml" chains-plain
run shares.toml shares
run "$work/shares-plain.toml" shares-plain
python3 compare.py "$work"
