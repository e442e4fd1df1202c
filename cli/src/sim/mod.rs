//! `perigee sim`: a configuration in virtual time, with one seed or with many.

mod pace;
mod shrink;
mod told;
mod watched;

use crate::intervals::{Files, IntervalOptions};
use crate::jail::JailOption;
use crate::load::{self, LoadOptions};
use crate::output::{self, JsonOption};
use crate::read::read_for;
use anyhow::{Result, anyhow, bail};
use clap::{Args, ValueHint};
use pace::Owner;
use perigee_runtime::Error;
use perigee_runtime::config::{Config, ConfigError, parse_duration};
use perigee_runtime::sim::{Outcome, Pace, Simulator};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use watched::Watched;

/// What is simulated, and how.
#[derive(Args, Debug)]
pub(crate) struct SimArgs {
    /// The configuration file, whose ports are ends of wires.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) config: PathBuf,
    /// How much virtual time passes, like 10ms or 1s; counts before what the configuration says.
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) duration: Option<Duration>,
    /// Decides all that is drawn at random. Default: the configuration's.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Try so many seeds, one after the other, until something breaks that should hold.
    #[arg(long, value_name = "HOW MANY", conflicts_with = "clock_from", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: Option<u64>,
    /// Of the events in `[[sim.event]]` only these happen, by their numbers from 0.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    pub(crate) events: Option<Vec<usize>>,
    /// How many lcores the simulated machine has. Default: the configuration's, else one for each chain.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) lcores: Option<u32>,
    /// Let somebody else say how far time may go: a Unix socket of our own user, to which this connects.
    #[arg(long, value_name = "SOCKET", value_hint = ValueHint::FilePath)]
    pub(crate) clock_from: Option<PathBuf>,
    /// How long whoever owns the time may be silent.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "10s", requires = "clock_from")]
    pub(crate) clock_timeout: Duration,
    #[command(flatten)]
    pub(crate) load: LoadOptions,
    #[command(flatten)]
    pub(crate) json: JsonOption,
    /// Of one seed, in virtual time.
    #[command(flatten)]
    pub(crate) intervals: IntervalOptions,
    #[command(flatten)]
    pub(crate) jail: JailOption,
}

/// What was tried, and what came of it.
struct Tried {
    first: u64,
    seeds: u64,
    /// Virtual time of all of them.
    simulated: Duration,
    took: Duration,
    packets: u64,
    turns: u64,
    /// The last one: the one that broke, where one did.
    last: Outcome,
    /// The events that it takes to break it, where fewer than all do.
    needed: Option<Vec<usize>>,
}

/// `perigee sim`.
pub(crate) fn sim(args: &SimArgs) -> Result<ExitCode> {
    let asked = |config: &Config| {
        let mut config = config.clone();
        config.run.duration = args.duration.or(config.run.duration);
        config.sim.lcores = args.lcores.or(config.sim.lcores);
        config
    };
    let loaded = read_for(&args.config, |config, base| {
        let config = asked(config);
        let mut problems = config.problems_on(base, &config.simulated_cpus());
        problems.extend(config.validate_sim());
        problems
    })?;
    let mut config = asked(&loaded.config);
    load::apply(&args.load, &mut config)?;
    let mut options = load::options(&args.load)?;
    options.jail = Some(args.jail.mode());
    let result = output::Json::open(&args.json)?;
    let files = Files::open(&args.intervals, &args.json, watched::LEAST)?;
    if files.any() && args.seeds.is_some() {
        bail!("--json-lines, --csv and --hdr-log are of one seed: leave --seeds out, or name one by --seed");
    }
    let owner = args.clock_from.as_ref().map(|path| Owner::connect(path, args.clock_timeout)).transpose()?;
    let mut watched = Watched::new(owner, files);
    let pace = watched.as_mut().map(|watched| watched as &mut (dyn Pace + Send));
    let tried = try_seeds(&config, &loaded.base, &options, args, pace);
    let tried = tried.map_err(|error| match error.downcast_ref::<Error>() {
        Some(Error::Config { problems }) => ConfigError { problems: loaded.locate(problems) }.into(),
        _ => error,
    })?;
    let intervals = watched.map_or(Ok(()), |watched| watched.finish(&tried.last.summary));
    let written = result.write(&told::json(&tried));
    if !matches!(written, Ok(false)) && !args.intervals.is_stdout() {
        output::result(&told::text(&tried, args))?;
    }
    tried.last.broken.iter().for_each(|what| output::error(what));
    written.and(intervals)?;
    Ok(ExitCode::from(if tried.last.broken.is_empty() { 0 } else { 2 }))
}

fn try_seeds(
    config: &Config,
    base: &std::path::Path,
    options: &perigee_runtime::Options,
    args: &SimArgs,
    mut pace: Option<&mut (dyn Pace + Send)>,
) -> Result<Tried> {
    let simulator = Simulator::new(config, base, options)?;
    let events = simulator.events();
    if let Some(none) = args.events.iter().flatten().find(|number| **number >= events) {
        return Err(anyhow!("--events {none}: the configuration has {events} events, numbered from 0"));
    }
    let (first, seeds, begin) = (args.seed.unwrap_or(config.run.seed), args.seeds.unwrap_or(1), Instant::now());
    let (mut packets, mut turns, mut tried) = (0, 0, 0);
    loop {
        let pace = pace.as_mut().map(|pace| &mut **pace as &mut (dyn Pace + Send));
        let last = simulator.simulate(first.wrapping_add(tried), args.events.as_deref(), pace)?;
        tried += 1;
        packets += last.packets;
        turns += last.turns;
        if tried < seeds && last.broken.is_empty() {
            continue;
        }
        let took = begin.elapsed();
        let simulated = config.run.duration.unwrap_or_default() * u32::try_from(tried).unwrap_or(u32::MAX);
        let needed =
            if last.broken.is_empty() || args.clock_from.is_some() { None } else { shrink::shrink(&simulator, &last)? };
        return Ok(Tried { first, seeds: tried, simulated, took, packets, turns, last, needed });
    }
}
