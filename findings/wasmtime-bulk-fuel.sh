#!/usr/bin/env bash
# Wasmtime's fuel: what a bulk operation costs has changed. In wasmtime 45.0.0 a memory.fill, memory.copy or table.fill costs the same
# however long it is, so fuel does not bound a guest's time; in 48.0.0 it costs a unit for each byte or element, and one that
# there is not fuel enough for writes nothing. memory.grow costs the same for any number of pages in both. A budget that was found by
# trying with one version is no budget for another. Perigee's simulations measure deadlines by fuel; their digests name the version,
# and a test holds that 60,000 bytes cost more than 50,000 units. Fails when the versions do otherwise.
#
# Installs the Python packages wasmtime 45.0.0 and 48.0.0, each in a virtual environment in a folder of its own. Needs
# python3-venv and PyPI.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > fuel.py <<'P'
import sys
from wasmtime import Config, Engine, Instance, Module, Store, WasmtimeError, Trap
config = Config()
config.consume_fuel = True
store = Store(Engine(config))
module = Module(store.engine, """(module (memory (export "m") 2) (table 70000 funcref)
  (func (export "fill") (param i32) (memory.fill (i32.const 0) (i32.const 7) (local.get 0)))
  (func (export "copy") (param i32) (memory.copy (i32.const 0) (i32.const 65536) (local.get 0)))
  (func (export "table") (param i32) (table.fill (i32.const 0) (ref.null func) (local.get 0)))
  (func (export "grow") (param i32) (drop (memory.grow (local.get 0)))))""")
store.set_fuel(1_000_000)
exports = Instance(store, module, []).exports(store)
def used(name, n):
    store.set_fuel(1_000_000)
    exports[name](store, n)
    return 1_000_000 - store.get_fuel()
more = {name: used(name, n) - used(name, 1) for name, n in (("fill", 60_000), ("copy", 60_000), ("table", 60_000), ("grow", 4))}
# The copy has left zeros.
store.set_fuel(1_000)
try:
    exports["fill"](store, 60_000)
    end = "done"
except (Trap, WasmtimeError):
    end = "ended"
written = sum(byte == 7 for byte in exports["m"].read(store, 0, 60_000))
print(f"60,000 instead of 1 cost {more}; with 1,000 units a fill of 60,000 bytes is {end}, {written} are written")
constant = dict.fromkeys(more, 0)
by_length = {"fill": 59_999, "copy": 59_999, "table": 59_999, "grow": 0}
expected = {"45.0.0": (constant, "done", 60_000), "48.0.0": (by_length, "ended", 0)}[sys.argv[1]]
sys.exit(0 if (more, end, written) == expected else f"wasmtime {sys.argv[1]} does otherwise than described")
P
for version in 45.0.0 48.0.0; do
  python3 -m venv "venv-$version"
  "venv-$version/bin/pip" install --quiet --disable-pip-version-check "wasmtime==$version"
  echo -n "wasmtime $version: "
  "venv-$version/bin/python" fuel.py "$version"
done
echo "as described"
