//! `perigee calibrate`: what a port's pacing comes to on this machine, method by method and rate by rate: asked and got, and how even the
//! gaps are.

mod floor;
mod measure;
mod store;
mod table;

pub(crate) use floor::floors;
pub(crate) use store::{known, methods};

use crate::output;
use crate::output::JsonOption;
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use measure::undisturbed;
use perigee_runtime::config::parse_duration;
use perigee_runtime::config::stream::{Method, Rate};
use perigee_runtime::pace::{Trial, Tried};
use perigee_runtime::{CalibrationKey, FitStats};
use serde::{Deserialize, Serialize};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Rates that are tried where none is given.
const RATES: [&str; 5] = ["1 kpps", "10 kpps", "100 kpps", "500 kpps", "1 Mpps"];
/// Lengths of frames, without frame check sequence.
const SIZES: [u16; 3] = [60, 590, 1_514];

/// What is calibrated.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:
  perigee calibrate --tx net_ring0                            # a ring: what is sent comes back
  perigee calibrate --tx net_af_packet0,iface=veth-a --rx net_af_packet1,iface=veth-b --rate '100 kpps' --size 60
  perigee calibrate --tx 'wire:lab,end=a,rate=10G,launch=yes' --rx wire:lab,end=b --method launch-time")]
pub(crate) struct CalibrateArgs {
    /// The port that sends: a virtual device with its arguments, or a PCI address.
    #[arg(long, value_name = "DEVICE")]
    tx: String,
    /// The port where what it sends comes in. Default: the same one, for a device that gives back what it gets.
    #[arg(long, value_name = "DEVICE")]
    rx: Option<String>,
    /// A method of pacing (software, rate-limit, launch-time, filler); may be given several times. Default: all that the port can do.
    #[arg(long = "method", value_name = "METHOD", value_parser = method)]
    methods: Vec<Method>,
    /// A rate in packets per second; may be given several times. Default: 1, 10, 100, 500 and 1,000 kpps.
    #[arg(long = "rate", value_name = "RATE", value_parser = Rate::parse)]
    rates: Vec<Rate>,
    /// A length of frames, without frame check sequence; may be given several times. Default: 60, 590 and 1,514.
    #[arg(long = "size", value_name = "BYTES", value_parser = clap::value_parser!(u16).range(60..=1_514))]
    sizes: Vec<u16>,
    /// How packets follow each other. Only calibrations with a constant rate are kept.
    #[arg(long, value_enum, default_value_t = Shape::Constant)]
    pattern: Shape,
    /// How long each rate is measured.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    each: Duration,
    /// Has the kernel say as well when packets leave by --tx, which must be an interface of its: `observe` of a `[[port]]`.
    #[arg(long)]
    observe: bool,
    /// The CPU that sends, and the one that receives.
    #[arg(long = "lcore", value_name = "CPU", num_args = 1)]
    lcores: Vec<u32>,
    /// Do not keep the result for runs to choose their methods by.
    #[arg(long)]
    no_keep: bool,
    #[command(flatten)]
    json: JsonOption,
}

/// How packets follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// All gaps are the same.
    Constant,
    /// As drawn from an exponential distribution; tells whether they are.
    Poisson,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
        }
    }
}

fn method(name: &str) -> Result<Method, String> {
    let names = || Method::ALL.map(Method::name).join(", ");
    Method::of(name).ok_or_else(|| format!("it is one of {}", names()))
}

/// What was asked for, and what came of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Point {
    /// By what packets were paced.
    method: Method,
    /// Bytes of a frame, without frame check sequence.
    size: u16,
    /// The rate that was asked for.
    asked: String,
    /// Packets in a second: sent, where software paces; else by the mean gap between arrivals, for a port sends later than it takes.
    got_pps: f64,
    /// By how much that is more than was asked for; below 0, less. A ratio.
    off: f64,
    /// Gaps between the times of departure, as written into the packets: nanoseconds.
    departures: Gaps,
    /// Gaps between arrivals, by the receiving lcore or the port's own clock.
    arrivals: Gaps,
    /// How far gaps between arrivals are from the one that was asked for: the farther of the first and the 99th percentile; where there are
    /// too few, the longest.
    deviation_ns: f64,
    /// Packets that left late by more than 10 us.
    late: u64,
    /// Packets that were lost on the way.
    lost: u64,
    /// Fillers that were received, and others that nobody has sent.
    strangers: u64,
    /// Latency from departure to arrival, with nothing but the loop between the ports.
    #[serde(default)]
    latency: Option<floor::Latency>,
    /// Gaps between departures as the kernel saw them, where it was asked.
    #[serde(default)]
    observed: Option<Gaps>,
    /// Why the figures are not to be trusted; `None` where nothing was in the way.
    disturbed: Option<String>,
}

/// How even gaps are.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Gaps {
    asked_ns: Option<u64>,
    p1_ns: Option<u64>,
    p50_ns: Option<u64>,
    p99_ns: Option<u64>,
    max_ns: Option<u64>,
    /// Parts of all gaps within 64, 128, 256 and 512 ns of the one that was asked for.
    within: Vec<f64>,
    /// Whether they are those of a Poisson process, where they should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fit: Option<FitStats>,
}

/// What a port cannot do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
struct Refused {
    method: Method,
    why: String,
}

/// All points of a port.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Calibration {
    /// What it holds for.
    pub(crate) key: CalibrationKey,
    /// Where what was sent came in.
    #[serde(default)]
    pub(crate) rx: Option<floor::Receiving>,
    /// Unix time, seconds.
    pub(crate) made: u64,
    points: Vec<Point>,
    #[serde(default)]
    refused: Vec<Refused>,
}

impl Calibration {
    /// What methods are chosen by.
    fn trials(&self) -> Vec<Trial> {
        let of = |method| {
            let points: Vec<Tried> =
                self.points.iter().filter(|point| point.method == method).map(Point::tried).collect();
            (!points.is_empty()).then_some(Trial { method, points })
        };
        Method::ALL.into_iter().filter_map(of).collect()
    }
}

impl Point {
    fn tried(&self) -> Tried {
        Tried {
            size: self.size,
            asked: self.asked.clone(),
            off: self.off,
            // What comes to an interface of the kernel's without being asked for is no filler.
            wrong: self.lost + if self.method == Method::Filler { self.strangers } else { 0 },
            deviation_ns: self.deviation_ns,
            is_sound: self.disturbed.is_none(),
        }
    }
}

/// `perigee calibrate`.
pub(crate) fn calibrate(args: &CalibrateArgs) -> Result<ExitCode> {
    let rates = if args.rates.is_empty() {
        RATES.into_iter().map(Rate::parse).collect::<Result<Vec<_>, _>>().map_err(anyhow::Error::msg)?
    } else {
        args.rates.clone()
    };
    if rates.iter().any(|rate| !matches!(rate, Rate::Packets(_))) {
        bail!("--rate is in packets per second here, as \"100 kpps\": gaps are compared with what it says");
    }
    let sizes = if args.sizes.is_empty() { SIZES.to_vec() } else { args.sizes.clone() };
    let calibration = all(args, &sizes, &rates)?;
    if !args.no_keep && args.pattern == Shape::Constant {
        let file = store::keep(&calibration)?;
        tracing::info!("kept in {}", file.display());
    }
    if output::json(&calibration, &args.json)? {
        output::result(&table::text(&calibration))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures all points. A method that was not asked for by name may be refused; so may a rate, of a method that has done another one.
fn all(args: &CalibrateArgs, sizes: &[u16], rates: &[Rate]) -> Result<Calibration> {
    let methods = if args.methods.is_empty() { Method::ALL.to_vec() } else { args.methods.clone() };
    let made = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (key, points, refused) = (CalibrationKey::default(), Vec::new(), Vec::new());
    let mut made = Calibration { key, rx: None, made, points, refused };
    for method in methods {
        let mut first_why = None;
        let before = made.points.len();
        for (size, rate) in sizes.iter().flat_map(|size| rates.iter().map(move |rate| (*size, *rate))) {
            match undisturbed(args, method, size, rate) {
                Ok((point, key, rx)) => {
                    (made.key, made.rx) = (key, Some(rx));
                    made.points.push(point);
                }
                Err(error) if method == Method::Software => return Err(error),
                Err(error) => {
                    let why = format!("{error:#}");
                    if !made.refused.iter().any(|refused| refused.why == why) {
                        made.refused.push(Refused { method, why });
                    }
                    first_why.get_or_insert(error);
                }
            }
        }
        if let Some(why) = first_why.filter(|_| made.points.len() == before && !args.methods.is_empty()) {
            return Err(why);
        }
    }
    if made.points.is_empty() {
        bail!("no rate and no size is left to measure");
    }
    Ok(made)
}
