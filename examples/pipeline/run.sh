#!/usr/bin/env bash
# Two seconds of the pipeline. Needs the module udp-gen: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec "${PERIGEE:-../../target/release/perigee}" run pipeline.toml --duration 2s
