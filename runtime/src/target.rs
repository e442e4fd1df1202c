//! What a control server is in front of: a run, or something that looks like one.

use crate::capture::{Capture, CaptureRequest, CaptureStatus, HistoryStatus};
use crate::run::Run;
use crate::swap::SwapOptions;
use perigee_config::Grants;
use perigee_config::{Action, Config, Module};
use perigee_datapath::stream::Change;
use perigee_load::Upload;
use perigee_report::Error;
use perigee_report::PaceStats;
use perigee_report::Snapshot;
use perigee_report::{ApplyReport, SwapReport, Swaps};
use perigee_report::{Distribution, Graph};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

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
    /// Makes new instances in the place of those that have failed; how many.
    ///
    /// # Errors
    /// As for [`Run::restart`].
    fn restart(&self, module: &str) -> Result<usize, Error>;
    /// Changes a stream; how it stands then.
    ///
    /// # Errors
    /// As for [`Run::change_stream`].
    fn change_stream(&self, stream: &str, change: Change) -> Result<PaceStats, Error>;
    /// What it is made of.
    fn graph(&self) -> Graph;
    /// How the latencies of a stream are distributed; `None` where that is not measured.
    fn latency(&self, stream: &str) -> Option<Distribution>;
    /// Replaces a module.
    ///
    /// # Errors
    /// As for [`Run::swap`].
    fn swap(&self, module: &str, upload: Upload, options: &SwapOptions) -> Result<SwapReport, Error>;
    /// What differs between what runs and a configuration, whose modules' files are given by the path that it has for them.
    ///
    /// # Errors
    /// A file is missing.
    fn diff(&self, new: &Config, files: &BTreeMap<String, Upload>) -> Result<Vec<Action>, Error>;
    /// Applies a configuration.
    ///
    /// # Errors
    /// As for [`Run::apply`].
    fn apply(&self, new: &Config, files: &BTreeMap<String, Upload>) -> Result<ApplyReport, Error>;
    /// The swaps so far; `None` while one is under way.
    fn swaps(&self) -> Option<Swaps>;
    /// Begins to capture packets.
    ///
    /// # Errors
    /// As for [`Run::capture`]; or it has no packets.
    fn capture(&self, _request: &CaptureRequest) -> Result<Capture, Error> {
        Err(Error::Capture("there are no packets here".to_owned()))
    }
    /// What it remembers of its packets.
    fn histories(&self) -> Vec<HistoryStatus> {
        Vec::new()
    }
    /// A history, for one more reader; `None` where there is none of that name.
    fn history(&self, _name: &str) -> Option<Result<Capture, Error>> {
        None
    }
    /// The captures under way.
    fn captures(&self) -> Vec<CaptureStatus> {
        Vec::new()
    }
}

/// A module, as the configuration has it.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub struct ModuleEntry {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub digest: String,
    /// Its trust domain.
    pub domain: String,
    /// What it may do, as in the configuration.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub grants: Grants,
    /// What is told of its secrets, by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
}

impl From<&Module> for ModuleEntry {
    fn from(module: &Module) -> Self {
        Self {
            name: module.name.clone(),
            file: module.file.clone(),
            digest: String::new(),
            domain: module.domain.clone(),
            grants: module.grants.clone(),
            secrets: module.secrets().map(|secrets| secrets.digests()).unwrap_or_default(),
        }
    }
}

impl Target for Run {
    fn snapshot(&self) -> Snapshot {
        Run::snapshot(self)
    }

    fn modules(&self) -> Vec<ModuleEntry> {
        // What runs now may have come later than the configuration.
        let now = |module: &Module| match self.parts.maker.loaded(&module.name) {
            Ok(loaded) => ModuleEntry { digest: loaded.digest.clone(), ..ModuleEntry::from(&loaded.entry) },
            Err(_) => ModuleEntry::from(module),
        };
        self.config().modules.iter().map(now).collect()
    }

    fn message(&self, module: &str, bytes: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        Run::message(self, module, bytes)
    }

    fn restart(&self, module: &str) -> Result<usize, Error> {
        Run::restart(self, module)
    }

    fn change_stream(&self, stream: &str, change: Change) -> Result<PaceStats, Error> {
        Run::change_stream(self, stream, change)
    }

    fn graph(&self) -> Graph {
        crate::graph::of(&self.config())
    }

    fn latency(&self, stream: &str) -> Option<Distribution> {
        crate::snapshot::latency(&self.parts, stream)
    }

    fn swap(&self, module: &str, upload: Upload, options: &SwapOptions) -> Result<SwapReport, Error> {
        Run::swap(self, module, upload, options)
    }

    fn diff(&self, new: &Config, files: &BTreeMap<String, Upload>) -> Result<Vec<Action>, Error> {
        self.changes.of(&self.parts).differences(new, files)
    }

    fn apply(&self, new: &Config, files: &BTreeMap<String, Upload>) -> Result<ApplyReport, Error> {
        Run::apply(self, new, files)
    }

    fn swaps(&self) -> Option<Swaps> {
        self.changes.try_swaps()
    }

    fn capture(&self, request: &CaptureRequest) -> Result<Capture, Error> {
        Run::capture(self, request)
    }

    fn captures(&self) -> Vec<CaptureStatus> {
        self.captures.now()
    }

    fn histories(&self) -> Vec<HistoryStatus> {
        self.histories.now()
    }

    fn history(&self, name: &str) -> Option<Result<Capture, Error>> {
        self.histories.of(name)
    }
}
