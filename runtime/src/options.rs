//! What a run is started with beside its configuration: what the operator decides at the command line, or the program that
//! embeds the runtime.

use perigee_config::Load;
use perigee_load::Loader;
use perigee_pace::Trial;
use perigee_profile::Profiler;
use perigee_report::{CalibrationKey, Error};
use perigee_wasm::engine::Metering;
use std::path::Path;
use std::sync::Arc;

/// Options of [`crate::Run::start_with`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// How strict the jail is ([`crate::jail`]); `None`: as `[run] jail` says, and off where that says nothing. The jail is
    /// the whole process's, and for good: a program that embeds the runtime asks for it knowingly.
    pub jail: Option<perigee_config::JailMode>,
    /// Directories below which files may still be made and written in the jail. One that is not there is made; where the
    /// process changes its user, it becomes that user's. One that is there keeps its owner, and a link is refused.
    pub writable: Vec<std::path::PathBuf>,
    /// Files that the control thread removes at the end, within [`perigee_jail::with_rights`]: sockets.
    pub removed: Vec<std::path::PathBuf>,
    /// Who compiles modules.
    pub compiler: perigee_load::Compiler,
    /// Accepts signed modules of a version older than the highest seen, and takes theirs as the highest from then on.
    pub allow_downgrade: bool,
    /// Keeps evidence of failures; counts before what the configuration says.
    pub evidence: Option<crate::EvidenceOptions>,
    /// What calibrations have found out about methods of pacing, for ports of this machine and others. A simulation takes none.
    pub calibrations: Vec<Calibrated>,
    /// What is captured from the first packet on ([`crate::Run::take_captures`]).
    pub captures: Vec<crate::CaptureRequest>,
    /// Samples the lcores; a simulation has none. Its result is the caller's, after [`crate::Run::stop`].
    pub profiler: Option<Arc<Profiler>>,
    /// The run is a calibration: fillers are tried where nobody knows whether they arrive.
    pub calibrates: bool,
}

/// A calibration of a port, as far as methods are chosen by it.
#[derive(Clone, Debug)]
pub struct Calibrated {
    /// What it holds for.
    pub key: CalibrationKey,
    /// When it was made, as it is told.
    pub made: String,
    /// What came of each method.
    pub trials: Vec<Trial>,
}

impl Options {
    /// Who loads modules with these options: reads the policy and starts the compiler; paths start from `base`.
    ///
    /// # Errors
    /// As for [`Loader::start`].
    pub fn loader(&self, load: &Load, base: &Path) -> Result<Loader, Error> {
        self.loader_for(load, base, Metering::Epochs)
    }

    /// As [`Self::loader`], for engines that measure calls so.
    pub(crate) fn loader_for(&self, load: &Load, base: &Path, metering: Metering) -> Result<Loader, Error> {
        Loader::start(load, base, &self.compiler, self.allow_downgrade, metering)
    }
}
