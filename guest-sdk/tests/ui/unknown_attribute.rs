//! A field has an attribute that is none.
use perigee_guest::wire::header;

/// A header.
#[header(name = "Odd", source = "here")]
pub struct Odd {
    /// A field.
    #[width(7)]
    field: u8,
}

fn main() {}
