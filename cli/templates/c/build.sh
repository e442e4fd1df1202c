#!/usr/bin/env bash
# Builds build/@NAME@.wasm.
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./tools.sh

linker=$(tool WASM_LD wasm-ld "Debian's package lld brings it")
"$clang" -print-targets | grep -qw wasm32 || die "$clang does not compile to WebAssembly; Debian's package clang does"

mkdir -p build
# No C library; vectors, because the host's compiler does not vectorise; a stack that overflows traps.
"$clang" --target=wasm32 -std=c11 -O3 -nostdlib -msimd128 -mbulk-memory -Wall -Wextra -Iperigee \
  "-fuse-ld=$linker" -Wl,--no-entry -Wl,--stack-first -Wl,--strip-all -o build/@NAME@.wasm module.c
echo "built build/@NAME@.wasm"
