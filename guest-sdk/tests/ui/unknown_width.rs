//! A type of one's own, and nobody says how many bits it has.
use perigee_guest::wire::header;

/// What is done.
pub struct Action;

/// A header.
#[header(name = "Odd", source = "here")]
pub struct Odd {
    /// A field.
    action: Action,
}

fn main() {}
