//! Loading and unloading, again and again: memory, descriptors and mappings stay as they are.

use crate::hostile;
use crate::{Report, Scenario, Task};
use anyhow::{Context, Result, ensure};
use perigee_runtime::trial::{Packet, Setting, Subject, Trial};
use perigee_runtime::{Limits, Run, config::Config};
use std::path::Path;

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "cycles",
    about: "modules loaded, started, called and unloaded, each tenth in a run with ports: memory stays flat",
    unit: "cycles",
    quick: 1_000,
    full: 10_000,
    run,
};

/// Of so many cycles one is a whole run with ports.
const RUN_EACH: u64 = 10;
/// Samples in all. The first quarter is not compared: pools and caches fill.
const SAMPLES: u64 = 40;
/// What resident memory may grow by, over all that is compared. It is no multiple of what one cycle takes: an instance
/// that stayed would cost a megabyte.
const MOST_RSS_KB: i64 = 4_096;
/// What the number of mappings may grow by: the allocator's own come and go.
const MOST_MAPPINGS: i64 = 16;

/// What this process has.
#[derive(Clone, Copy, Debug)]
struct Sample {
    rss_kb: i64,
    descriptors: i64,
    mappings: i64,
    threads: i64,
}

fn run(task: &Task) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    let config = config(folder.path())?;
    let module = hostile::harmless_text();
    let each = (task.size / SAMPLES).max(1);
    let mut samples = Vec::new();
    for cycle in 0..task.size {
        if cycle % RUN_EACH == 0 { with_ports(&config, folder.path()) } else { alone(&module) }
            .with_context(|| format!("cycle {cycle}"))?;
        if cycle % each == 0 {
            samples.push(sample()?);
        }
    }
    let compared = &samples[samples.len() / 4..];
    let (first, last) = (compared.first().context("too few cycles")?, compared.last().context("too few cycles")?);
    println!("from {first:?} to {last:?}");
    let slope = slope(compared, each);
    let grown = |of: fn(&Sample) -> i64| of(last) - of(first);
    ensure!(grown(|s| s.descriptors) <= 0, "descriptors grew: {first:?}, {last:?}");
    ensure!(grown(|s| s.threads) <= 0, "threads grew: {first:?}, {last:?}");
    ensure!(grown(|s| s.mappings) <= MOST_MAPPINGS, "mappings grew: {first:?}, {last:?}");
    ensure!(grown(|s| s.rss_kb) <= MOST_RSS_KB, "memory grew: {first:?}, {last:?}");
    Ok(Report::new(task.size)
        .figure("runs", task.size.div_ceil(RUN_EACH))
        .figure("rss_kb", last.rss_kb)
        .figure("rss_grown_kb", grown(|s| s.rss_kb))
        .figure("rss_slope_bytes_per_cycle", slope)
        .figure("descriptors_grown", grown(|s| s.descriptors))
        .figure("mappings_grown", grown(|s| s.mappings))
        .figure("threads_grown", grown(|s| s.threads)))
}

/// Loads a module, starts it, gives it a batch and a tick.
fn alone(module: &str) -> Result<()> {
    let subject = Subject::from_bytes("cycle", module.as_bytes(), Limits::default())?;
    let mut trial = Trial::start(&subject, &Setting { rooms: 64, ..Setting::default() })?;
    let packet = Packet { bytes: vec![0; 60], ..Packet::default() };
    trial.process(&[packet.clone(), packet])?;
    trial.tick(true)?;
    Ok(())
}

/// A run with two ports and a module, which is stopped at once.
fn with_ports(config: &Config, base: &Path) -> Result<()> {
    let summary = Run::start(config, base)?.stop();
    ensure!(summary.accounting.balanced && summary.pools.iter().all(|pool| pool.full), "{:#?}", summary.accounting);
    Ok(())
}

fn config(folder: &Path) -> Result<Config> {
    std::fs::write(folder.join("m.wat"), hostile::harmless_text())?;
    let text = r#"
[[port]]
name = "in"
device = "net_null0"
pool = 511
[[port]]
name = "out"
device = "net_null1"
pool = 511
[[module]]
name = "m"
file = "m.wat"
[[chain]]
lcores = [0]
source = { port = "in" }
stages = ["m"]
tx = ["out"]
"#;
    Ok(Config::parse(text, "cycles.toml")?)
}

fn sample() -> Result<Sample> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("/proc/self/status has changed")?;
        line.split_whitespace().next().and_then(|n| n.parse::<i64>().ok()).context("/proc/self/status has changed")
    };
    let lines = std::fs::read_to_string("/proc/self/maps")?.lines().count();
    Ok(Sample {
        rss_kb: field("VmRSS:")?,
        descriptors: i64::try_from(std::fs::read_dir("/proc/self/fd")?.count())?,
        mappings: i64::try_from(lines)?,
        threads: field("Threads:")?,
    })
}

/// Bytes of resident memory that a cycle adds, by least squares.
#[allow(clippy::cast_precision_loss, reason = "a slope for people")]
fn slope(samples: &[Sample], each: u64) -> f64 {
    let n = samples.len() as f64;
    let mean_x = (n - 1.0) / 2.0;
    let mean_y = samples.iter().map(|s| s.rss_kb as f64).sum::<f64>() / n;
    let both = samples.iter().enumerate().map(|(x, s)| (x as f64 - mean_x) * (s.rss_kb as f64 - mean_y)).sum::<f64>();
    let square = samples.iter().enumerate().map(|(x, _)| (x as f64 - mean_x).powi(2)).sum::<f64>();
    (both / square * 1_024.0 / each as f64 * 10.0).round() / 10.0
}
