#!/usr/bin/env bash
# Two seconds of connection requests into a port that forgets them. Needs the module: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec "${PERIGEE:-../../target/release/perigee}" run syn-load.toml
