//! What the control server is in front of: a run, or something that looks like one.

use crate::config::Module;
use crate::error::Error;
use crate::grants::Grants;
use crate::run::Run;
use crate::stats::Snapshot;
use serde::Serialize;

/// What the control server asks of a run. All of it may block for as long as an lcore takes to answer.
pub trait Target: Send + Sync + 'static {
    /// All counters now.
    fn snapshot(&self) -> Snapshot;
    /// The modules, in the order of the configuration.
    fn modules(&self) -> Vec<ModuleEntry>;
    /// Sends a message to all instances of a module; their answers.
    ///
    /// # Errors
    /// As for [`Run::message`].
    fn message(&self, module: &str, bytes: &[u8]) -> Result<Vec<Vec<u8>>, Error>;
}

/// A module, as the configuration has it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ModuleEntry {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Its trust domain.
    pub domain: String,
    /// What it may do.
    pub grants: Grants,
}

impl From<&Module> for ModuleEntry {
    fn from(module: &Module) -> Self {
        Self {
            name: module.name.clone(),
            file: module.file.clone(),
            domain: module.domain.clone(),
            grants: module.grants.clone(),
        }
    }
}

impl Target for Run {
    fn snapshot(&self) -> Snapshot {
        Run::snapshot(self)
    }

    fn modules(&self) -> Vec<ModuleEntry> {
        self.config().modules.iter().map(ModuleEntry::from).collect()
    }

    fn message(&self, module: &str, bytes: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        Run::message(self, module, bytes)
    }
}

/// How the process's log is filtered while it runs.
pub trait LogFilter: Send + Sync + 'static {
    /// The filter in force.
    fn get(&self) -> String;
    /// Puts another one in force.
    ///
    /// # Errors
    /// A text that says what is wrong with the filter.
    fn set(&self, filter: &str) -> Result<(), String>;
}
