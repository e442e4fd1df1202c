//! What must hold for whatever bytes somebody hands to Perigee: a configuration, a module, a capture.
//!
//! Each `check` panics where it does not hold. The targets in `fuzz_targets/` call it under libfuzzer, and
//! `runtime/tests/corpus.rs` calls it in `cargo test`.
#![allow(unreachable_pub, reason = "a module of a test, too, where nothing is reached from outside")]

pub mod config;
pub mod module;
pub mod pcap;
