//! `perigee capture`: packets of a running chain into files, or to whoever reads at the other end. It is the operator's own process with the
//! operator's rights: the run hands over memory that can only be read, and knows nothing of files.

mod account;
mod args;
mod attendant;
mod blocks;
mod direct;
mod dry;
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
pub(crate) use place::Place;
pub(crate) use session::{Session, receive};
pub(crate) use standing::{Mode, Standing};
pub(crate) use work::{now_ns, pause};
pub(crate) use writer::writer;

use crate::client::Client;
use crate::output;
use account::Account;
use anyhow::{Result, anyhow, bail};
use perigee_runtime::{CaptureRequest, filter_instructions, text};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use work::{Limits, Lost, Teller, work};

/// `perigee capture`, until `is_over`, or the run's end, or what the command line says.
pub(crate) fn capture(args: &CaptureArgs, is_over: &dyn Fn() -> bool) -> Result<ExitCode> {
    if let Some(answered) = args.extcap.answer() {
        return answered;
    }
    let asked = Target::of(args)?;
    check(args, &asked.file)?;
    if let Some(len) = args.dry_net {
        return dry::net(args, asked.file, len, is_over);
    }
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
    let mut lost = Lost::new(Teller::Run(&client), &info);
    let mut files = Files::open(wanted, now_ns())?;
    if !args.quiet {
        let points = info.places.iter().map(|place| text::line(&place.name, text::NAME)).collect::<Vec<_>>().join(", ");
        output::line(&format!("capturing {points}"));
    }
    let (idle, begun) = (Cell::new(Duration::ZERO), Instant::now());
    let limits = Limits { count: args.count, duration: args.duration, is_over, idle: &idle };
    let (mut account, failed) = work(&mut session, &mut files, &mut lost, &limits);
    if args.dry_disk {
        account.dry = Some(dry::Rate::new(account.written(), files.len(), begun.elapsed(), idle.get()));
    }
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
        let nowhere = args.dry_disk.then(|| PathBuf::from("/dev/null"));
        let file =
            args.write.clone().or(nowhere).ok_or_else(|| anyhow!("where to? -w FILE, or -w - for standard output"))?;
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
    if args.dry_net.is_some() && (is_stdout || place::Place::is_stream(file)) {
        bail!("--dry-net is about a disk: name a file on it");
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
