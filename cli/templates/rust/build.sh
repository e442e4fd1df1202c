#!/usr/bin/env bash
# Builds build/@NAME@.wasm.
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./tools.sh

target=wasm32-unknown-unknown
# These would take the place of the flags in .cargo/config.toml.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS

build=("$cargo" build --quiet --release --target "$target")
if ! [ -d "$("${RUSTC:-rustc}" --print target-libdir --target "$target")" ]; then
  # A compiler without the target's standard library. Debian has its source, which is then built with the module.
  [ -x /usr/bin/cargo ] && [ -d /usr/lib/rustlib/src/rust/library/std ] || die "Rust's standard library for $target is" \
    "missing: rustup target add $target; without rustup, Debian's packages rustc-web, cargo-web, rust-web-src and lld"
  linker=$(tool WASM_LD wasm-ld "Debian's package lld brings it")
  export RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$linker
  build=(/usr/bin/cargo build --quiet --release --target "$target" -Zbuild-std=std,panic_abort)
fi
"${build[@]}"
mkdir -p build
cp "${CARGO_TARGET_DIR:-target}/$target/release/@CRATE@.wasm" build/@NAME@.wasm
echo "built build/@NAME@.wasm"
