//! Evidence of a failure: crash bundles, recordings, and the replay that shows the same trap again.
//!
//! An lcore whose instance traps copies what would be gone ([`Case`]); the control side writes it into a folder. In a recorded
//! run each instance has a [`Recorder`] as well. docs/evidence.md tells what is in a bundle and how to read it.

mod bytes;
mod case;
mod core;
mod folder;
mod image;
mod pcapng;
mod probe;
mod quota;
mod recorder;
mod recording;
mod replay;
mod texts;
mod trace;
mod witness;

pub(crate) use case::{Case, PacketCase};
pub(crate) use probe::{Probe, global_export, prepare};
pub(crate) use quota::Quota;
pub(crate) use recorder::Recorder;
pub(crate) use recording::Kind;
pub(crate) use witness::{Facts, Witness};

pub use replay::{Replay, Verdict};

use crate::load::hex;
use crate::wasm::engine::{Engines, WASM_STACK};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Most bytes of all bundles of one run; beyond it none is written.
const MOST_BYTES: u64 = 4 << 30;

/// What of a run's failures is kept, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EvidenceOptions {
    /// The directory in which each failure gets a folder. It is made, with mode 0700, where it is not there.
    pub directory: PathBuf,
    /// Records the inputs of all instances, with a snapshot every so many batches.
    pub record_every: Option<u32>,
}

impl EvidenceOptions {
    /// Batches between two snapshots, where nothing else is said.
    pub const RECORD_EVERY: u32 = 1_000;

    /// Bundles in a directory, nothing recorded.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), record_every: None }
    }

    /// Bundles with recordings.
    #[must_use]
    pub fn recording(directory: &Path, every: u32) -> Self {
        Self { directory: directory.to_owned(), record_every: Some(every) }
    }
}

/// How many bundles there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceStats {
    /// Bundles written.
    pub written: u64,
    /// Failures without one: their module had enough of them, or there were too many bytes.
    pub skipped: u64,
    /// Failures whose bundle could not be written, as when the disk was full.
    pub failed: u64,
}

/// Where in a run a failure happened, and what the configuration says of the module.
#[derive(Clone, Debug)]
pub(crate) struct Seated {
    pub(crate) class: String,
    pub(crate) chain: String,
    pub(crate) lcore: u32,
    pub(crate) stage: usize,
    pub(crate) seat: u64,
    /// The module's entry of the configuration, its grants included.
    pub(crate) settings: serde_json::Value,
}

/// The evidence of one run.
#[derive(Debug)]
pub(crate) struct Evidence {
    directory: PathBuf,
    record_every: Option<u32>,
    quotas: Mutex<BTreeMap<String, Arc<Quota>>>,
    engine: String,
    number: AtomicU64,
    bytes: AtomicU64,
    written: AtomicU64,
    skipped: AtomicU64,
    failed: AtomicU64,
}

impl Evidence {
    /// Makes the directory, where it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn new(options: &EvidenceOptions, engines: &Engines) -> Result<Self, crate::Error> {
        use std::os::unix::fs::DirBuilderExt;
        let path = &options.directory;
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| crate::Error::File { path: path.clone(), source })?;
        Ok(Self {
            directory: path.clone(),
            record_every: options.record_every,
            quotas: Mutex::default(),
            engine: engine_text(&engines.of(WASM_STACK as u64)?),
            number: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            written: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    /// Where bundles go.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// What stands beside a new instance of a module that was prepared.
    pub(crate) fn witness(&self, module: &str, probe: &Probe, facts: Facts) -> Witness {
        let mut quotas = self.quotas.lock().unwrap_or_else(PoisonError::into_inner);
        Witness {
            module: module.to_owned(),
            quota: Arc::clone(quotas.entry(module.to_owned()).or_default()),
            recorder: self.record_every.map(|every| Recorder::new(every, probe.unsnapshotable)),
            probe: probe.clone(),
            trace: None,
            facts,
        }
    }

    /// What the engine is: code that another one compiled may behave differently in what WebAssembly leaves open.
    pub(crate) fn engine(&self) -> &str {
        &self.engine
    }

    /// Whether calls are recorded.
    pub(crate) fn records(&self) -> bool {
        self.record_every.is_some()
    }

    /// Writes a bundle, from the control side. What cannot be written is counted, and told once.
    pub(crate) fn write(&self, case: &Case, seated: &Seated) {
        if self.bytes.load(Ordering::Relaxed) >= MOST_BYTES {
            self.skipped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let folder = self.directory.join(self.folder_name(case));
        let written = files(case, seated).and_then(|files| folder::write(&folder, &files).map_err(|e| e.to_string()));
        match written {
            Ok(bytes) => {
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
                self.written.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(module = case.module, "a crash bundle is in {}", folder.display());
            }
            Err(e) => {
                if self.failed.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::error!(module = case.module, "no crash bundle in {}: {e}", folder.display());
                }
            }
        }
    }

    fn folder_name(&self, case: &Case) -> String {
        let unix_s = case.facts.start_unix_ns.saturating_add(case.at_ns) / 1_000_000_000;
        let when = std::time::UNIX_EPOCH + std::time::Duration::from_secs(unix_s);
        let when = humantime::format_rfc3339_seconds(when).to_string().replace([':', '-'], "");
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        let module: String = case.module.chars().take(40).map(plain).collect();
        let (number, process) = (self.number.fetch_add(1, Ordering::Relaxed) + 1, std::process::id());
        format!("{when}-{module}-{process}-{number}")
    }

    /// How many bundles there are now.
    pub(crate) fn stats(&self) -> EvidenceStats {
        let quotas = self.quotas.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped: u64 = quotas.values().map(|quota| quota.skipped()).sum();
        EvidenceStats {
            written: self.written.load(Ordering::Relaxed),
            skipped: skipped + self.skipped.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}

/// The files of a bundle.
fn files(case: &Case, seated: &Seated) -> Result<Vec<(&'static str, Vec<u8>)>, String> {
    let json = |value: serde_json::Value| serde_json::to_vec_pretty(&value).map_err(|e| e.to_string());
    let mut files = vec![
        ("fault.json", json(texts::fault(case, seated))?),
        ("backtrace.txt", texts::backtrace(case, seated).into_bytes()),
        ("descriptors.json", json(texts::descriptors(case))?),
        ("batch.pcapng", pcapng::pcapng(case)?),
        ("core.wasm", core::core_dump(&case.module, &case.image, &case.globals, &case.trace)),
        ("module.wasm", case.probe.wasm.to_vec()),
    ];
    if let Some(Ok(recording)) = &case.recording {
        files.push(("recording.bin", recording.clone()));
    }
    Ok(files)
}

/// What compiles modules: version, settings and processor, as one number beside the version.
pub(crate) fn engine_text(engine: &wasmtime::Engine) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("wasmtime {} {:016x}", wasmtime_version(), hasher.finish())
}

/// The engine's version, as the lock file says it.
pub(crate) fn wasmtime_version() -> &'static str {
    const LOCK: &str = include_str!("../../../Cargo.lock");
    let entry = LOCK.split_once("name = \"wasmtime\"\nversion = \"").map_or("", |(_, rest)| rest);
    entry.split('"').next().unwrap_or("")
}

/// A text of a module's, so that it can do no harm on a terminal, and is not too long.
fn escaped(text: &str, most: usize) -> String {
    let plain = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
    text.chars().take(most).map(plain).collect()
}
