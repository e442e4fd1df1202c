//! Rates over four decades on a ring that gives back what it gets, with a second observer on another lcore: the mean rate is what was
//! asked for, or the run says that it missed it; and every probe is accounted for.

use crate::{Report, Scenario, Task};
use anyhow::{Context, Result, ensure};
use perigee_abi::verdict as v;
use perigee_lab::{each, module, verdict};
use perigee_runtime::config::Config;
use perigee_runtime::{FitStats, Run, Summary};
use std::path::Path;
use std::time::Duration;

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "pacing",
    about: "rates over four decades at three lengths, on a ring: the mean is kept or said to be missed, and no probe is lost",
    unit: "rates",
    quick: 5,
    full: 60,
    run,
};

/// Bytes of frames, without frame check sequence.
const SIZES: [u32; 3] = [60, 590, 1_514];
/// The mean may be off by so much.
const MOST_OFF: f64 = 0.001;
/// The lcore was taken away where a packet was so late; then the rate is measured again, so often at most.
const AWAY_NS: u64 = 1_000_000;
const TRIES: u32 = 3;
/// Long enough for a thousand packets of the lowest rate.
const EACH: Duration = Duration::from_secs(1);

fn run(task: &Task) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    let (mut disturbed, mut missed, mut worst) = (0_u64, 0_u64, 0.0_f64);
    let steps = task.size.div_ceil(SIZES.len() as u64).max(2);
    for number in 0..task.size {
        let size = SIZES[usize::try_from(number).unwrap_or(0) % SIZES.len()];
        // From 1 kpps to 10 Mpps, evenly on a logarithmic scale.
        #[allow(clippy::cast_precision_loss, reason = "a small number")]
        let part = (number / SIZES.len() as u64) as f64 / (steps - 1) as f64;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate")]
        let rate = 10_f64.powf(3.0 + 4.0 * part).round() as u64;
        let mut tries = 0;
        let summary = loop {
            let summary = one(folder.path(), number * u64::from(TRIES) + u64::from(tries), size, rate, "constant")?;
            tries += 1;
            let away = summary.snapshot.streams[0].late_worst_ns > AWAY_NS;
            if !away || tries == TRIES {
                disturbed += u64::from(away);
                break summary;
            }
        };
        let off = judge(&summary, rate).with_context(|| format!("{rate} pps of {size} bytes"))?;
        missed += u64::from(off.abs() > MOST_OFF);
        worst = if off.abs() > MOST_OFF { worst } else { worst.max(off.abs()) };
    }
    let worst = (worst * 1e6).round();
    let report =
        Report::new(task.size).figure("missed", missed).figure("disturbed", disturbed).figure("worst_ppm", worst);
    let poisson = poisson(folder.path(), task.size * u64::from(TRIES))?;
    Ok(report
        .figure("poisson_lambda", poisson.lambda.round())
        .figure("poisson_mean_ns", poisson.mean_ns.round())
        .figure("poisson_deviation_ns", poisson.deviation_ns.round())
        .figure("poisson_statistic_ppm", (poisson.statistic * 1e6).round())
        .figure("poisson_fits", u64::from(poisson.fits)))
}

/// A Poisson stream: whether gaps between its departures are distributed so. Real departures are those of a lcore that may be taken away,
/// so that they need not be; that they are judged is what must hold.
fn poisson(folder: &Path, number: u64) -> Result<FitStats> {
    let summary = one(folder, number, 60, 10_000, "poisson")?;
    let gaps = summary.snapshot.measured[0].departure_gaps.as_ref();
    gaps.and_then(|gaps| gaps.fit).context("a Poisson stream is not judged")
}

/// One second of a rate.
fn one(folder: &Path, number: u64, size: u32, rate: u64, pattern: &str) -> Result<Summary> {
    let body = format!("(i32.store16 offset=4 (local.get $d) (i32.const {size})) {}", verdict(v::NEXT));
    std::fs::write(folder.join("gen.wat"), module(&each("generate", &body)))?;
    let config = format!(
        "[run]\nidle = \"spin\"\n[[port]]\nname = \"ring\"\ndevice = \"net_ring{number}\"\n\
         [[module]]\nname = \"gen\"\nfile = \"gen.wat\"\n\
         [[chain]]\nname = \"generate\"\nsource = {{ module = \"gen\" }}\ntx = [\"ring\"]\n\
         [[chain]]\nname = \"observe\"\nsource = {{ port = \"ring\" }}\n\
         [[stream]]\nname = \"s\"\nchain = \"generate\"\nrate = \"{rate} pps\"\npattern = \"{pattern}\"\nprobes = {{ received_by = [\"observe\"] }}\n"
    );
    let run = Run::start(&Config::parse(&config, "pacing.toml")?, folder)?;
    std::thread::sleep(EACH);
    Ok(run.stop())
}

/// By how much the mean is off.
fn judge(summary: &Summary, rate: u64) -> Result<f64> {
    let (stream, measured) = (&summary.snapshot.streams[0], &summary.snapshot.measured[0]);
    ensure!(summary.accounting.balanced, "not balanced: {:?}", summary.accounting);
    ensure!(summary.pools.iter().all(|pool| pool.full), "a pool lacks packets: {:?}", summary.pools);
    let probes = measured.probes;
    ensure!(probes.is_balanced() && probes.outstanding == 0, "probes: {probes:?}");
    ensure!(probes.sent == stream.sent, "{} of {} packets were probes", probes.sent, stream.sent);
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let off = stream.sent as f64 * 1e9 / stream.ran_ns as f64 / rate as f64 - 1.0;
    // One packet more or less, and those that were on their way at the end.
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let grain = 2.0 / rate as f64 + 1e-4;
    ensure!(
        off.abs() <= MOST_OFF + grain || stream.missed.is_some(),
        "off by {off:.6}, and nobody says so: {stream:?}"
    );
    Ok(off)
}
