//! A changed configuration is applied as a list of differences: all of them, or none.

use super::control::Ledger;
use super::report::{ApplyReport, SwapOptions};
use crate::config::{Action, Config, Severity};
use crate::error::Error;
use crate::run::Run;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::PoisonError;

impl Run {
    /// Applies a changed configuration while packets flow. `files` are the modules' files by the path that the configuration
    /// has for them: a running process may not read files any more. A module whose bytes, configuration or grants differ is
    /// replaced, as by [`Self::swap`]. Where a difference needs a restart, nothing is done, and the report says which.
    ///
    /// # Errors
    /// The new configuration has a problem, a file is missing, or a module is refused: then those that were replaced before
    /// it are put back.
    pub fn apply(&self, new: &Config, files: &BTreeMap<String, Vec<u8>>) -> Result<ApplyReport, Error> {
        let problems: Vec<_> = new.validate().into_iter().filter(|p| p.severity == Severity::Error).collect();
        if !problems.is_empty() {
            return Err(Error::Config { problems });
        }
        let actions = self.differences(new, files)?;
        let mut report =
            ApplyReport { actions: actions.iter().map(ToString::to_string).collect(), ..Default::default() };
        let restart = actions.iter().filter(|action| matches!(action, Action::Restart { .. }));
        report.restart = restart.map(ToString::to_string).collect();
        if !report.restart.is_empty() {
            return Ok(report);
        }
        for action in &actions {
            let Action::Swap { module, .. } = action else { continue };
            let Some(entry) = new.modules.iter().find(|entry| entry.name == *module) else { continue };
            let Some(bytes) = files.get(&entry.file) else { return Err(missing(&entry.file)) };
            let options = SwapOptions { entry: Some(entry.clone()), ..SwapOptions::default() };
            match self.swap(module, bytes, &options) {
                Ok(swap) => report.swaps.push(swap),
                Err(error) => {
                    for swap in report.swaps.iter().rev() {
                        self.take_back(swap.number, &format!("the configuration was not applied: {error}"));
                    }
                    return Err(error);
                }
            }
        }
        Ok(report)
    }

    /// What differs from what runs now. A module whose file has other bytes differs too.
    fn differences(&self, new: &Config, files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<Action>, Error> {
        let mut now = self.parts.maker.config.clone();
        let mut actions = Vec::new();
        for entry in &mut now.modules {
            let loaded = self.parts.maker.loaded(&entry.name)?;
            entry.clone_from(&loaded.entry);
            let Some(next) = new.modules.iter().find(|next| next.name == entry.name) else { continue };
            let bytes = files.get(&next.file).ok_or_else(|| missing(&next.file))?;
            if super::hex(&Sha256::digest(bytes)) != loaded.digest && *entry == *next {
                actions.push(Action::Swap { module: entry.name.clone(), changed: vec!["file"] });
            }
        }
        actions.extend(now.diff(new));
        Ok(actions)
    }

    /// Undoes a swap whose old instances are still there.
    fn take_back(&self, number: u64, why: &str) {
        let mut ledger = self.swaps.lock().unwrap_or_else(PoisonError::into_inner);
        let ledger: &mut Ledger = &mut ledger;
        self.roll_back(ledger, number, None, why);
    }
}

fn missing(file: &str) -> Error {
    Error::Request(format!("the bytes of {file:?} are missing: hand over the file of each module of the configuration"))
}
