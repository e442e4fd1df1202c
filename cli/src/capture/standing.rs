//! Captures that a run makes from its first packet to its last (`[[capture]]`): each has a process of its own that writes its files. It is
//! started before the run gives anything up, confined to its folder, and knows nothing of the run but the memory that it may read.

use super::account::Account;
use super::attendant::Attendant;
use super::files::Rotation;
use super::work::{lost, ports};
use crate::output;
use anyhow::{Context, Result, anyhow, bail};
use perigee_runtime::config::capture::{Capture as Entry, Format};
use perigee_runtime::config::{Config, JailMode};
use perigee_runtime::{Capture, CaptureRequest, Run, Snapshot, Teller, filter_instructions, text};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::Path;

/// What a writer is told first.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Plan {
    pub(super) folder: OsString,
    pub(super) name: OsString,
    pub(super) filter: Option<String>,
    pub(super) format: Format,
    pub(super) rotation: Rotation,
    pub(super) overwrite: bool,
    /// Whom it becomes where the run was started as root.
    pub(super) user: Option<String>,
    pub(super) jail: Mode,
}

/// As [`JailMode`], for which there is only one way.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) enum Mode {
    On,
    Log,
    Off,
}

impl From<JailMode> for Mode {
    fn from(mode: JailMode) -> Self {
        match mode {
            JailMode::On => Self::On,
            JailMode::Log => Self::Log,
            JailMode::Off => Self::Off,
        }
    }
}

impl From<Mode> for JailMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::On => Self::On,
            Mode::Log => Self::Log,
            Mode::Off => Self::Off,
        }
    }
}

/// What a writer says: once when it is ready, and once at its end.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Said {
    pub(super) error: Option<String>,
    pub(super) account: Option<Account>,
}

/// A capture of a run's own.
pub(crate) struct Standing {
    file: String,
    request: CaptureRequest,
    writer: Attendant,
    /// While the run goes on.
    capture: Option<Capture>,
    /// What its writer is told of ports: whose they are, by point.
    losses: Option<(Teller, Vec<Option<String>>)>,
}

impl Standing {
    /// Starts the writers of a configuration, before the run.
    pub(crate) fn start(config: &Config, base: &Path, mode: JailMode) -> Result<Vec<Self>> {
        let one = |entry: &Entry| {
            Self::start_one(config, entry, base, mode).with_context(|| format!("capture {:?}", entry.file))
        };
        config.capturing.iter().map(one).collect()
    }

    fn start_one(config: &Config, entry: &Entry, base: &Path, mode: JailMode) -> Result<Self> {
        let program = entry.filter.as_deref().map(filter_instructions).transpose();
        let request = CaptureRequest {
            at: entry.at.clone(),
            filter: entry.filter.clone(),
            program: program.map_err(|what| anyhow!("filter: {what}"))?.unwrap_or_default(),
            snaplen: entry.snaplen,
            memory: entry.memory,
        };
        let file = base.join(&entry.file);
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let plan = Plan {
            folder: std::path::absolute(folder).context("its folder")?.into(),
            name: file.file_name().context("it has no name")?.to_owned(),
            filter: entry.filter.clone(),
            format: entry.format,
            rotation: Rotation {
                size: entry.rotate_size,
                time: entry.rotate_time,
                count: entry.rotate_count,
                keep: entry.keep,
            },
            overwrite: entry.overwrite,
            user: config.run.user.clone(),
            jail: mode.into(),
        };
        let mut writer = Attendant::start("capture-writer", &plan)?;
        match writer.hear::<Said>()?.error {
            Some(error) => bail!("{error}"),
            None => Ok(Self { file: entry.file.clone(), request, writer, capture: None, losses: None }),
        }
    }

    /// What the run is to capture from its first packet on.
    pub(crate) fn request(&self) -> CaptureRequest {
        self.request.clone()
    }

    /// The run works, and captures this.
    pub(crate) fn begin(&mut self, run: &Run, capture: Capture) -> Result<()> {
        self.losses = Some((capture.teller(), ports(capture.info())));
        self.tell(&run.snapshot());
        self.writer.hand(&capture)?;
        self.capture = Some(capture);
        Ok(())
    }

    /// Tells the writer what ports have lost, for the files' counts.
    pub(crate) fn tell(&self, now: &Snapshot) {
        let Some((teller, ports)) = &self.losses else { return };
        for (place, lost) in lost(ports, now).enumerate() {
            lost.into_iter().for_each(|lost| teller.tell(place, lost));
        }
    }

    /// There is a port whose losses it has to know.
    pub(crate) fn has_ports(&self) -> bool {
        self.losses.as_ref().is_some_and(|(_, ports)| ports.iter().any(Option::is_some))
    }

    /// The run is about to stop: it has its last packets, too.
    pub(crate) fn leave_to_run(&mut self) {
        self.capture.take().into_iter().for_each(Capture::leave_to_run);
    }

    /// The run has stopped: what was written, and what is wrong.
    pub(crate) fn end(self, last: &Snapshot) -> Option<String> {
        self.tell(last);
        let file = text::line(&self.file, text::WORDS);
        match self.writer.end() {
            Ok(Said { error, account }) => {
                if let Some(account) = account {
                    output::line(&format!("capture {file}\n{}", account.shown().trim_end()));
                }
                error.map(|error| format!("capture {file}: {}", text::line(&error, text::WORDS)))
            }
            Err(error) => Some(format!("capture {file}: its process does not tell its end: {error:#}")),
        }
    }
}
