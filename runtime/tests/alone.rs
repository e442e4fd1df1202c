//! Tests on ports that measure time, or use up all of it: beside no others.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod time;
mod watchdog;
