#!/usr/bin/env bash
# Builds build/@NAME@.wasm.
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./tools.sh

mkdir -p build
GOOS=wasip1 GOARCH=wasm "$go" build -trimpath -buildvcs=false -buildmode=c-shared -ldflags="-s -w" \
  -o build/@NAME@.wasm .
echo "built build/@NAME@.wasm"
