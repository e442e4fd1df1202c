//! `./x soak vm`: real drivers on the virtual cards of QEMU, and what Perigee does with them.
//!
//! Each job is a guest of its own: a Debian kernel whose root is this machine's own tree (9p, read-only), so that what was built here
//! runs there, and a Python script (`xtask/vm`) that prints a line per check. Nothing is installed and no root is needed.

mod accel;
mod fetch;
mod guest;
mod initramfs;
mod jobs;
mod monitor;
mod report;
mod systemd;
mod wire;

use crate::command::Repository;
use crate::{modules, setup, start};
use anyhow::{Context, Result, bail};
use fetch::Bed;
use guest::{Accel, Guest, Root};
use jobs::Job;
use report::{Check, Report};
use serde_json::json;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

pub(crate) use systemd::{boot, image, prepare};

/// What may be chosen.
#[derive(Default, clap::Args)]
pub(crate) struct Options {
    /// vm: the perigee that is tried, with the modules that are there; without it both are built first
    #[arg(long, value_name = "PATH")]
    perigee: Option<PathBuf>,
    /// vm: what runs the guests' instructions: kvm or tcg. Default: kvm where it works
    #[arg(long, value_name = "NAME", value_parser = ["kvm", "tcg"])]
    accel: Option<String>,
    /// vm: so many guests at once. Default: a guest for each two CPUs and one more, for guests wait much
    #[arg(long, value_name = "NUMBER")]
    guests: Option<usize>,
    /// vm: how long each card may take for its 10,000 pings in the jobs about memory. An emulated CPU needs up to 90
    #[arg(long, value_name = "SECONDS", default_value_t = PING_SECONDS)]
    ping_seconds: u64,
}

/// So that all jobs fit a quarter of an hour; what is not done by then is left out, and said.
const PING_SECONDS: u64 = 15;

/// The bed, with the accelerator that works here.
pub(crate) fn bed(repository: &Repository, options: &Options) -> Result<(Bed, Accel)> {
    let bed = Bed::make(repository)?;
    let (accel, why) = accel::choose(&bed, options.accel.as_deref())?;
    println!("vm: {}, accelerator {} ({why})", bed.versions()?, accel.name());
    Ok((bed, accel))
}

/// Runs the jobs of these names, or all. Prints a table of drivers and checks, and writes `target/vm.json`.
pub(crate) fn run(repository: &Repository, options: &Options, only: &[String]) -> Result<()> {
    let jobs = jobs::chosen(only)?;
    setup::packages(repository)?;
    let perigee = match &options.perigee {
        Some(path) => fs::canonicalize(path).with_context(|| format!("no perigee at {}", path.display()))?,
        None => {
            modules::build_all(repository)?;
            start::build(repository, "perigee")?
        }
    };
    let (bed, accel) = bed(repository, options)?;
    let start = Instant::now();
    compile(repository, &bed, accel, &perigee)?;
    let count = options.guests.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from) / 2 + 1).max(1);
    let waiting: Mutex<VecDeque<&Job>> = Mutex::new(jobs.iter().copied().collect());
    let report = Mutex::new(Report::default());
    let next = || waiting.lock().ok()?.pop_front();
    let work = || -> Result<()> {
        while let Some(job) = next() {
            let (checks, last) = perform(repository, &bed, (accel, options.ping_seconds), &perigee, job)?;
            if let Ok(mut report) = report.lock() {
                report.add(job, checks, last);
            }
        }
        Ok(())
    };
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..count.min(jobs.len())).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| bail!("a job's thread has panicked")))
    })?;
    let report = report.into_inner().unwrap_or_default();
    let versions = json!({ "bed": bed.versions()?, "accel": accel.name(), "seconds": start.elapsed().as_secs() });
    report.write(&repository.target().join("vm.json"), &versions)?;
    report.print(&jobs);
    println!("vm: {} jobs took {} s", jobs.len(), start.elapsed().as_secs());
    let failed = report.failed();
    if failed.is_empty() { Ok(()) } else { bail!("cards: {} (alone: ./x soak vm JOB)", failed.join(", ")) }
}

/// Has a guest compile the modules that the jobs use, where that was not done for this perigee yet.
fn compile(repository: &Repository, bed: &Bed, accel: Accel, perigee: &Path) -> Result<()> {
    let note = bed.folder.join("compiled.txt");
    let seen = fs::metadata(perigee).with_context(|| format!("no perigee at {}", perigee.display()))?;
    let made = seen.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let stamp = format!("{} {} {made:?} {}", perigee.display(), seen.len(), accel.name());
    if fs::read_to_string(&note).is_ok_and(|old| old == stamp) {
        return Ok(());
    }
    let _ = fs::remove_dir_all(compiled(bed));
    let (checks, last) = perform(repository, bed, (accel, PING_SECONDS), perigee, &jobs::COMPILE)?;
    if checks.iter().any(Check::is_failed) {
        last.iter().for_each(|line| println!("  | {line}"));
        bail!("the modules could not be compiled in a guest");
    }
    fs::write(&note, stamp).context("cannot note that the modules were compiled")
}

/// Where the guest that compiles leaves what it has made.
fn compiled(bed: &Bed) -> PathBuf {
    bed.folder.join("guests").join(jobs::COMPILE.name).join("cache")
}

/// Runs one job; gives back its checks, and the guest's last lines if one failed.
fn perform(
    repository: &Repository,
    bed: &Bed,
    (accel, ping_seconds): (Accel, u64),
    perigee: &Path,
    job: &Job,
) -> Result<(Vec<Check>, Vec<String>)> {
    let folder = bed.folder.join("guests").join(job.name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let scripts = repository.path("xtask/vm");
    let told = json!({
        "name": job.name, "script": scripts.join(job.script), "perigee": perigee, "root": repository.path(""),
        "tools": bed.folder.join("tools"), "kernel": bed.folder.join("kernel"), "accel": accel.name(),
        "compiled": compiled(bed), "ping_seconds": ping_seconds, "huge_pages": job.huge_pages, "cards": job.cards(), "settings": job.settings(),
    });
    fs::write(folder.join("job.json"), told.to_string()).context("cannot tell the guest its job")?;
    let guest = Guest {
        machine: job.machine.to_owned(),
        memory: job.memory,
        append: format!("bed.job={} {}", folder.join("job.json").display(), job.append),
        devices: job.devices(),
        root: Root::Host,
        init: scripts.join("guest.sh").display().to_string(),
        wrapper: job.wrapper.map(|script| scripts.join(script)),
        limit: Duration::from_secs(job.limit),
        folder,
    };
    let each = |line: &str| println!("{}: {line}", job.name);
    let mut outcome = guest.run(bed, accel, each)?;
    if outcome.crashed {
        // QEMU 10.0.2's translator does so now and then, with any guest: docs/operating.md.
        println!(
            "{}: QEMU was ended by a signal, once more: {}",
            job.name,
            outcome.last.last().map_or("", String::as_str)
        );
        outcome = guest.run(bed, accel, each)?;
    }
    let mut checks: Vec<Check> = outcome.lines.iter().filter_map(|line| Check::read(line)).collect();
    if !outcome.ended {
        checks.push(Check::failed("end", &format!("the guest did not end by itself within {} s", job.limit)));
    }
    if outcome.lines.last().map(String::as_str) != Some("end") {
        checks.push(Check::failed("script", "it ended before its last line"));
    }
    checks.extend(wire::checks(repository, &guest.folder, job)?);
    let lines = &outcome.lines[outcome.lines.len().saturating_sub(25)..];
    let last = if checks.iter().any(Check::is_failed) { [lines, &outcome.last].concat() } else { Vec::new() };
    println!("{}: {} after {} s", job.name, if last.is_empty() { "ok" } else { "FAILED" }, outcome.taken.as_secs());
    Ok((checks, last))
}
