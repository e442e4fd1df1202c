#!/usr/bin/env bash
# A second of the module in plain text, between two ports that make packets of nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec "${PERIGEE:-../../target/release/perigee}" forward mac-swap.wat --port net_null0 --port net_null1 --duration 1s
