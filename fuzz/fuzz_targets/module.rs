//! libfuzzer's way into [`perigee_fuzz::module`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| perigee_fuzz::module::check(bytes));
