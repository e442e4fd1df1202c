//! libfuzzer's way into [`perigee_fuzz::pcap`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| perigee_fuzz::pcap::check(bytes));
