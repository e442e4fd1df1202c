//! Filters of chains, in libpcap's language: compiled by libpcap before the jail is entered, checked, and run by an
//! interpreter of our own.
//!
//! - `libpcap.rs`: the compiler.
//! - `program.rs`: what it makes, checked, and run.
//! - `reach.rs`: whether it could take any of many packets, of which only some numbers are known.

mod libpcap;
mod program;
mod reach;

#[cfg(test)]
pub(crate) mod tests;

pub use program::{Program, Raw, Width};
pub use reach::{Knowledge, Load, Question};
use std::sync::Arc;

/// Longest text of a filter, in bytes.
pub const LONGEST: usize = 8_192;

/// Compiles a filter. The text says what is wrong with it, in libpcap's words where it is libpcap that refuses.
pub fn compile(text: &str) -> Result<Arc<Program>, String> {
    Program::new(&instructions(text)?).map(Arc::new)
}

/// The instructions that libpcap makes of a filter, for a process that does not compile any itself. The text says what is wrong with it.
pub fn instructions(text: &str) -> Result<Vec<Raw>, String> {
    if text.len() > LONGEST {
        return Err(format!("it has {} bytes, and {LONGEST} are the most", text.len()));
    }
    Ok(libpcap::Compiled::new(text)?.instructions())
}
