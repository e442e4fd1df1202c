#!/usr/bin/env bash
# Builds the module and tests it.
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./tools.sh
./build.sh

# Natively, with test.c in the host's place. Without -no-pie the areas would lie at addresses that do not fit a descriptor's 32
# bits.
"$clang" -std=c11 -O1 -g -fno-builtin -no-pie -fno-pie -Wno-unknown-attributes -Wno-ignored-attributes -Iperigee \
  -o build/test test.c
build/test
