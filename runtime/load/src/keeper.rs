//! What compiling needs of the file system: the cache, and the memory of versions. It is held by who compiles: the compile
//! server, or this process where it compiles itself.

use super::cache::{Cache, Found};
use super::directory::{self, Purpose};
use super::versions::Versions;
use perigee_config as config;
use perigee_wasm::compile::Native;
use perigee_wasm::engine::Metering;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a keeper is made of; goes to the compile server as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Where compiled code is kept, and whether that must succeed.
    pub(super) cache: Option<(PathBuf, bool)>,
    pub(super) cache_size: u64,
    /// Where versions are remembered.
    pub(super) state: Option<PathBuf>,
    /// Limits of one compilation.
    pub(super) time: Duration,
    pub(super) memory: u64,
    /// For which engine.
    pub(super) metering: Metering,
}

impl Plan {
    pub(super) fn new(load: &config::Load, base: &Path, metering: Metering) -> Self {
        let asked = matches!(load.cache, config::Directory::Path(_));
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let cache = directory::path(&load.cache, Purpose::Cache, base);
        let state = directory::path(&load.state, Purpose::State, base).filter(|_| load.policy.is_some());
        Self {
            cache: cache.map(|path| (absolute(path), asked)),
            cache_size: load.cache_size,
            state: state.map(absolute),
            time: load.time,
            memory: load.memory,
            metering,
        }
    }
}

/// The cache and the versions, opened.
pub(super) struct Keeper {
    cache: Option<Cache>,
    versions: Option<Versions>,
    /// What the operator shall know, until somebody takes it.
    pub(super) notes: Vec<Note>,
}

/// Something to log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Note {
    /// Somebody or something has done what should not be.
    Warning(String),
    /// Good to know.
    Info(String),
}

impl Note {
    pub(super) fn log(&self) {
        match self {
            Self::Warning(text) => tracing::warn!("{text}"),
            Self::Info(text) => tracing::info!("{text}"),
        }
    }
}

/// Code, and whether it was in the cache.
pub(super) struct Compiled {
    pub(super) native: Native,
    pub(super) cached: bool,
}

impl Keeper {
    /// Opens what the plan names. A cache that nobody asked for may be missing.
    ///
    /// # Errors
    /// A directory that others can write to, or that cannot be made.
    pub(super) fn open(plan: &Plan) -> Result<Self, String> {
        let mut notes = Vec::new();
        let cache = match &plan.cache {
            None => None,
            Some((path, asked)) => match Cache::open(path, plan.cache_size) {
                Ok(cache) => Some(cache),
                Err(what) if *asked => return Err(format!("{what} ([load] cache)")),
                Err(what) => {
                    notes.push(Note::Info(format!("compiled code is not kept: {what}")));
                    None
                }
            },
        };
        let versions = plan.state.as_ref().map(|path| Versions::open(path)).transpose();
        let versions = versions.map_err(|what| format!("{what} ([load] state)"))?;
        Ok(Self { cache, versions, notes })
    }

    /// Takes code from the cache, or has it made by `translate` and keeps it.
    ///
    /// # Errors
    /// As `translate`.
    pub(super) fn compile(
        &mut self,
        wasm: &[u8],
        engine: &[u8; 32],
        translate: impl FnOnce(&[u8]) -> Result<Native, String>,
    ) -> Result<Compiled, String> {
        if let Some(cache) = &self.cache {
            match cache.find(wasm, engine) {
                Found::Native(native) => return Ok(Compiled { native, cached: true }),
                Found::Bad(why) => self.notes.push(Note::Warning(why)),
                Found::Nothing => {}
            }
        }
        let native = translate(wasm)?;
        if let Some(Err(why)) = self.cache.as_ref().map(|cache| cache.keep(wasm, engine, &native)) {
            self.notes.push(Note::Warning(why));
        }
        Ok(Compiled { native, cached: false })
    }

    /// The highest version of a signed module so far.
    ///
    /// # Errors
    /// The memory of versions cannot be read.
    pub(super) fn highest(&self, module: &str) -> Result<Option<u64>, String> {
        self.versions.as_ref().map_or(Ok(None), |versions| versions.highest(module))
    }

    /// Remembers a version, if nobody has remembered a higher one meanwhile or `back` says that it may go back.
    ///
    /// # Errors
    /// There is a higher one, or it cannot be written.
    pub(super) fn remember(&self, module: &str, version: u64, back: bool) -> Result<(), String> {
        self.versions.as_ref().map_or(Ok(()), |versions| versions.remember(module, version, back))
    }
}
