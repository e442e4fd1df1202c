#!/usr/bin/env bash
# Builds the program and runs it. Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# With --workspace cargo takes the dependencies as every other build has them; alone it might compile some of them anew.
"${CARGO:-cargo}" build --release --quiet --workspace --bin embed
exec "${CARGO_TARGET_DIR:-target}/release/embed" target/modules
