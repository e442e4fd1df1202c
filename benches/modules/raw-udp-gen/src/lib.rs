//! What `modules/udp-gen` does in three of its modes, written against the ABI with raw pointers and without the guest SDK:
//! what the benchmark measures the SDK's cost against. It is compiled with the same flags, and kept as fast as we can make
//! it, for a slow one would flatter the SDK.
//!
//! For the host there is nothing to compile: the addresses are those of a WebAssembly memory.
#![cfg_attr(target_arch = "wasm32", no_std)]

#[cfg(target_arch = "wasm32")]
mod generator;
