//! Of what broke a simulation, the least that still does.

use anyhow::Result;
use perigee_runtime::sim::{Outcome, Simulator};

/// Leaves out one event after the other, and those together that happen together, where what is left still breaks the same seed. `None`
/// where all are needed.
pub(super) fn shrink(simulator: &Simulator, broken: &Outcome) -> Result<Option<Vec<usize>>> {
    let happened = |number: &usize| broken.happened.iter().any(|(_, other, _)| other == number);
    let mut needed = simulator.groups();
    needed.retain(|group| group.iter().any(happened));
    let all = needed.len();
    let mut index = 0;
    while index < needed.len() {
        let mut without = needed.clone();
        without.remove(index);
        if simulator.simulate(broken.seed, Some(&without.concat()), None)?.broken.is_empty() {
            index += 1;
        } else {
            needed = without;
        }
    }
    let mut numbers = needed.concat();
    numbers.sort_unstable();
    Ok((needed.len() < all).then_some(numbers))
}
