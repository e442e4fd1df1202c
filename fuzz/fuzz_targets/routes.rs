//! libfuzzer's way into [`perigee_fuzz::routes`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| perigee_fuzz::routes::check(bytes));
