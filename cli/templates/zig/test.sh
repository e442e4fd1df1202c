#!/usr/bin/env bash
# Builds the module and tests it.
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./tools.sh
./build.sh

# Natively, with test.zig in the host's place.
"${zig[@]}" test "${cache[@]}" --dep perigee -Mroot=module.zig -Mperigee=perigee/perigee.zig
