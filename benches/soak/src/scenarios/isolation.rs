//! Trust domains, over every border that packets cross: what lies in the rooms of one is never seen in the other.

use crate::{Report, Scenario, Task};
use anyhow::{Result, ensure};
use perigee_lab::canaries::scan;

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "isolation",
    about: "a domain's memory full of canaries, modules of another look at all they can reach: none is found",
    unit: "rooms",
    quick: 1_000_000,
    full: 100_000_000,
    run,
};

fn run(task: &Task) -> Result<Report> {
    // In its own domain the same module finds them: the search is one.
    let (found, _) = scan("own", 1);
    ensure!(found.iter().all(|canaries| *canaries > 0), "canaries are not found where they are: {found:?}");
    let own: u64 = found.iter().sum();
    let (found, rooms) = scan("other", task.size);
    ensure!(found == [0; 3], "canaries of another domain, by border: {found:?}");
    Ok(Report::new(rooms).figure("canaries_in_other_domain", 0).figure("canaries_in_own_domain", own))
}
