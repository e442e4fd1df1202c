//! libfuzzer's way into [`perigee_fuzz::provenance::policy`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| perigee_fuzz::provenance::policy(bytes));
