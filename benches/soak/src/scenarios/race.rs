//! A second thread writes over the batch area while the host reads it: what was checked must be what is used.
#![allow(unsafe_code, reason = "writes into a batch area from another thread, which no module can")]

use crate::generated::splitmix;
use crate::hostile;
use crate::{Report, Scenario, Task};
use anyhow::{Result, ensure};
use perigee_runtime::bench::{Loop, Target};
use perigee_runtime::config::Config;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "race",
    about: "a second thread flips descriptors while the host reads them: every packet is accounted for",
    unit: "descriptors",
    quick: 10_000_000,
    full: 1_000_000_000,
    run,
};

const CONFIG: &str = r#"
[run]
burst = 64
[[port]]
name = "in"
device = "net_null0"
pool = 2047
[[ring]]
name = "r"
size = 64
[[module]]
name = "m"
file = "m.wat"
grants = { tx = ["in"], rings = ["r"], create = true, hold = 100, hold_age = "1ms", hostcalls = ["log", "counter", "time"] }
[[chain]]
name = "raced"
lcores = [0]
source = { port = "in" }
stages = ["m"]
tx = ["in"]
[[chain]]
name = "ring"
lcores = [0]
source = { ring = "r" }
tx = ["in"]
"#;

/// Words of the batch area that are worth flipping: the header's count of outputs, descriptors, spares, outputs.
const HEADER_COUNT: usize = 24 / 4;
const PACKETS: usize = 1_664 / 4;
const PACKET_WORDS: usize = 64 * 16;
const OUTPUTS: usize = 22_144 / 4;

fn run(task: &Task) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    // Lists each packet, so that in place and listed descriptors are both read.
    std::fs::write(folder.path().join("m.wat"), hostile::listing_text())?;
    let config = Config::parse(CONFIG, "race.toml")?;
    let mut on = Loop::start(&config, folder.path(), Target::Host)?;
    let area = on.batch_area(0) as usize;
    let (stop, flips) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut done = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| flip(area, task.seed, &stop, &flips));
        while done < task.size {
            done += on.poll(0) as u64;
            on.poll(1);
        }
        stop.store(true, Ordering::Relaxed);
    });
    let (accounting, pools) = on.finish();
    println!("{accounting:#?}");
    ensure!(accounting.balanced && accounting.held == 0, "packets are missing: {accounting:#?}");
    ensure!(pools.iter().all(|pool| pool.full), "pools are not full: {pools:#?}");
    let wrong: u64 = accounting.dropped.iter().filter(|(cause, _)| *cause != "verdict").map(|(_, n)| n).sum();
    ensure!(wrong > 0, "no flip has hit: {accounting:#?}");
    Ok(Report::new(done)
        .figure("flips", flips.load(Ordering::Relaxed))
        .figure("sent", accounting.sent)
        .figure("dropped", serde_json::to_value(&accounting.dropped)?))
}

/// Writes over words of the area until it is told to stop: nonsense, and values that are nearly right.
fn flip(area: usize, seed: u64, stop: &AtomicBool, flips: &AtomicU64) {
    let mut random = seed;
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..256 {
            random = splitmix(random);
            let pick = usize::try_from(random >> 40).unwrap_or(0);
            let word = match random % 16 {
                0 => HEADER_COUNT,
                1..=9 => PACKETS + pick % PACKET_WORDS,
                _ => OUTPUTS + pick % PACKET_WORDS,
            };
            let at = (area + 4 * word) as *mut u32;
            // SAFETY:
            // - the word lies in the batch area, which the loop keeps until this thread has ended (scope).
            // - it is aligned to 4; whoever else uses it reads and writes numbers that may be anything.
            let at = unsafe { AtomicU32::from_ptr(at) };
            #[allow(clippy::cast_possible_truncation, reason = "takes a random number apart")]
            match random >> 8 & 3 {
                0 => at.store(random as u32, Ordering::Relaxed),
                1 => at.store((random >> 16 & 7) as u32, Ordering::Relaxed),
                _ => drop(at.fetch_xor(1 << (random >> 16 & 31), Ordering::Relaxed)),
            }
        }
        flips.fetch_add(256, Ordering::Relaxed);
    }
}
