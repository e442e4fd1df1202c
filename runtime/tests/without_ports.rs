//! The runtime's tests that need no port, and so take no turns.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod corpus;
mod fields;
mod theory;
mod trial;
