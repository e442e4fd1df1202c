//! libfuzzer's way into [`perigee_fuzz::control`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| perigee_fuzz::control::check(bytes));
