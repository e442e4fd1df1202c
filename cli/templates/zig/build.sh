#!/usr/bin/env bash
# Builds build/@NAME@.wasm.
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./tools.sh

mkdir -p build
# ReleaseSafe checks every access and traps with a log line. Vectors, because the host's compiler does not vectorise.
flags=(-target wasm32-freestanding -mcpu=generic+simd128 -O "${ZIG_MODE:-ReleaseFast}")
"${zig[@]}" build-exe "${cache[@]}" -fno-entry -rdynamic -fstrip -femit-bin=build/@NAME@.wasm \
  "${flags[@]}" --dep perigee -Mroot=module.zig "${flags[@]}" -Mperigee=perigee/perigee.zig
echo "built build/@NAME@.wasm"
