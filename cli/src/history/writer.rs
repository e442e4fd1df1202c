//! The process of a run's own trigger: started by the run ([`super::standing`]), told what to wait for, confined to the folder of its dumps,
//! and then given the history, to read.

use super::dumps::{Dumps, Folder};
use super::module::Watcher;
use super::query::program;
use super::standing::{Plan, Said, Watching, What};
use super::watch::{Bursts, Faults, Watch};
use super::work::{Until, Work};
use crate::capture::{Session, receive, run, say};
use anyhow::{Context, Result};
use perigee_runtime::config::trigger::Burst;
use perigee_runtime::config::{Config, JailMode};
use perigee_runtime::trial::Subject;
use perigee_runtime::{Limits, jail, load, with_guest_stack};
use std::path::Path;
use std::process::ExitCode;

/// `perigee trigger-writer`: speaks with its run by standard input.
pub(crate) fn writer() -> Result<ExitCode> {
    with_guest_stack(attend).context("a thread")?
}

fn attend() -> Result<ExitCode> {
    let mut run = run()?;
    let (plan, _) = receive(&run).context("this is started by a run")?;
    let plan: Plan = serde_json::from_slice(&plan).context("this is started by a run of the same version")?;
    let ready = match prepare(plan) {
        Ok(ready) => ready,
        Err(error) => {
            say(&mut run, &Said { error: Some(format!("{error:#}")), ..Said::default() })?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let digest = ready.module.as_ref().map(|bytes| load::digest(bytes));
    say(&mut run, &Said { digest, ..Said::default() })?;
    let Ok((line, Some(memory))) = receive(&run) else {
        // The run has not come about.
        return Ok(ExitCode::SUCCESS);
    };
    let session = Session::given(run.try_clone().context("the run")?, &line, &memory);
    let said = session.and_then(|session| ready.watch(session, &mut run));
    let said = said.unwrap_or_else(|error| Said { error: Some(format!("{error:#}")), ..Said::default() });
    say(&mut run, &said)?;
    Ok(ExitCode::SUCCESS)
}

/// All that is needed of the file system is there.
struct Ready {
    plan: Plan,
    folder: jail::Folder,
    filter: Option<Watch>,
    /// The module's bytes.
    module: Option<Vec<u8>>,
}

/// Reads what is read, and gives up all but the folder, as the user that the run becomes.
fn prepare(plan: Plan) -> Result<Ready> {
    let (mode, mut config) = (JailMode::from(plan.jail), Config::default());
    config.run.user.clone_from(&plan.user);
    // libpcap may look names up.
    let filter = match &plan.what {
        What::Filter(filter) => Some(Watch::Filter(program(filter)?, filter.clone())),
        _ => None,
    };
    let module = match &plan.what {
        What::Module(Watching { file, most, .. }) => Some(load::Upload::read(file, *most)?.bytes),
        _ => None,
    };
    let folder = jail::folder(&config, mode, Path::new(&plan.folder))?;
    perigee_runtime::take_signals()?;
    jail::enter_process(&config, mode, jail::Files::default(), &[&folder])?;
    Ok(Ready { plan, folder, filter, module })
}

impl Ready {
    /// Waits until the run ends.
    fn watch(self, mut session: Session, run: &mut std::fs::File) -> Result<Said> {
        let Self { plan, folder, filter, module } = self;
        let watch = match (filter, module, &plan.what) {
            (Some(filter), ..) => filter,
            (_, Some(bytes), What::Module(watching)) => Watch::Module(Box::new(watcher(watching, &bytes, &session)?)),
            (.., What::Burst(bytes, window)) => Watch::Burst(Bursts::new(Burst { bytes: *bytes, window: *window })),
            _ => Watch::Faults(Faults::Told),
        };
        // From here on it reads packets, looks at them, and only writes.
        jail::enter_thread(jail::Kind::Service);
        let info = session.info.clone();
        let place = Folder { path: &folder.path(), shown: folder.shown() };
        let dumps = Dumps::new(&info, place, &plan.history, plan.bounds.clone());
        let mut work = Work::new(watch, dumps, &mut session, false);
        say(run, &Said::default())?;
        let ended = work.follow(&mut session, &Until { is_over: &|| false, duration: None, reload: None });
        let error = ended.err().map(|error| format!("{error:#}"));
        Ok(Said { error, outcome: Some(work.end(&plan.history, &session)), digest: None })
    }
}

fn watcher(watching: &Watching, bytes: &[u8], session: &Session) -> Result<Watcher> {
    let Watching { name, config, memory, table, deadline, control_deadline, .. } = watching;
    let (memory, table) = (*memory, *table);
    let limits =
        Limits { memory, table, deadline: *deadline, control_deadline: *control_deadline, targets: 0, reads: false };
    let subject = Subject::from_bytes(name, bytes, limits)?;
    Watcher::of(Path::new(name), subject, config, session.info.places.len()).with_context(|| format!("module {name:?}"))
}
