//! What commands read: configurations, summaries of runs, and texts that may lie in files.

use crate::output;
use anyhow::{Context, Result, bail};
use perigee_runtime::config::{Config, ConfigError, Located, Problem, Severity, locate};
use perigee_runtime::{Manifest, Snapshot};
use serde::Deserialize;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file of more than this is no summary.
const MAX_SUMMARY: u64 = 64 << 20;

/// A configuration from a file, without errors.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// The directory that its paths start from.
    pub(crate) base: PathBuf,
    /// What it was read from, and its name, for problems that are found later.
    pub(crate) text: String,
    pub(crate) name: String,
}

impl Loaded {
    /// The problems with their lines.
    pub(crate) fn locate(&self, problems: &[Problem]) -> Vec<Located> {
        locate(&self.text, &self.name, problems)
    }
}

/// What is read of a summary, which may be somebody else's.
pub(crate) struct PastRun {
    pub(crate) manifest: Option<Manifest>,
    pub(crate) snapshot: Snapshot,
}

/// Reads a summary that `--json` has written.
pub(crate) fn summary(file: &Path) -> Result<PastRun> {
    let cannot = || format!("cannot read {}", file.display());
    let len = std::fs::metadata(file).with_context(cannot)?.len();
    if len > MAX_SUMMARY {
        bail!("{}: {len} bytes are too many for a summary", file.display());
    }
    let bytes = std::fs::read(file).with_context(cannot)?;
    past_run(&bytes).with_context(|| format!("{}: no summary of a run", file.display()))
}

/// Of a run, or of a simulation, which has it among other things. Reads the text twice: what `#[serde(flatten)]` has seen as text is no number any more, and reorder density has numbers as keys.
fn past_run(json: &[u8]) -> serde_json::Result<PastRun> {
    #[derive(Deserialize)]
    struct Made {
        manifest: Option<Manifest>,
        summary: Option<Snapshot>,
    }
    let Made { manifest, summary } = serde_json::from_slice(json)?;
    if let Some(snapshot) = summary {
        return Ok(PastRun { manifest, snapshot });
    }
    Ok(PastRun { manifest, snapshot: serde_json::from_slice(json)? })
}

/// Reads a configuration and refuses one with errors, all of them told with their lines. Warnings are told, too.
pub(crate) fn read(file: &Path) -> Result<Loaded> {
    read_for(file, |config, base| config.problems(base))
}

/// As [`read`], where something else is asked of it.
pub(crate) fn read_for(file: &Path, problems: impl Fn(&Config, &Path) -> Vec<Problem>) -> Result<Loaded> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let name = file.display().to_string();
    let config = Config::read(&text, &name)?;
    let base = file.parent().unwrap_or(Path::new("")).to_owned();
    let (errors, warnings): (Vec<_>, Vec<_>) = locate(&text, &name, &problems(&config, &base))
        .into_iter()
        .partition(|problem| problem.severity == Severity::Error);
    for warning in warnings {
        output::line(&warning.to_string());
    }
    if errors.is_empty() {
        Ok(Loaded { config, base, text, name })
    } else {
        Err(ConfigError { problems: errors }.into())
    }
}

/// Refuses a configuration that was built in code, where no line can be pointed at.
pub(crate) fn refuse_problems(problems: &[Problem]) -> Result<()> {
    let (errors, warnings): (Vec<_>, Vec<_>) = problems.iter().partition(|problem| problem.severity == Severity::Error);
    for warning in warnings {
        output::warning(&warning.to_string());
    }
    if errors.is_empty() {
        return Ok(());
    }
    bail!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// What an argument brings: itself, or with an @ what is in a file.
pub(crate) fn content(argument: &str) -> Result<Vec<u8>> {
    match argument.strip_prefix('@') {
        None => Ok(argument.as_bytes().to_vec()),
        Some("-") => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).context("standard input")?;
            Ok(bytes)
        }
        Some(file) => std::fs::read(file).with_context(|| format!("cannot read {file}")),
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use perigee_runtime::{StreamStats, Summary};

    #[test]
    fn a_summary_with_measured_streams_comes_back() {
        let mut stream = StreamStats { name: "a".into(), ..StreamStats::default() };
        stream.order.density = [(-1, 2), (0, 5)].into();
        let snapshot = Snapshot { elapsed_ns: 7, measured: vec![stream], ..Snapshot::default() };
        let manifest = Some(Manifest { seed: 3, ..Manifest::default() });
        let summary = Summary { snapshot, manifest, ..Summary::default() };
        let run = past_run(&serde_json::to_vec(&summary).unwrap()).unwrap();
        assert_eq!((run.manifest.unwrap().seed, run.snapshot.elapsed_ns), (3, 7));
        assert_eq!(run.snapshot.measured, summary.snapshot.measured);
        let simulated = serde_json::json!({ "seed": 5, "summary": summary });
        let run = past_run(&serde_json::to_vec(&simulated).unwrap()).unwrap();
        assert_eq!((run.snapshot.elapsed_ns, run.snapshot.measured), (7, summary.snapshot.measured));
    }
}
