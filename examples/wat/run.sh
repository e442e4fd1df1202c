#!/usr/bin/env bash
# A second of the module in plain text, on a port that makes packets of nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec "${PERIGEE:-../../target/release/perigee}" run wat.toml --duration 1s
