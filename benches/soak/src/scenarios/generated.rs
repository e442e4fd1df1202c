//! Generated modules, through loading, `init` and a thousand batches.

use crate::generated::{self, BATCHES};
use crate::{Report, Scenario, Task};
use anyhow::{Result, ensure};

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "generated",
    about: "modules that wasm-smith makes, 1,000 batches each: no panic, no signal",
    unit: "modules",
    quick: 5_000,
    full: 200_000,
    run,
};

fn run(task: &Task) -> Result<Report> {
    let tally = generated::try_all(task.size, task.seed, BATCHES)?;
    println!("{tally:#?}");
    ensure!(tally.generated == task.size, "only {} were made", tally.generated);
    // Else the figure would say little: most must have got as far as to their first batch.
    ensure!(tally.started * 2 > tally.generated, "of {} modules {} started", tally.generated, tally.started);
    Ok(Report::new(tally.generated)
        .figure("loaded", tally.loaded)
        .figure("started", tally.started)
        .figure("lived", tally.lived)
        .figure("batches", tally.batches)
        .figure("trespasses", tally.trespasses)
        .figure("ends", serde_json::to_value(&tally.ends)?)
        .figure("fates", serde_json::to_value(&tally.fates)?))
}
