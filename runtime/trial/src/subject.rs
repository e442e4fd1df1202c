//! What is tried: a module that was loaded.

use perigee_config as config;
use perigee_load::{Loader, Upload};
use perigee_report::Error;
use perigee_report::ModuleInfo;
use perigee_wasm::engine::{self, Engines};
use perigee_wasm::limits::Limits;
use perigee_wasm::module::Module;
use perigee_wasm::ticker::Ticker;
use std::path::Path;

/// A module that was compiled and checked, to be started any number of times.
pub struct Subject {
    pub(super) module: Module,
    pub(super) limits: Limits,
    ticker: Ticker,
    /// The compiler works in this process, without limits.
    pub(super) is_compiled_here: bool,
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").field("module", &self.module).finish_non_exhaustive()
    }
}

impl Subject {
    /// Loads a `.wasm` or `.wat` file.
    ///
    /// # Errors
    /// Where a run would refuse it: the text says which export or import.
    pub fn load(file: &Path, limits: Limits) -> Result<Self, Error> {
        let bytes = std::fs::read(file).map_err(|source| Error::File { path: file.to_owned(), source })?;
        Self::from_bytes(&file.file_name().unwrap_or_default().to_string_lossy(), &bytes, limits)
    }

    /// As [`Self::load`], from bytes, binary or text.
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn from_bytes(name: &str, bytes: &[u8], limits: Limits) -> Result<Self, Error> {
        let (engine, ticker) = engine::new()?;
        Ok(Self { module: Module::compile(&engine, name, bytes, limits)?, limits, ticker, is_compiled_here: true })
    }

    /// As [`Self::from_bytes`], compiled by `loader`: with its limits of time and memory.
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn by(loader: &Loader, name: &str, upload: &Upload) -> Result<Self, Error> {
        let engines = Engines::default();
        let ticker = Ticker::start(&engines);
        let entry = config::Module::new(name, "");
        let module = loader.load(&engines, &entry, upload, None)?;
        Ok(Self { module, limits: Limits::from(&entry.grants), ticker, is_compiled_here: false })
    }

    /// Facts of the module.
    #[must_use]
    pub fn info(&self) -> &ModuleInfo {
        self.module.describe()
    }

    /// Times between the ticks of the clock behind its deadlines, since it was loaded.
    #[must_use]
    pub fn ticker_gaps(&self) -> perigee_report::TickerGaps {
        self.ticker.gaps()
    }

    /// True where it exports this callback.
    #[must_use]
    pub fn has(&self, callback: &str) -> bool {
        self.module.has(callback)
    }
}
