//! Rates on an interface of the kernel's, from 1 kpps to half of what a veth pair takes: the mean is what was asked for, or what kept the
//! lcore from it is told.

use crate::namespace::Namespace;
use crate::{Report, Scenario, Task};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::Path;

/// See [`Scenario`].
pub(super) const SCENARIO: Scenario = Scenario {
    name: "veth",
    about: "rates from 1 kpps to half of what a veth pair takes, at three lengths: the mean is kept, or why not is told",
    unit: "rates",
    quick: 5,
    full: 60,
    run,
};

/// Bytes of frames, without frame check sequence.
const SIZES: [u64; 3] = [60, 590, 1_514];
/// The lowest rate, packets per second.
const LEAST: f64 = 1_000.0;
/// More than any pair takes.
const TOO_FAST: u64 = 20_000_000;
/// The mean may be off by so much.
const MOST_OFF: f64 = 0.001;

fn run(task: &Task) -> Result<Report> {
    let space = match Namespace::new() {
        Ok(space) => space,
        Err(error) => {
            println!("not run: {error:#}");
            return Ok(Report::new(0));
        }
    };
    let perigee = task.binary("perigee")?;
    let (mut disturbed, mut missed, mut worst) = (0_u64, 0_u64, 0.0_f64);
    let most: Vec<f64> = SIZES
        .iter()
        .map(|size| number(&point(&space, &perigee, *size, TOO_FAST)?, "got_pps"))
        .collect::<Result<_>>()?;
    let steps = task.size.div_ceil(SIZES.len() as u64).max(2);
    for step in 0..task.size {
        let which = usize::try_from(step).unwrap_or(0) % SIZES.len();
        // Evenly on a logarithmic scale.
        #[allow(clippy::cast_precision_loss, reason = "a small number")]
        let part = (step / SIZES.len() as u64) as f64 / (steps - 1) as f64;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate")]
        let rate = (LEAST * (most[which] / 2.0 / LEAST).powf(part)).round() as u64;
        let point = point(&space, &perigee, SIZES[which], rate)?;
        let (off, was_away) = (number(&point, "off")?, !point["disturbed"].is_null());
        // One packet more or less in a second.
        #[allow(clippy::cast_precision_loss, reason = "a rate")]
        let is_off = off.abs() > MOST_OFF + 2.0 / rate as f64;
        ensure!(
            !is_off || was_away,
            "{rate} pps of {} bytes: off by {off:.6}, and nobody says why: {point}",
            SIZES[which]
        );
        disturbed += u64::from(was_away);
        missed += u64::from(is_off);
        worst = if is_off { worst } else { worst.max(off.abs()) };
    }
    let report = Report::new(task.size).figure("missed", missed).figure("disturbed", disturbed);
    let report = report.figure("worst_ppm", (worst * 1e6).round());
    Ok(SIZES
        .iter()
        .zip(&most)
        .fold(report, |report, (size, most)| report.figure(&format!("most_{size}_pps"), most.round())))
}

/// One rate, as `perigee calibrate` measures it: again, up to three times, where the lcore or the ticker was taken away meanwhile.
fn point(space: &Namespace, perigee: &Path, size: u64, rate: u64) -> Result<Value> {
    let (rate, size) = (format!("{rate} pps"), size.to_string());
    let mut command = space.command(perigee);
    command.args(["calibrate", "--no-keep", "--json", "-", "--tx", "net_af_packet0,iface=soak-a"]);
    command.args(["--rx", "net_af_packet1,iface=soak-b", "--rate", &rate, "--size", &size]);
    let output = command.output().context("cannot start perigee")?;
    ensure!(output.status.success(), "calibrate at {rate}: {}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).context("calibrate prints JSON")?;
    told["points"].get(0).cloned().with_context(|| format!("calibrate at {rate} tells no point: {told}"))
}

fn number(point: &Value, key: &str) -> Result<f64> {
    point[key].as_f64().with_context(|| format!("a point has {key}: {point}"))
}
