#!/usr/bin/env bash
# Builds build/@NAME@.wasm.
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./tools.sh

mkdir -p build
# No garbage collector: what is made on the heap is never freed, so make things in `init` only. A failed assertion is logged.
"$asc" assembly/index.ts --runtime stub --enable simd -O3 --use abort=assembly/perigee/abort \
  --outFile build/@NAME@.wasm
echo "built build/@NAME@.wasm"
