//! The header's bits do not make whole bytes.
use perigee_guest::wire::header;

/// A header.
#[header(name = "Odd", source = "here")]
pub struct Odd {
    /// Seven bits.
    #[bits(7)]
    seven: u8,
    /// Eight bits.
    eight: u8,
}

fn main() {}
