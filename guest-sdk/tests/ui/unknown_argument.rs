//! The header has an argument that is none.
use perigee_guest::wire::header;

/// A header.
#[header(name = "Odd", port = 7)]
pub struct Odd {
    /// A field.
    field: u8,
}

fn main() {}
