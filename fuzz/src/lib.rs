//! What must hold for whatever bytes somebody hands to Perigee: a configuration, a module, a capture.
//!
//! Each `check` panics where it does not hold. The targets in `fuzz_targets/` call it under libfuzzer, and
//! `runtime/tests/corpus.rs` calls it in `cargo test`. Packets are in `wire.rs`, which needs no runtime and is no part of this.
#![cfg(feature = "runtime")]

pub mod config;
pub mod control;
pub mod module;
pub mod pcap;
pub mod provenance;
pub mod routes;
