//! Simulations of a line on which everything happens that can be scripted: for each seed all must hold, and the same seed must
//! give the same again.

use crate::{Report, Scenario, Task};
use anyhow::{Context, Result, ensure};
use perigee_lab::simulated::{EVENTS, LINE, lay_modules};
use perigee_runtime::Options;
use perigee_runtime::config::Config;
use perigee_runtime::sim::Simulator;
use std::time::Instant;

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "seeds",
    about: "simulations with a swap, failures, a link that goes down, an empty pool: what must hold does, and seeds repeat",
    unit: "seeds",
    quick: 1_000,
    full: 50_000,
    run,
};

/// One seed in so many is simulated twice.
const TWICE_EACH: u64 = 50;

fn run(task: &Task) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    lay_modules(folder.path());
    let config = Config::parse(&(LINE.to_owned() + EVENTS), "seeds.toml")?;
    let simulator = Simulator::new(&config, folder.path(), &Options::default())?;
    let begin = Instant::now();
    let (mut packets, mut turns) = (0, 0);
    for number in 0..task.size {
        let seed = task.seed.wrapping_add(number);
        let outcome = simulator.simulate(seed, None, None).with_context(|| format!("seed {seed}"))?;
        ensure!(outcome.broken.is_empty(), "seed {seed}: {:?} after {:#?}", outcome.broken, outcome.happened);
        if number % TWICE_EACH == 0 {
            let again = simulator.simulate(seed, None, None)?;
            ensure!(again.digest == outcome.digest, "seed {seed} gave {} and {}", outcome.digest, again.digest);
        }
        packets += outcome.packets;
        turns += outcome.turns;
    }
    let seconds = begin.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let rate = (task.size as f64 / seconds).round();
    Ok(Report::new(task.size).figure("packets", packets).figure("turns", turns).figure("seeds_per_s", rate))
}
