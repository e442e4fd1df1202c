//! libfuzzer's way into what must hold for packets. By path: the library of this crate needs the runtime, this does not.
#![no_main]

#[path = "../src/wire.rs"]
mod wire;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wire::check(bytes));
