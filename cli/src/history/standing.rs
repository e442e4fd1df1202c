//! What a run waits for in its histories from its first packet to its last (`[[trigger]]`): each trigger has a process of its own, started
//! before the run gives anything up and confined to the folder of its dumps.

use super::dumps::Bounds;
use super::tape;
use super::watch::{LOOK, news};
use super::work::Outcome;
use crate::capture::{Attendant, Mode};
use crate::output;
use anyhow::{Context, Result, bail};
use perigee_runtime::config::trigger::Trigger;
use perigee_runtime::config::{Config, JailMode, ModuleConfig};
use perigee_runtime::{Capture, Run, Target, text};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What such a process is told first.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Plan {
    pub(super) history: String,
    pub(super) folder: OsString,
    pub(super) what: What,
    pub(super) bounds: Bounds,
    /// Whom it becomes where the run was started as root.
    pub(super) user: Option<String>,
    pub(super) jail: Mode,
}

/// What it waits for.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum What {
    Filter(String),
    /// Bytes within a time.
    Burst(u64, Duration),
    Fault,
    Module(Watching),
}

/// A module that says what is an event.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Watching {
    pub(super) name: String,
    pub(super) file: PathBuf,
    /// Most bytes that it may have.
    pub(super) most: u64,
    pub(super) config: Vec<u8>,
    /// Most memory, elements of tables, CPU time of a call on packets and of others: as granted.
    pub(super) memory: u64,
    pub(super) table: u32,
    pub(super) deadline: Duration,
    pub(super) control_deadline: Duration,
}

/// What it says: when it is ready, when it watches, and at its end.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Said {
    pub(super) error: Option<String>,
    /// SHA-256 of its module, in hexadecimal.
    pub(super) digest: Option<String>,
    pub(super) outcome: Option<Outcome>,
}

/// The triggers of a run.
pub(crate) struct Standing {
    all: Vec<One>,
    /// Failures of modules, as far as was looked.
    known: Option<u64>,
    looked: Instant,
}

struct One {
    entry: Trigger,
    attendant: Attendant,
    digest: Option<String>,
    /// As long as the run goes on.
    history: Option<Capture>,
}

impl Standing {
    /// Starts the processes of a configuration, before the run.
    pub(crate) fn start(config: &Config, base: &Path, mode: JailMode) -> Result<Self> {
        let one = |entry: &Trigger| {
            One::start(config, entry, base, mode).with_context(|| format!("trigger {:?}", entry.name))
        };
        let all = config.triggers.iter().map(one).collect::<Result<_>>()?;
        Ok(Self { all, known: None, looked: Instant::now() })
    }

    /// The run works: events are waited for from now on.
    pub(crate) fn begin(&mut self, run: &Run) -> Result<()> {
        for one in &mut self.all {
            one.begin(run).with_context(|| format!("trigger {:?}", one.entry.name))?;
        }
        Ok(())
    }

    /// Tells those that wait for failures of modules.
    pub(crate) fn look(&mut self, run: &Run) {
        if !self.all.iter().any(|one| one.entry.fault) || self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        let Some(why) = news(&mut self.known, &run.snapshot()) else { return };
        for one in self.all.iter_mut().filter(|one| one.entry.fault) {
            if let Err(error) = one.attendant.tell(&why) {
                // The run goes on without one that does not read, and does not wait for it again.
                one.entry.fault = false;
                tracing::warn!("trigger {}: {error:#}", text::line(&one.entry.name, text::NAME));
            }
        }
    }

    /// The run has stopped: what was written, and what is wrong.
    pub(crate) fn end(self) -> Vec<String> {
        self.all.into_iter().filter_map(One::end).collect()
    }
}

impl One {
    fn start(config: &Config, entry: &Trigger, base: &Path, mode: JailMode) -> Result<Self> {
        let plan = Plan {
            history: entry.history.clone(),
            folder: std::path::absolute(base.join(&entry.into)).context("its folder")?.into(),
            what: what(config, entry, base)?,
            bounds: Bounds {
                past_ns: tape::ns(entry.past),
                future_ns: tape::ns(entry.future),
                all: entry.all,
                per_minute: usize::try_from(entry.per_minute)?,
                bytes: entry.most_bytes,
                dumps: None,
            },
            user: config.run.user.clone(),
            jail: mode.into(),
        };
        let mut attendant = Attendant::start("trigger-writer", &plan)?;
        let Said { error, digest, .. } = attendant.hear()?;
        match error {
            Some(error) => bail!("{error}"),
            None => Ok(Self { entry: entry.clone(), attendant, digest, history: None }),
        }
    }

    fn begin(&mut self, run: &Run) -> Result<()> {
        // The run has loaded it as any other module: by its policy, and with a compiler that has limits.
        let loaded = || run.modules().into_iter().find(|module| Some(&module.name) == self.entry.module.as_ref());
        if self.digest.is_some() && loaded().map(|module| module.digest) != self.digest {
            bail!("its module's file was changed while the run began: start it again");
        }
        let history = run.history(&self.entry.history).context("its history is not there")??;
        self.attendant.hand(&history)?;
        self.history = Some(history);
        match self.attendant.hear::<Said>()?.error {
            Some(error) => bail!("{error}"),
            None => Ok(()),
        }
    }

    fn end(self) -> Option<String> {
        let name = text::line(&self.entry.name, text::NAME);
        let said = self.attendant.end::<Said>();
        match said {
            Ok(Said { error, outcome, .. }) => {
                if let Some(outcome) = outcome {
                    for written in &outcome.dumps {
                        output::line(&format!("trigger {name}: {}", written.shown()));
                    }
                    output::line(&format!("trigger {name}: {}", outcome.shown()));
                }
                error.map(|error| format!("trigger {name}: {}", text::line(&error, text::WORDS)))
            }
            Err(error) => Some(format!("trigger {name}: its process does not tell its end: {error:#}")),
        }
    }
}

fn what(config: &Config, entry: &Trigger, base: &Path) -> Result<What> {
    if let Some(filter) = &entry.filter {
        return Ok(What::Filter(filter.clone()));
    }
    if let Some(burst) = &entry.burst {
        return Ok(What::Burst(burst.bytes, burst.window));
    }
    let Some(name) = &entry.module else { return Ok(What::Fault) };
    let module = config.module(name).map(|number| &config.modules[number]).context("its module is not there")?;
    let grants = &module.grants;
    Ok(What::Module(Watching {
        name: name.clone(),
        file: std::path::absolute(base.join(&module.file)).context("its module")?,
        most: config.load.module_size,
        config: module.config.as_ref().map(ModuleConfig::bytes).unwrap_or_default(),
        memory: grants.memory,
        table: grants.table,
        deadline: grants.deadline,
        control_deadline: grants.control_deadline,
    }))
}
