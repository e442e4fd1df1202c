#!/usr/bin/env bash
# Builds the module and tests it.
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./tools.sh
./build.sh

# Natively: what is done to the bytes of a packet.
"$go" test .
