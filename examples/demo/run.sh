#!/usr/bin/env bash
# Two seconds of the demonstration; `./x demo` shows ten. Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec "${PERIGEE:-../../target/release/perigee}" run demo.toml --duration 2s
