//! What commands read: configurations, and texts that may lie in files.

use crate::output;
use anyhow::{Context, Result, bail};
use perigee_runtime::config::{Config, ConfigError, Located, Problem, Severity, locate};
use std::io::Read;
use std::path::{Path, PathBuf};

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
