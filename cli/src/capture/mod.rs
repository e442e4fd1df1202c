//! `perigee capture`: packets of a running chain into files, or to whoever reads at the other end. It is the operator's own process with the
//! operator's rights: the run hands over memory that can only be read, and knows nothing of files.

mod account;
mod args;
mod attendant;
mod blocks;
mod extcap;
mod files;
mod lanes;
mod place;
mod session;
mod standing;
mod work;
mod writer;

pub(crate) use args::{CaptureArgs, Kind};
pub(crate) use attendant::{Attendant, run, say};
pub(crate) use blocks::{About, Tally};
pub(crate) use files::{Files, Rotation, Stop, Wanted};
pub(crate) use lanes::{Lanes, SETTLE};
pub(crate) use session::{Session, receive};
pub(crate) use standing::{Mode, Standing};
pub(crate) use work::{now_ns, pause};
pub(crate) use writer::writer;

use crate::client::Client;
use crate::output;
use account::Account;
use anyhow::{Result, anyhow, bail};
use perigee_runtime::{CaptureRequest, filter_instructions, text};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use work::{Limits, Lost, work};

/// `perigee capture`, until `is_over`, or the run's end, or what the command line says.
pub(crate) fn capture(args: &CaptureArgs, is_over: &dyn Fn() -> bool) -> Result<ExitCode> {
    if let Some(answered) = args.extcap.answer() {
        return answered;
    }
    let asked = Target::of(args)?;
    check(args, &asked.file)?;
    let program = asked.filter.as_deref().map(filter_instructions).transpose();
    let program = program.map_err(|what| anyhow!("filter {:?}: {what}", asked.filter.as_deref().unwrap_or("")))?;
    let request = CaptureRequest {
        at: asked.at,
        filter: asked.filter.clone(),
        program: program.unwrap_or_default(),
        snaplen: args.snaplen,
        memory: args.memory,
    };
    let json = output::Json::open(&args.json)?;
    let client = Client::find(asked.socket.as_deref())?;
    let mut session = Session::begin(&client, &request)?;
    let info = session.info.clone();
    let wanted = Wanted {
        file: asked.file.clone(),
        format: args.format.into(),
        rotation: args.rotation.rotation(),
        overwrite: args.overwrite,
        about: About { info: &info, filter: asked.filter.as_deref(), comment: None },
    };
    let mut lost = Lost::new(Some(&client), &info);
    let mut files = Files::open(wanted, now_ns())?;
    if !args.quiet {
        let points = info.places.iter().map(|place| text::line(&place.name, text::NAME)).collect::<Vec<_>>().join(", ");
        output::line(&format!("capturing {points}"));
    }
    let limits = Limits { count: args.count, duration: args.duration, is_over };
    let (account, failed) = work(&mut session, &mut files, &mut lost, &limits);
    tell(args, json, &account)?;
    match failed {
        Some(Stop::Failed(error)) => Err(error),
        _ if !account.balanced => bail!("the counts do not add up: this is a bug in Perigee"),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Where is captured, which packets, and into what: as a person says it, or as Wireshark does.
struct Target {
    socket: Option<PathBuf>,
    at: Vec<String>,
    file: PathBuf,
    filter: Option<String>,
}

impl Target {
    fn of(args: &CaptureArgs) -> Result<Self> {
        if let Some((socket, point)) = args.extcap.place()? {
            let file =
                args.extcap.fifo.clone().ok_or_else(|| anyhow!("--extcap-interface wants --capture and --fifo"))?;
            let filter = args.extcap.extcap_capture_filter.clone().filter(|filter| !filter.is_empty());
            return Ok(Self { socket: Some(socket), at: vec![point], file, filter });
        }
        let file = args.write.clone().ok_or_else(|| anyhow!("where to? -w FILE, or -w - for standard output"))?;
        Ok(Self { socket: args.socket.clone(), at: args.at.clone(), file, filter: args.filter.clone() })
    }
}

/// What contradicts itself on the command line.
fn check(args: &CaptureArgs, file: &Path) -> Result<()> {
    let is_stdout = file.as_os_str() == "-";
    if is_stdout && args.json.is_stdout() {
        bail!("standard output cannot have both packets and counts: write one of them to a file");
    }
    let rotation = args.rotation.rotation();
    if rotation.is_wanted() && (is_stdout || place::Place::is_stream(file)) {
        bail!("a stream is not rotated: name a file, or leave out --rotate-size, --rotate-time and --rotate-count");
    }
    if rotation.keep.is_some() && !rotation.is_wanted() {
        bail!("--keep is about files that follow each other: add --rotate-size, --rotate-time or --rotate-count");
    }
    Ok(())
}

fn tell(args: &CaptureArgs, json: output::Json, account: &Account) -> Result<()> {
    json.write(account)?;
    if !args.quiet {
        output::line(account.shown().trim_end());
    }
    Ok(())
}
