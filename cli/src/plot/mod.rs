//! `perigee plot`: pictures of what runs have measured, from their results.
//!
//! - `source.rs`: summaries, lines of JSON, logs of HdrHistogram.
//! - `parts.rs`: the curves of one run. `spread.rs`: of several runs of the same. `curves.rs`: all of a picture.
//! - `axis.rs`, `draw.rs`, `font.rs`: how it is drawn.

mod axis;
mod curves;
mod draw;
mod font;
mod parts;
mod source;
mod spread;
#[cfg(test)]
mod tests;

use crate::output;
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum, ValueHint};
use source::Source;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What is drawn, and of which runs.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:
  perigee plot summary.json -o latency.svg                  # of a run with --json summary.json
  perigee plot before.json after.json -o both.png           # two runs in one picture
  perigee plot summary.json -o gaps.svg --what gaps
  perigee plot run.jsonl -o rate.svg --what rate-over-time  # of a run with --json-lines run.jsonl
  perigee plot run.hlog -o latency.png --what histogram     # of a run with --hdr-log run.hlog
  perigee plot --group old=1.json,2.json,3.json --group new=4.json,5.json,6.json -o spread.svg")]
pub(crate) struct PlotArgs {
    /// A result: what --json, --json-lines or --hdr-log of a run has written; several are drawn into one picture.
    #[arg(value_name = "RESULT", required_unless_present = "groups", value_hint = ValueHint::FilePath)]
    results: Vec<PathBuf>,
    /// Several runs of the same, drawn as their median and the band in which all of them lie. May be given several times.
    #[arg(long = "group", value_name = "NAME=FILE,FILE,…", value_parser = parse_group)]
    groups: Vec<Group>,
    /// Where the picture goes: a file that ends in .svg or .png, or `-` for SVG on standard output.
    #[arg(long, short, value_name = "OUT.svg|png", value_hint = ValueHint::FilePath)]
    output: PathBuf,
    /// What is drawn.
    #[arg(long, value_enum, default_value_t = What::Latency)]
    what: What,
}

/// What a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Latency by percentile: from real and from intended departure, and of paths from the first place to the second.
    Latency,
    /// Which part of the packets took no longer than so much.
    LatencyCdf,
    /// How many packets took how long; of a log (--hdr-log).
    Histogram,
    /// Percentiles of the latency: of each interval of a log (--hdr-log), or up to each line (--json-lines).
    PercentilesOverTime,
    /// Packets that ports sent and received from line to line (--json-lines).
    RateOverTime,
    /// Which part of the gaps between packets is no longer than so much, of departures and of arrivals.
    Gaps,
    /// Packets that arrived in a second, over time.
    Rate,
}

impl What {
    /// What a result lacks that has none of it.
    fn lack(self) -> &'static str {
        match self {
            Self::Latency | Self::LatencyCdf => {
                "no latency: that takes a [[stream]] with `probes`, some of which came back, or a [[path]]"
            }
            Self::Histogram => "no histogram: only a log of latencies has one, as --hdr-log of a run writes it",
            Self::PercentilesOverTime => {
                "no percentiles over time: these take what --hdr-log or --json-lines of a run has written, with enough `probes`"
            }
            Self::RateOverTime => "no rates over time: these take what --json-lines of a run has written",
            Self::Gaps => {
                "no gaps: these take the summary of a run with a [[stream]] with `probes`, several of which came back"
            }
            Self::Rate => "no rate over time: that takes a [[stream]] with `probes`, some of which came back",
        }
    }
}

/// Files of several runs, and what they are called together.
#[derive(Clone, Debug)]
struct Group {
    name: String,
    files: Vec<PathBuf>,
}

fn parse_group(text: &str) -> Result<Group, String> {
    let (name, files) = text.split_once('=').ok_or("a name, =, and files separated by commas: old=1.json,2.json")?;
    let files: Vec<PathBuf> = files.split(',').filter(|file| !file.is_empty()).map(PathBuf::from).collect();
    if name.is_empty() || files.len() < 2 {
        return Err("a name and two files or more: old=1.json,2.json".to_owned());
    }
    Ok(Group { name: name.to_owned(), files })
}

/// A run to be drawn.
struct Shown {
    /// In errors.
    file: String,
    source: Source,
}

/// What has curves of its own: a run, or several together.
struct Unit {
    /// In the legend.
    name: String,
    runs: Vec<Shown>,
}

/// How a picture is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Svg,
    Png,
}

/// `perigee plot`.
pub(crate) fn plot(args: &PlotArgs) -> Result<ExitCode> {
    let is_stdout = args.output.as_os_str() == "-";
    let format = if is_stdout { Format::Svg } else { format(&args.output)? };
    let shown = |file: &PathBuf| Ok(Shown { file: file.display().to_string(), source: source::read(file)? });
    let single = args.results.iter().zip(names(&args.results));
    let single = single.map(|(file, name)| Ok(Unit { name, runs: vec![shown(file)?] }));
    let groups = args.groups.iter().map(|group| {
        Ok(Unit { name: group.name.clone(), runs: group.files.iter().map(shown).collect::<Result<_>>()? })
    });
    let units = single.chain(groups).collect::<Result<Vec<_>>>()?;
    let picture = picture(&units, args.what, format)?;
    if is_stdout {
        match std::io::stdout().write_all(&picture) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            written => written.context("standard output")?,
        }
    } else {
        output::Output::open(&args.output)?.write(&picture)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn format(output: &Path) -> Result<Format> {
    let end = output.extension().map(|end| end.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    match end.as_str() {
        "svg" => Ok(Format::Svg),
        "png" => Ok(Format::Png),
        _ => bail!("{}: pictures are written as SVG or PNG, to a file that ends in .svg or .png", output.display()),
    }
}

/// The picture; refused where one of the runs has nothing to show on it.
fn picture(units: &[Unit], what: What, format: Format) -> Result<Vec<u8>> {
    let picture = curves::picture(units, what);
    ensure!(picture.without.is_empty(), "{}: {}", picture.without.join(", "), what.lack());
    match format {
        Format::Svg => draw::svg(&picture),
        Format::Png => draw::png(&picture),
    }
}

/// What the runs are called: their files without the end, with folders where these would be the same.
fn names(files: &[PathBuf]) -> Vec<String> {
    let stem = |file: &Path| file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let stems: Vec<String> = files.iter().map(|file| stem(file)).collect();
    let name = |(at, stem): (usize, &String)| match stems.iter().filter(|other| *other == stem).count() {
        1 => stem.clone(),
        _ => files[at].with_extension("").display().to_string(),
    };
    stems.iter().enumerate().map(name).collect()
}
