//! What must not compile, and what the compiler says of it: the sentence that who writes a module will read.
//!
//! The messages in tests/ui/*.stderr belong to one compiler, that of rust-toolchain.toml. `./x bless` writes them anew.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::process::Command;

/// The compiler of the messages.
const VERSION: &str = "1.95.0";

#[test]
fn mistakes_are_found_when_compiling() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    if version.split(' ').nth(1) != Some(VERSION) {
        println!("skipped: messages are those of rustc {VERSION}, this is {}", version.trim());
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
