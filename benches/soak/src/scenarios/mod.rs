//! All scenarios, each in a file of its own.

mod loops;

use crate::Scenario;

/// In the order in which they run.
pub const ALL: &[Scenario] = &[loops::SCENARIO];

/// The scenario of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}
