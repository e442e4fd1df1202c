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
mod witness;

pub use case::{Case, PacketCase};
pub use probe::{Probe, prepare};
pub use quota::Quota;
pub use recorder::Recorder;
pub use recording::Kind;
pub use witness::{Started, Witness};

pub use replay::{Recording, Replay, Verdict};

use perigee_core::hex::hex;
use perigee_core::lock;
use perigee_jail::Folder;
use perigee_report::EvidenceStats;
use perigee_wasm::engine::{Engines, WASM_STACK};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Most bytes of all bundles of one run; beyond it none is written.
const MOST_BYTES: u64 = 4 << 30;

/// What of a run's failures is kept, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EvidenceOptions {
    /// The directory in which each failure gets a folder. It is made, with mode 0700, where it is not there, and then belongs
    /// to the user that the process becomes. One that is there keeps its owner: if that is somebody else, the folders go into
    /// `uid-N` below it, which is that user's. A link is refused.
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

/// Where in a run a failure happened, and what the configuration says of the module.
#[derive(Clone, Debug)]
pub struct FaultPlace {
    /// The failure's class, by its name.
    pub class: String,
    /// Name of the chain.
    pub chain: String,
    /// The lcore's CPU.
    pub lcore: u32,
    /// Position in the chain.
    pub stage: usize,
    /// Which seat of the run it is.
    pub seat: u64,
    /// DPDK's version.
    pub dpdk: String,
    /// The module's entry of the configuration, its grants included.
    pub settings: serde_json::Value,
}

/// The evidence of one run.
#[derive(Debug)]
pub struct Evidence {
    directory: Folder,
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
    /// Into a folder that is there.
    ///
    /// # Errors
    /// The engine does not start.
    pub fn new(options: &EvidenceOptions, directory: Folder, engines: &Engines) -> Result<Self, perigee_report::Error> {
        Ok(Self {
            directory,
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
    pub fn directory(&self) -> &Folder {
        &self.directory
    }

    /// What stands beside a new instance of a module that was prepared. One that has secrets is not recorded: they would be in its
    /// inputs and its memory.
    pub fn witness(&self, module: &str, probe: &Probe, started: Started, has_secrets: bool) -> Witness {
        let mut quotas = lock(&self.quotas);
        let record_every = self.record_every.filter(|_| !has_secrets);
        Witness {
            module: module.to_owned(),
            quota: Arc::clone(quotas.entry(module.to_owned()).or_default()),
            recorder: record_every.map(|every| Recorder::new(every, probe.unsnapshotable)),
            probe: probe.clone(),
            started,
        }
    }

    /// What the engine is: code that another one compiled may behave differently in what WebAssembly leaves open.
    pub fn engine(&self) -> &str {
        &self.engine
    }

    /// Whether calls are recorded.
    pub fn records(&self) -> bool {
        self.record_every.is_some()
    }

    /// Writes a bundle, from the control side. What cannot be written is counted, and told once.
    pub fn write(&self, case: &Case, seated: &FaultPlace) {
        if self.bytes.load(Ordering::Relaxed) >= MOST_BYTES {
            self.skipped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let name = self.folder_name(case);
        let (folder, shown) = (self.directory.path().join(&name), self.directory.shown().join(&name));
        let written = files(case, seated).and_then(|files| folder::write(&folder, &files).map_err(|e| e.to_string()));
        match written {
            Ok(bytes) => {
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
                self.written.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(module = case.module, "a crash bundle is in {}", shown.display());
            }
            Err(e) => {
                if self.failed.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::error!(module = case.module, "no crash bundle in {}: {e}", shown.display());
                }
            }
        }
    }

    fn folder_name(&self, case: &Case) -> String {
        let unix_s = case.started.start_unix_ns.saturating_add(case.at_ns) / 1_000_000_000;
        let when = std::time::UNIX_EPOCH + std::time::Duration::from_secs(unix_s);
        let when = humantime::format_rfc3339_seconds(when).to_string().replace([':', '-'], "");
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        let module: String = case.module.chars().take(40).map(plain).collect();
        let (number, process) = (self.number.fetch_add(1, Ordering::Relaxed) + 1, std::process::id());
        format!("{when}-{module}-{process}-{number}")
    }

    /// How many bundles there are now.
    pub fn stats(&self) -> EvidenceStats {
        let quotas = lock(&self.quotas);
        let skipped: u64 = quotas.values().map(|quota| quota.skipped()).sum();
        EvidenceStats {
            written: self.written.load(Ordering::Relaxed),
            skipped: skipped + self.skipped.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}

/// The files of a bundle.
fn files(case: &Case, seated: &FaultPlace) -> Result<Vec<(&'static str, Vec<u8>)>, String> {
    let json = |value: serde_json::Value| serde_json::to_vec_pretty(&value).map_err(|e| e.to_string());
    let mut files = vec![
        ("fault.json", json(texts::fault(case, seated))?),
        ("backtrace.txt", texts::backtrace(case, seated).into_bytes()),
        ("log.txt", texts::log(&case.log).into_bytes()),
        ("descriptors.json", json(texts::descriptors(case))?),
        ("batch.pcapng", pcapng::pcapng(case)?),
        ("module.wasm", case.probe.wasm.to_vec()),
    ];
    if case.secrets.is_empty() {
        files.push(("core.wasm", core::core_dump(&case.module, &case.image, &case.globals, &case.trace)));
    }
    if let Some(Ok(recording)) = &case.recording {
        files.push(("recording.bin", recording.clone()));
    }
    Ok(files)
}

/// What compiles modules: version, settings and processor, as one number beside the version.
pub fn engine_text(engine: &wasmtime::Engine) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("wasmtime {} {:016x}", wasmtime_version(), hasher.finish())
}

/// The engine's version, as the lock file says it.
pub fn wasmtime_version() -> &'static str {
    const LOCK: &str = include_str!("../../../Cargo.lock");
    let entry = LOCK.split_once("name = \"wasmtime\"\nversion = \"").map_or("", |(_, rest)| rest);
    entry.split('"').next().unwrap_or("")
}
