//! `perigee calibrate`: what a port's pacing comes to on this machine, rate by rate: asked and got, and how even the gaps are.

mod floor;
mod store;

pub(crate) use floor::floors;
pub(crate) use store::{known, mark};

use crate::output;
use crate::output::JsonOption;
use crate::table::Table;
use anyhow::{Context, Result, bail};
use clap::Args;
use perigee_runtime::config::stream::Rate;
use perigee_runtime::config::{Config, parse_duration};
use perigee_runtime::jail::Mode;
use perigee_runtime::{GapStats, Options, PercentileValue, Run, Summary};
use serde::{Deserialize, Serialize};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Rates that are tried where none is given.
const RATES: [&str; 5] = ["1 kpps", "10 kpps", "100 kpps", "500 kpps", "1 Mpps"];
/// Lengths of frames, without frame check sequence.
const SIZES: [u16; 3] = [60, 590, 1_514];
/// A mean rate that is off by more was missed.
const MOST_OFF: f64 = 0.001;
/// How often a point is measured again where something took the lcore or the ticker away meanwhile.
const TRIES: u32 = 3;
/// A ticker that paused for so long shows that this process did not have its CPUs.
const MOST_PAUSE_NS: u64 = 5_000_000;
/// So late nothing is that the lcore itself does.
const MOST_LATE_NS: u64 = 1_000_000;

/// What is calibrated.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:
  perigee calibrate --tx net_ring0                            # a ring: what is sent comes back
  perigee calibrate --tx net_af_packet0,iface=veth-a --rx net_af_packet1,iface=veth-b --rate '100 kpps' --size 60")]
pub(crate) struct CalibrateArgs {
    /// The port that sends: a virtual device with its arguments, or a PCI address.
    #[arg(long, value_name = "DEVICE")]
    tx: String,
    /// The port where what it sends comes in. Default: the same one, for a device that gives back what it gets.
    #[arg(long, value_name = "DEVICE")]
    rx: Option<String>,
    /// A rate in packets per second; may be given several times. Default: 1, 10, 100, 500 and 1,000 kpps.
    #[arg(long = "rate", value_name = "RATE", value_parser = Rate::parse)]
    rates: Vec<Rate>,
    /// A length of frames, without frame check sequence; may be given several times. Default: 60, 590 and 1,514.
    #[arg(long = "size", value_name = "BYTES", value_parser = clap::value_parser!(u16).range(60..=1_514))]
    sizes: Vec<u16>,
    /// How long each rate is measured.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    each: Duration,
    /// Has the kernel say as well when packets leave by --tx, which must be an interface of its: `observe` of a [[port]].
    #[arg(long)]
    observe: bool,
    /// The CPU that sends, and the one that receives.
    #[arg(long = "lcore", value_name = "CPU", num_args = 1)]
    lcores: Vec<u32>,
    /// Do not keep the result for runs to name.
    #[arg(long)]
    no_keep: bool,
    #[command(flatten)]
    json: JsonOption,
}

/// What was asked for, and what came of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Point {
    /// Bytes of a frame, without frame check sequence.
    size: u16,
    /// The rate that was asked for.
    asked: String,
    /// Packets that were sent in a second.
    got_pps: f64,
    /// By how much that is more than was asked for; below 0, less. A ratio.
    off: f64,
    /// Gaps between the times of departure, as written into the packets: nanoseconds.
    departures: Gaps,
    /// Gaps between arrivals, by the receiving lcore or the port's own clock.
    arrivals: Gaps,
    /// Packets that left late by more than 10 us.
    late: u64,
    /// Packets that were lost on the way.
    lost: u64,
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
}

/// All points of a port.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Calibration {
    /// What it holds for.
    pub(crate) key: store::Key,
    /// Where what was sent came in.
    #[serde(default)]
    pub(crate) rx: Option<floor::Receiving>,
    /// Unix time, seconds.
    pub(crate) made: u64,
    /// By what packets were paced.
    method: String,
    points: Vec<Point>,
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
    let mut calibration = None;
    for size in sizes {
        for rate in &rates {
            let (point, key, rx) = undisturbed(args, size, *rate)?;
            let made = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let all = calibration.get_or_insert_with(|| Calibration {
                key,
                rx: Some(rx),
                made,
                method: "software".to_owned(),
                points: Vec::new(),
            });
            all.points.push(point);
        }
    }
    let calibration = calibration.context("no rate and no size is left to measure")?;
    if !args.no_keep {
        let file = store::keep(&calibration)?;
        tracing::info!("kept in {}", file.display());
    }
    if output::json(&calibration, &args.json)? {
        output::result(&text(&calibration))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A point, the port that sent, and the one that received.
type Measured = (Point, store::Key, floor::Receiving);

/// Measures until nothing was in the way, some times at most.
fn undisturbed(args: &CalibrateArgs, size: u16, rate: Rate) -> Result<Measured> {
    let mut last = measure(args, size, rate)?;
    for _ in 1..TRIES {
        if last.0.disturbed.is_none() {
            break;
        }
        last = measure(args, size, rate)?;
    }
    Ok(last)
}

fn measure(args: &CalibrateArgs, size: u16, rate: Rate) -> Result<Measured> {
    let folder = tempfile::tempdir().context("no folder for a module can be made")?;
    std::fs::write(folder.path().join("generator.wat"), GENERATOR.replace("@size", &size.to_string()))
        .context("the generator cannot be written")?;
    let text = configuration(args, rate);
    let config = Config::parse(&text, "calibration").context("the calibration's own configuration")?;
    // The only module is ours.
    let mut options = Options::default();
    options.jail = Some(Mode::Off);
    let run = Run::start_with(&config, folder.path(), &options)?;
    std::thread::sleep(args.each);
    let summary = run.stop();
    let mut key = store::Key::of(&summary, 0).context("the run has no manifest")?;
    key.device.clone_from(&args.tx);
    let last = summary.manifest.as_ref().and_then(|manifest| manifest.ports.last()).context("the run has no port")?;
    let device = args.rx.as_ref().unwrap_or(&args.tx).clone();
    let rx = floor::Receiving { driver: last.driver.clone(), device };
    Ok((point(&summary, size, rate)?, key, rx))
}

/// Makes frames of one length, of an experimental EtherType (RFC 7042): nobody's.
const GENERATOR: &str = r#"(module
  (memory (export "memory") 1100)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 65536))
  (global (export "perigee_window") i32 (i32.const 196608))
  (global (export "perigee_window_len") i32 (i32.const 69206016))
  (func $each (param $n i32) (param $verdict i32) (local $d i32)
    (local.set $d (i32.const 67200))
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $n)))
      (i32.store16 offset=4 (local.get $d) (i32.const @size))
      (i32.store offset=8 (local.get $d) (local.get $verdict))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br $next))))
  (func (export "prefill") (param $n i32) (local $d i32)
    (local.set $d (i32.const 67200))
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $n)))
      (i64.store (i32.load (local.get $d)) (i64.const 0x0002_0200_0000_0002))
      (i32.store offset=8 (i32.load (local.get $d)) (i32.const 0x0100_0000))
      (i32.store16 offset=12 (i32.load (local.get $d)) (i32.const 0xb588))
      (i32.store16 offset=4 (local.get $d) (i32.const @size))
      (local.set $d (i32.add (local.get $d) (i32.const 64)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br $next))))
  (func (export "generate") (param $n i32) (call $each (local.get $n) (i32.const 1))))
"#;

/// DPDK keeps the rings of a net_ring that was closed, and complains when it finds them again: each gets a name of its own.
fn new_name(device: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    match device.strip_prefix("net_ring").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit())) {
        Some(rest) => format!("net_ring{}{rest}", NUMBER.fetch_add(1, Ordering::Relaxed)),
        None => device.to_owned(),
    }
}

fn configuration(args: &CalibrateArgs, rate: Rate) -> String {
    let tx = new_name(&args.tx);
    let tx = format!("[[port]]\nname = \"tx\"\ndevice = {tx:?}\nobserve = {}\n", args.observe);
    let (ports, from) = match &args.rx {
        Some(rx) => (format!("{tx}[[port]]\nname = \"rx\"\ndevice = {rx:?}\n"), "rx"),
        None => (tx, "tx"),
    };
    let lcore = |number: usize| args.lcores.get(number).map(|cpu| format!("lcores = [{cpu}]\n")).unwrap_or_default();
    let (sends, receives) = (lcore(0), lcore(1));
    format!(
        "{ports}[run]\nidle = \"spin\"\n[[module]]\nname = \"generator\"\nfile = \"generator.wat\"\n\
         [[chain]]\nname = \"generate\"\nsource = {{ module = \"generator\" }}\ntx = [\"tx\"]\n{sends}\
         [[chain]]\nname = \"receive\"\nsource = {{ port = \"{from}\" }}\n{receives}\
         [[stream]]\nname = \"calibration\"\nchain = \"generate\"\nrate = \"{rate}\"\n\
         probes = {{ received_by = [\"receive\"] }}\n"
    )
}

fn point(summary: &Summary, size: u16, rate: Rate) -> Result<Point> {
    let snapshot = &summary.snapshot;
    let stream = snapshot.streams.first().context("the run has no stream")?;
    let measured = snapshot.measured.first().context("nothing was measured")?;
    let came = measured.probes.in_time + measured.probes.late;
    if came == 0 {
        bail!(
            "{} packets were sent and none came back: --rx names the port where they come in (a device like net_ring gives back what it gets)",
            stream.sent
        );
    }
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let got_pps = stream.sent as f64 * 1e9 / stream.ran_ns.max(1) as f64;
    let off = got_pps / rate.ratio().number() - 1.0;
    let ms = |ns: u64| Duration::from_nanos(ns).as_secs_f64() * 1e3;
    let (pause, late) = (snapshot.ticker_worst_gap_ns, stream.late_worst_ns);
    let disturbed = match () {
        () if late > MOST_LATE_NS => Some(format!("the lcore was taken away for {:.1} ms", ms(late))),
        () if pause > MOST_PAUSE_NS => Some(format!("the ticker paused for {:.1} ms", ms(pause))),
        () => None,
    };
    Ok(Point {
        size,
        asked: rate.to_string(),
        got_pps,
        off,
        departures: gaps(measured.departure_gaps.as_ref()),
        arrivals: gaps(measured.arrival_gaps.as_ref()),
        late: stream.late,
        lost: measured.probes.lost,
        latency: floor::latency(measured),
        observed: measured.observed.as_ref().map(|observed| gaps(Some(&observed.gaps))),
        disturbed,
    })
}

fn gaps(stats: Option<&GapStats>) -> Gaps {
    let Some(stats) = stats else { return Gaps::default() };
    let percentile = |name: &str| {
        let one = stats.gaps.percentiles.iter().find(|one| one.name == name)?;
        if let PercentileValue::Ns(ns) = one.value { Some(ns) } else { None }
    };
    Gaps {
        asked_ns: stats.asked_ns,
        p1_ns: percentile("p1"),
        p50_ns: percentile("p50"),
        p99_ns: percentile("p99"),
        max_ns: stats.gaps.max_ns,
        within: stats.within.iter().map(|share| share.share).collect(),
    }
}

/// The table for people.
fn text(calibration: &Calibration) -> String {
    let heads = [
        "bytes",
        "<asked",
        "got pps",
        "off %",
        "<gaps of",
        "p1 ns",
        "p50",
        "p99",
        "max",
        "+-64 %",
        "+-128",
        "+-256",
        "+-512",
        "late",
        "lost",
        "latency ns",
        "p50",
        "p99-p50",
        "<",
    ];
    let mut table = Table::new(&heads);
    for point in &calibration.points {
        let observed = point.observed.iter().map(|gaps| ("departures, the kernel", gaps));
        let all = [("departures", &point.departures), ("arrivals", &point.arrivals)].into_iter().chain(observed);
        for (number, (of, gaps)) in all.enumerate() {
            table.row(row(point, number == 0, of, gaps));
        }
    }
    let key = &calibration.key;
    format!(
        "{} on {}, kernel {}, {}: paced by {}\n{}",
        key.device,
        key.cpu,
        key.kernel,
        key.dpdk,
        calibration.method,
        table.text()
    )
}

/// Gaps of a point; what is not of them stands in its first row.
fn row(point: &Point, is_first: bool, of: &str, gaps: &Gaps) -> [String; 19] {
    let first = |text: String| if is_first { text } else { String::new() };
    let ns = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), |ns| ns.to_string());
    let share = |at: usize| gaps.within.get(at).map_or_else(|| "-".to_owned(), |part| format!("{:.1}", part * 100.0));
    let missed = if point.off.abs() > MOST_OFF { "MISSED " } else { "" };
    let none = || ["-"; 3].map(str::to_owned);
    let [least, half, jitter] = point.latency.as_ref().map_or_else(none, floor::Latency::cells);
    [
        first(point.size.to_string()),
        first(point.asked.clone()),
        first(format!("{:.1}", point.got_pps)),
        first(format!("{:+.4}", point.off * 100.0)),
        of.to_owned(),
        ns(gaps.p1_ns),
        ns(gaps.p50_ns),
        ns(gaps.p99_ns),
        ns(gaps.max_ns),
        share(0),
        share(1),
        share(2),
        share(3),
        first(point.late.to_string()),
        first(point.lost.to_string()),
        first(least),
        first(half),
        first(jitter),
        first(format!("{missed}{}", point.disturbed.as_deref().unwrap_or_default())),
    ]
}
