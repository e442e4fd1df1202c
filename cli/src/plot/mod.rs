//! `perigee plot`: pictures of what runs have measured, from their summaries.

mod axis;
mod curves;
mod draw;
#[cfg(test)]
mod tests;

use crate::{output, read};
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum, ValueHint};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What is drawn, and of which runs.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:
  perigee plot summary.json -o latency.svg                  # of a run with --json summary.json
  perigee plot before.json after.json -o both.svg           # two runs in one picture
  perigee plot summary.json -o gaps.svg --what gaps")]
pub(crate) struct PlotArgs {
    /// A summary that `--json` has written; several are drawn into one picture.
    #[arg(value_name = "RESULT", required = true, value_hint = ValueHint::FilePath)]
    results: Vec<PathBuf>,
    /// Where the picture goes: a file that ends in .svg, or `-` for standard output.
    #[arg(long, short, value_name = "OUT.svg", value_hint = ValueHint::FilePath)]
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
    /// Which part of the gaps between packets is no longer than so much, of departures and of arrivals.
    Gaps,
    /// Packets that arrived in a second, over time.
    Rate,
}

impl What {
    /// What a summary lacks that has none of it.
    fn lack(self) -> &'static str {
        match self {
            Self::Latency => {
                "no latency: that takes a [[stream]] with `probes`, some of which came back, or a [[path]]"
            }
            Self::Gaps => "no gaps: these take a [[stream]] with `probes`, several of which came back",
            Self::Rate => "no rate over time: that takes a [[stream]] with `probes`, some of which came back",
        }
    }
}

/// A run to be drawn.
struct Shown {
    /// In the legend.
    name: String,
    /// In errors.
    file: String,
    run: read::PastRun,
}

/// `perigee plot`.
pub(crate) fn plot(args: &PlotArgs) -> Result<ExitCode> {
    let is_stdout = args.output.as_os_str() == "-";
    if !is_stdout && args.output.extension().is_none_or(|end| !end.eq_ignore_ascii_case("svg")) {
        bail!("{}: pictures are written as SVG, to a file that ends in .svg", args.output.display());
    }
    let runs = args.results.iter().zip(names(&args.results));
    let runs = runs.map(|(file, name)| Ok(Shown { name, file: file.display().to_string(), run: read::summary(file)? }));
    let runs = runs.collect::<Result<Vec<_>>>()?;
    let svg = picture(&runs, args.what)?;
    if is_stdout {
        output::result(&svg)?;
    } else {
        std::fs::write(&args.output, svg).with_context(|| format!("cannot write {}", args.output.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The picture as SVG; refused where one of the runs has nothing to show on it.
fn picture(runs: &[Shown], what: What) -> Result<String> {
    let picture = curves::picture(runs, what);
    if !picture.without.is_empty() {
        bail!("{}: {}", picture.without.join(", "), what.lack());
    }
    draw::svg(&picture)
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
