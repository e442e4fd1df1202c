//! All scenarios, each in a file of its own.

mod cycles;
mod fuzz;
mod generated;
mod hostile;
mod isolation;
mod kill;
mod loops;
mod pacing;
mod parsers;
mod race;
mod replay;
mod see;
mod seeds;
mod swaps;
mod traps;
mod veth;

use crate::Scenario;

/// In the order in which they run.
pub const ALL: &[Scenario] = &[
    loops::SCENARIO,
    hostile::SCENARIO,
    generated::SCENARIO,
    traps::SCENARIO,
    pacing::SCENARIO,
    veth::SCENARIO,
    replay::SCENARIO,
    see::SCENARIO,
    seeds::SCENARIO,
    swaps::SCENARIO,
    isolation::SCENARIO,
    race::SCENARIO,
    fuzz::SCENARIO,
    parsers::SCENARIO,
    cycles::SCENARIO,
    kill::SCENARIO,
];

/// The scenario of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}
