#!/usr/bin/env bash
# Builds the module and tests it.
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./tools.sh
./build.sh

# Natively, with perigee_guest::testing::Host in the host's place: src/tests.rs.
"$cargo" test --quiet --lib
