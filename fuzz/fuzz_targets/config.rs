//! libfuzzer's way into [`perigee_fuzz::config`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| perigee_fuzz::config::check(bytes));
