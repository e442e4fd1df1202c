//! Of what broke a simulation, the least that still does.

use anyhow::Result;
use perigee_runtime::sim::{Outcome, Simulator};

/// Leaves out one event after the other, where what is left still breaks the same seed. `None` where all are needed.
pub(super) fn shrink(simulator: &Simulator, broken: &Outcome) -> Result<Option<Vec<usize>>> {
    let mut needed: Vec<usize> = broken.happened.iter().map(|(_, number, _)| *number).collect();
    needed.sort_unstable();
    needed.dedup();
    let all = needed.len();
    let mut index = 0;
    while index < needed.len() {
        let mut without = needed.clone();
        without.remove(index);
        if simulator.simulate(broken.seed, Some(&without), None)?.broken.is_empty() {
            index += 1;
        } else {
            needed = without;
        }
    }
    Ok((needed.len() < all).then_some(needed))
}
