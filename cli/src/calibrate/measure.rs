//! One point of a calibration: a run that is made for it.

use super::{CalibrateArgs, Gaps, Point, floor};
use anyhow::{Context, Result, bail};
use perigee_runtime::config::Config;
use perigee_runtime::config::stream::{Method, Rate, Ratio};
use perigee_runtime::config::wire::{FRAME_BESIDE, SHORTEST};
use perigee_runtime::jail::Mode;
use perigee_runtime::{CalibrationKey, GapStats, Options, PercentileValue, Run, Summary};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How often a point is measured again where something took the lcore or the ticker away meanwhile.
const TRIES: u32 = 3;
/// A ticker that paused for so long shows that this process did not have its CPUs.
const MOST_PAUSE_NS: u64 = 5_000_000;
/// So late nothing is that the lcore itself does.
const MOST_LATE_NS: u64 = 1_000_000;

/// A point, the port that sent, and the one that received.
type Measured = (Point, CalibrationKey, floor::Receiving);

/// Measures until nothing was in the way, some times at most.
pub(super) fn undisturbed(args: &CalibrateArgs, method: Method, size: u16, rate: Rate) -> Result<Measured> {
    let mut last = measure(args, method, size, rate)?;
    for _ in 1..TRIES {
        if last.0.disturbed.is_none() {
            break;
        }
        last = measure(args, method, size, rate)?;
    }
    Ok(last)
}

fn measure(args: &CalibrateArgs, method: Method, size: u16, rate: Rate) -> Result<Measured> {
    let folder = tempfile::tempdir().context("no folder for a module can be made")?;
    std::fs::write(folder.path().join("generator.wat"), GENERATOR.replace("@size", &size.to_string()))
        .context("the generator cannot be written")?;
    let text = configuration(args, method, size, rate)?;
    let config = Config::parse(&text, "calibration").context("the calibration's own configuration")?;
    let mut options = Options::default();
    // The only module is ours.
    options.jail = Some(Mode::Off);
    options.calibrates = true;
    let run = Run::start_with(&config, folder.path(), &options)?;
    std::thread::sleep(args.each);
    let summary = run.stop();
    let manifest = summary.manifest.as_ref().context("the run has no manifest")?;
    let port = manifest.ports.first().context("the run has no port")?;
    let mut key = CalibrationKey::new(port, &manifest.machine, &manifest.dpdk);
    key.device.clone_from(&args.tx);
    let last = manifest.ports.last().context("the run has no port")?;
    let device = args.rx.as_ref().unwrap_or(&args.tx).clone();
    let rx = floor::Receiving { driver: last.driver.clone(), device };
    Ok((point(&summary, method, size, rate)?, key, rx))
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

/// What is asked for, in what the method counts: a limit counts bits on layer 1.
fn rate_of(method: Method, size: u16, rate: Rate) -> Result<Rate> {
    if method != Method::RateLimit {
        return Ok(rate);
    }
    let bits = u128::from(u32::from(size).max(SHORTEST) + FRAME_BESIDE) * 8;
    let (above, below) = (u128::from(rate.ratio().numerator()), u128::from(rate.ratio().denominator()));
    Ratio::new(above * bits, below).map(Rate::WireBits).context("a rate that no link has")
}

fn configuration(args: &CalibrateArgs, method: Method, size: u16, rate: Rate) -> Result<String> {
    let tx = new_name(&args.tx);
    let tx = format!("[[port]]\nname = \"tx\"\ndevice = {tx:?}\nobserve = {}\n", args.observe);
    let (ports, from) = match &args.rx {
        Some(rx) => (format!("{tx}[[port]]\nname = \"rx\"\ndevice = {rx:?}\n"), "rx"),
        None => (tx, "tx"),
    };
    let lcore = |number: usize| args.lcores.get(number).map(|cpu| format!("lcores = [{cpu}]\n")).unwrap_or_default();
    let (sends, receives) = (lcore(0), lcore(1));
    let (asked, pattern) = (rate_of(method, size, rate)?, args.pattern.name());
    Ok(format!(
        "{ports}[run]\nidle = \"spin\"\n[[module]]\nname = \"generator\"\nfile = \"generator.wat\"\n\
         [[chain]]\nname = \"generate\"\nsource = {{ module = \"generator\" }}\ntx = [\"tx\"]\n{sends}\
         [[chain]]\nname = \"receive\"\nsource = {{ port = \"{from}\" }}\n{receives}\
         [[stream]]\nname = \"calibration\"\nchain = \"generate\"\nrate = \"{asked}\"\nmethod = \"{method}\"\n\
         pattern = \"{pattern}\"\nprobes = {{ received_by = [\"receive\"] }}\n"
    ))
}

fn point(summary: &Summary, method: Method, size: u16, rate: Rate) -> Result<Point> {
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
    let arrived = measured.arrival_gaps.as_ref();
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let got_pps = match arrived.and_then(|gaps| gaps.gaps.mean_ns).filter(|_| method != Method::Software) {
        Some(mean) => 1e9 / mean,
        None => stream.sent as f64 * 1e9 / stream.ran_ns.max(1) as f64,
    };
    let asked = rate.ratio().number();
    let ms = |ns: u64| Duration::from_nanos(ns).as_secs_f64() * 1e3;
    let (pause, late) = (snapshot.ticker_worst_gap_ns, stream.late_worst_ns);
    let disturbed = match () {
        () if late > MOST_LATE_NS => Some(format!("the lcore was taken away for {:.1} ms", ms(late))),
        () if pause > MOST_PAUSE_NS => Some(format!("the ticker paused for {:.1} ms", ms(pause))),
        () => None,
    };
    Ok(Point {
        method,
        size,
        asked: rate.to_string(),
        got_pps,
        off: got_pps / asked - 1.0,
        departures: gaps(measured.departure_gaps.as_ref()),
        arrivals: gaps(arrived),
        deviation_ns: arrived.map_or(f64::MAX, |gaps| deviation(gaps, 1e9 / asked)),
        late: stream.late,
        lost: measured.probes.lost,
        strangers: snapshot.strangers.foreign,
        latency: floor::latency(measured),
        observed: measured.observed.as_ref().map(|observed| gaps(Some(&observed.gaps))),
        disturbed,
    })
}

/// How far gaps are from the asked one: the farther of the first and the 99th percentile, or of the shortest and the longest.
#[allow(clippy::cast_precision_loss, reason = "nanoseconds of a gap")]
fn deviation(stats: &GapStats, asked_ns: f64) -> f64 {
    let ends = [percentile(stats, "p1").or(stats.gaps.min_ns), percentile(stats, "p99").or(stats.gaps.max_ns)];
    ends.into_iter().flatten().map(|ns| (ns as f64 - asked_ns).abs()).fold(0.0, f64::max)
}

fn percentile(stats: &GapStats, name: &str) -> Option<u64> {
    let one = stats.gaps.percentiles.iter().find(|one| one.name == name)?;
    if let PercentileValue::Ns(ns) = one.value { Some(ns) } else { None }
}

fn gaps(stats: Option<&GapStats>) -> Gaps {
    let Some(stats) = stats else { return Gaps::default() };
    Gaps {
        asked_ns: stats.asked_ns,
        p1_ns: percentile(stats, "p1"),
        p50_ns: percentile(stats, "p50"),
        p99_ns: percentile(stats, "p99"),
        max_ns: stats.gaps.max_ns,
        within: stats.within.iter().map(|share| share.share).collect(),
        fit: stats.fit,
    }
}
