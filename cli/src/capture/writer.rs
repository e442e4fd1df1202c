//! The process that writes the files of a run's own capture: started by the run ([`super::standing`]), told what to write, confined to its
//! folder, and then given the run's packets.

use super::attendant::{self, say};
use super::blocks::About;
use super::files::{Files, Stop, Wanted};
use super::session::{Session, receive};
use super::standing::{Plan, Said};
use super::work::{Limits, Lost, Teller, now_ns, work};
use anyhow::{Context, Result, bail};
use perigee_runtime::config::{Config, JailMode};
use perigee_runtime::jail::{self, Folder};
use std::cell::Cell;
use std::path::Path;
use std::process::ExitCode;

/// `perigee capture-writer`: speaks with its run by standard input.
pub(crate) fn writer() -> Result<ExitCode> {
    let mut run = attendant::run()?;
    let (plan, _) = receive(&run).context("this is started by a run")?;
    let plan: Plan = serde_json::from_slice(&plan).context("this is started by a run of the same version")?;
    let prepared = prepare(&plan);
    say(&mut run, &Said { error: prepared.as_ref().err().map(|error| format!("{error:#}")), account: None })?;
    let Ok(folder) = prepared else { return Ok(ExitCode::FAILURE) };
    let Ok((line, Some(memory))) = receive(&run) else {
        // The run has not come about.
        return Ok(ExitCode::SUCCESS);
    };
    let session = Session::given(run.try_clone().context("the run")?, &line, &memory);
    let said = session.and_then(|session| write(&plan, &folder, session));
    let said = said.unwrap_or_else(|error| Said { error: Some(format!("{error:#}")), account: None });
    say(&mut run, &said)?;
    Ok(ExitCode::SUCCESS)
}

/// Gives up all but the folder, as the user that the run becomes; and looks whether there is a place for the file.
fn prepare(plan: &Plan) -> Result<Folder> {
    let (mode, mut config) = (JailMode::from(plan.jail), Config::default());
    config.run.user.clone_from(&plan.user);
    let folder = jail::folder(&config, mode, Path::new(&plan.folder))?;
    jail::enter_process(&config, mode, jail::Files::default(), &[&folder])?;
    let file = folder.path().join(&plan.name);
    // Files that follow each other go on behind those that are there.
    let is_one = !plan.rotation.is_wanted() && !plan.overwrite;
    if is_one && file.symlink_metadata().is_ok_and(|found| found.is_file()) {
        let shown = folder.shown().join(&plan.name);
        bail!("{} is there already; name another one, move it away, or say overwrite = true", shown.display());
    }
    Ok(folder)
}

/// Writes until the run ends.
fn write(plan: &Plan, folder: &Folder, mut session: Session) -> Result<Said> {
    let (info, file) = (session.info.clone(), folder.path().join(&plan.name));
    // From here on it reads packets, and only writes.
    jail::enter_thread(jail::Kind::Service);
    let wanted = Wanted {
        file: file.clone(),
        format: plan.format,
        rotation: plan.rotation,
        overwrite: plan.overwrite,
        about: About { info: &info, filter: plan.filter.as_deref(), comment: None },
    };
    let mut lost = Lost::new(Teller::Memory(session.map()), &info);
    let mut files = Files::open(wanted, now_ns())?;
    let limits = Limits { count: None, duration: None, is_over: &|| false, idle: &Cell::default() };
    let (mut account, failed) = work(&mut session, &mut files, &mut lost, &limits);
    let shown = |file: &String| {
        let name = Path::new(file).file_name().unwrap_or_default();
        folder.shown().join(name).display().to_string()
    };
    account.files = account.files.iter().map(shown).collect();
    let error = match failed {
        Some(Stop::Failed(error)) => Some(format!("{error:#}")),
        Some(Stop::ReaderGone) => Some("its reader has gone".to_owned()),
        None if !account.balanced => Some("the counts do not add up: this is a bug in Perigee".to_owned()),
        None => None,
    };
    Ok(Said { error, account: Some(account) })
}
