//! More bits than the type has.
use perigee_guest::wire::header;

/// A header.
#[header(name = "Odd", source = "here")]
pub struct Odd {
    /// A field.
    #[bits(9)]
    field: u8,
}

fn main() {}
