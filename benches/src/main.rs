//! Measures each boundary that packets cross, beside the same work in C on the same ports and pools, in one run.
//!
//! README.md says how to read the table. Slow figures are no failure: the exit code is 0 unless something does not work,
//! and every loop that was measured is accounted for packet by packet.

mod against;
mod capture;
mod checksums;
mod dissect;
mod ffi;
mod fields;
mod functions;
mod grants;
mod history;
mod instructions;
mod lab;
mod lock;
mod machine;
mod measuring;
mod moments;
mod natives;
mod opponents;
mod pacing;
mod page;
mod pieces;
mod plain;
mod pools;
mod process;
mod quiet;
mod replay;
mod report;
mod rust_twin;
mod sdk;
mod shared;
mod stages;
mod stash;
mod varied;
mod veth;
mod watched;
mod works;

use against::Against;
use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use lab::Lab;
use lock::Lock;
use machine::Machine;
use quiet::{Floor, Plan};
use report::{Instructions, Report};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Measures modules against the same work in C. Build the modules first: ./x build-modules (./x bench does it)
#[derive(Parser)]
#[command(name = "perigee-bench", version)]
struct Args {
    /// Write the results to this file as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure for seconds instead of minutes: enough to see that all works
    #[arg(long)]
    quick: bool,
    /// Count instructions instead of measuring time: exact, whatever else the machine does
    #[arg(long)]
    instructions: bool,
    /// Fail where the counts are not those of benches/INSTRUCTIONS.lock
    #[arg(long, requires = "instructions", conflicts_with = "bless")]
    check: bool,
    /// Write the counts into benches/INSTRUCTIONS.lock
    #[arg(long, requires = "instructions")]
    bless: bool,
    /// Measure all parts: without, those of the headline alone, which takes a quarter of an hour
    #[arg(long, conflicts_with = "only")]
    all: bool,
    /// Take turns with the build of another revision in this folder, and measure nothing else. `./x bench --against REVISION` makes it;
    /// without --only: works, stages and grants
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["instructions", "all"])]
    against: Option<PathBuf>,
    /// Write docs/benchmark.md and its pictures from the results in these files, and measure nothing. Several files are of runs of
    /// different parts on one machine, such as one with --against
    #[arg(long, value_name = "FILE", value_delimiter = ',', exclusive = true)]
    page: Vec<PathBuf>,
    /// Measure these parts only
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
    /// The CPU to measure on; the last one that this process may use, where nothing is said
    #[arg(long)]
    cpu: Option<u32>,
}

impl Args {
    fn wants(&self, part: Part) -> bool {
        let chosen =
            if self.only.is_empty() { self.all || HEADLINE.contains(&part) } else { self.only.contains(&part) };
        chosen && !self.instructions
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Whole loops at several bursts
    Works,
    /// Start of a run, swap, memory: what is not by packet
    Moments,
    /// A burst taken apart
    Pieces,
    /// Three layouts of pools
    Pools,
    /// Longer chains, and rings
    Stages,
    /// Router, translator, firewall and balancer
    Functions,
    /// Where packets lie, how long they are, how many lcores work
    Varied,
    /// LuaJIT, testpmd, eBPF, and other decisions than were taken
    Opponents,
    /// Limits of rate and of addresses, and trust domains
    Grants,
    /// Streams whose packets are all due
    Pacing,
    /// Probes, and packets that are none
    Measuring,
    /// Packets that are recorded
    Capture,
    /// Packets that are remembered, and looked through
    History,
    /// A run that is watched by many
    Watched,
    /// Files that are played
    Replay,
    /// Captures as text, beside tcpdump and tshark
    Dissect,
    /// Checksums by the guest SDK
    Checksums,
    /// A generator by the guest SDK beside the same on raw pointers
    Sdk,
    /// Fields as machine code, beside udp-gen and beside the interpreter
    Fields,
}

fn main() -> ExitCode {
    match perform(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("perigee-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(args: &Args) -> Result<()> {
    if !args.page.is_empty() {
        return page::write(&args.page, &root()?);
    }
    if args.instructions {
        instructions::with_common_functions()?;
    }
    let mut lab = laboratory(args)?;
    let machine = Machine::look();
    let huge = if machine.huge_pages { "with" } else { "without" };
    println!("{}, {} CPUs, Linux {}, {}, {huge} huge pages", machine.cpu, machine.cpus, machine.kernel, machine.dpdk);
    println!("measured on CPU {}; the probe's floor is {:.0} cycles", lab.cpu, lab.floor.cycles());
    let (mut instructions, mut against) = (Vec::new(), None);
    if args.instructions {
        instructions = instructions::count(&mut lab)?;
    } else if let Some(folder) = &args.against {
        against = Some(against::measure(&lab, folder, &turns(args), args.quick)?);
    } else {
        measure(&mut lab, args)?;
    }
    let root = lab.root.clone();
    let lock = args.instructions.then(|| Lock::of(&instructions, &machine.dpdk, &root)).transpose()?;
    if let Some(file) = &args.json {
        write(file, lab, machine, args.quick, (instructions, against))?;
    }
    match lock {
        Some(lock) if args.bless => lock.bless(&root),
        Some(lock) if args.check => lock.check(&root),
        _ => Ok(()),
    }
}

/// What is not measured by the laboratory itself: instructions, and rows beside another build.
type Aside = (Vec<Instructions>, Option<Against>);

fn write(file: &Path, lab: Lab, machine: Machine, quick: bool, (instructions, against): Aside) -> Result<()> {
    let report = Report {
        date: machine::date(),
        machine,
        tsc_hz: lab.tsc_hz,
        probe_floor: lab.floor.cycles(),
        quick,
        results: lab.results,
        moments: lab.moments,
        instructions,
        against,
    };
    let text = serde_json::to_string_pretty(&report)?;
    std::fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    println!("\nwritten to {}", file.display());
    Ok(())
}

fn laboratory(args: &Args) -> Result<Lab> {
    let (watch, plan) = if args.quick || args.instructions {
        (Duration::from_millis(200), Plan { starts: 1, budget: Duration::from_millis(400), enough: 60 })
    } else {
        (Duration::from_secs(2), Plan { starts: 3, budget: Duration::from_millis(2_500), enough: 1_000 })
    };
    let cpu = args.cpu.or_else(|| perigee_runtime::config::allowed_cpus().last().copied()).unwrap_or(0);
    // Tables of DPDK's own with a million routes, or ten thousand rules, lie there.
    let eal_memory = if args.wants(Part::Functions) { "1G" } else { "256M" };
    let (floor, results, moments) = (Floor::find(watch), Vec::new(), Vec::new());
    Ok(Lab { root: root()?, cpu, floor, plan, tsc_hz: 0, results, moments, devices: 0, eal_memory, part: "" })
}

/// The repository: where it is run, or where it was built.
fn root() -> Result<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let mut places = [Path::new("."), built].into_iter();
    let found = places.find(|place| place.join("target/modules/udp-gen.wasm").is_file());
    Ok(found.context("target/modules/udp-gen.wasm is not there: ./x build-modules makes it")?.to_owned())
}

/// What is measured where nothing is said: burst 64, small packets, beside all opponents; then one thing varied.
const HEADLINE: [Part; 11] = [
    Part::Opponents,
    Part::Functions,
    Part::Works,
    Part::Varied,
    Part::Stages,
    Part::Moments,
    Part::Pieces,
    Part::Grants,
    Part::Pacing,
    Part::Measuring,
    Part::Fields,
];

/// How a part is measured; `true`: for seconds.
type Measure = fn(&mut Lab, bool) -> Result<()>;

/// All parts, as they are called in results, in their order.
const PARTS: [(Part, &str, Measure); 19] = [
    (Part::Opponents, "opponents", opponents::measure),
    (Part::Functions, "functions", functions::measure),
    (Part::Works, "works", |lab, _| works::measure(lab, &works::BURSTS)),
    (Part::Varied, "varied", varied::measure),
    (Part::Stages, "stages", |lab, _| stages::measure(lab)),
    (Part::Moments, "moments", moments::measure),
    (Part::Pieces, "pieces", |lab, _| pieces::measure(lab)),
    (Part::Pools, "pools", |lab, _| pools::measure(lab)),
    (Part::Grants, "grants", |lab, _| grants::measure(lab)),
    (Part::Pacing, "pacing", |lab, _| pacing::measure(lab)),
    (Part::Measuring, "measuring", |lab, _| measuring::measure(lab)),
    (Part::Capture, "capture", |lab, _| capture::measure(lab)),
    (Part::History, "history", history::measure),
    (Part::Watched, "watched", |lab, quick| watched::measure(lab, quick)),
    (Part::Replay, "replay", |lab, _| replay::measure(lab)),
    (Part::Dissect, "dissect", |lab, quick| dissect::measure(&lab.root, quick)),
    (Part::Checksums, "checksums", |lab, _| checksums::measure(lab)),
    (Part::Sdk, "sdk", |lab, _| sdk::measure(lab)),
    (Part::Fields, "fields", |lab, _| fields::measure(lab)),
];

/// What both builds measure.
fn turns(args: &Args) -> Vec<&'static str> {
    let is_wanted = |(part, name, _): &(Part, &'static str, Measure)| match args.only.is_empty() {
        true => against::PARTS.contains(name),
        false => args.only.contains(part),
    };
    PARTS.iter().filter(|part| is_wanted(part)).map(|(_, name, _)| *name).collect()
}

fn measure(lab: &mut Lab, args: &Args) -> Result<()> {
    for (part, name, measure) in PARTS.into_iter().filter(|(part, ..)| args.wants(*part)) {
        lab.part = name;
        let begun = Instant::now();
        measure(lab, args.quick).with_context(|| format!("{part:?}"))?;
        println!("\n{name}: {:.0} s", begun.elapsed().as_secs_f64());
    }
    Ok(())
}
