//! The hostile modules of the catalogue, again and again, in groups that differ each time.

use crate::hostile::{self, Hostile};
use crate::{Report, Scenario, Task};
use anyhow::{Context, Result};
use std::time::Duration;

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "hostile",
    about: "the catalogue of hostile modules, in groups that differ: neighbours lose nothing",
    unit: "rounds",
    quick: 3,
    full: 200,
    run,
};

/// Modules in one run.
const GROUP: usize = 16;

fn run(task: &Task) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    let modules = task.root.join("target/modules");
    let (refused, mut runs): (Vec<Hostile>, Vec<Hostile>) =
        hostile::catalogue().into_iter().partition(|hostile| hostile.refused.is_some());
    runs.extend(hostile::bulk::catalogue());
    let (mut done, mut faults, mut neighbour, mut longest) = (0_u64, 0, 0, Duration::ZERO);
    for round in 0..task.size {
        for hostile in &refused {
            hostile::refuse(folder.path(), &modules, hostile).with_context(|| hostile.name.clone())?;
            done += 1;
        }
        shuffle(&mut runs, task.seed ^ round);
        // What writes over other rooms of the domain would change what the others try.
        runs.sort_by_key(|hostile| hostile.scribbles);
        let first = runs.partition_point(|hostile| !hostile.scribbles);
        for group in runs[..first].chunks(GROUP).chain(runs[first..].chunks(GROUP)) {
            let outcome = hostile::run_group(folder.path(), &modules, group)?;
            done += group.len() as u64;
            faults += outcome.faults;
            neighbour += outcome.neighbour;
            longest = longest.max(outcome.taken);
        }
    }
    Ok(Report::new(task.size)
        .figure("modules", refused.len() + runs.len())
        .figure("instances", done)
        .figure("faults", faults)
        .figure("neighbour_packets", neighbour)
        .figure("neighbour_lost", 0)
        .figure("longest_group_ms", u64::try_from(longest.as_millis())?))
}

/// Fisher and Yates, with numbers of SplitMix64.
fn shuffle(modules: &mut [Hostile], seed: u64) {
    let mut state = seed;
    for i in (1..modules.len()).rev() {
        state = crate::generated::splitmix(state);
        modules.swap(i, usize::try_from(state % (i as u64 + 1)).unwrap_or(0));
    }
}
