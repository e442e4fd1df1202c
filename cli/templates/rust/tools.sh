
cargo=$(tool CARGO cargo "rustup brings it (https://rustup.rs), or Debian's packages rustc-web, cargo-web, rust-web-src and lld")
