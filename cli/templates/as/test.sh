#!/usr/bin/env bash
# Builds the module and tests it.
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./tools.sh
./build.sh
