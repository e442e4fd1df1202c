//! `perigee history`: what a run remembers, and what of it somebody wants to have.

use super::tape;
use crate::capture::{About, Files, Kind, Lanes, Rotation, Session, Stop, Tally, Wanted, now_ns, pause};
use crate::client::Client;
use crate::output::{self, JsonOption};
use crate::table::Table;
use anyhow::{Result, anyhow, bail};
use clap::{Args, ValueHint};
use perigee_pcap::filter::Program;
use perigee_record::Record;
use perigee_runtime::config::parse_duration;
use perigee_runtime::{HistoryStatus, text};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// What is looked back at.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:
  perigee history                                           # which histories there are, and how far they go back
  perigee history -w before.pcapng --last 10s               # the last ten seconds
  perigee history lab -w dns.pcapng -f 'udp port 53'        # all that it has of DNS
  perigee history -w around.pcapng --last 5s --future 5s    # and the next five seconds")]
pub(crate) struct HistoryArgs {
    /// The history's name in the configuration. Default: the only one.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// The run's socket, or its name where that has no slash. Default: the only run of this user.
    #[arg(long, value_name = "PATH|NAME", value_hint = ValueHint::FilePath)]
    socket: Option<PathBuf>,
    /// Write its packets to this file, or to standard output (`-`). What is there is not written over. Without it histories are listed.
    #[arg(long = "write", short = 'w', value_name = "FILE", value_hint = ValueHint::FilePath)]
    packets: Option<PathBuf>,
    /// Which packets, in libpcap's language.
    #[arg(long, short = 'f', value_name = "FILTER", requires = "packets")]
    filter: Option<String>,
    /// Those of this last time. Default: all that are there.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "packets")]
    last: Option<Duration>,
    /// Wait so long for packets that are still to come, and write them, too.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "packets")]
    future: Option<Duration>,
    /// The file's format.
    #[arg(long, default_value = "pcapng", requires = "packets")]
    format: Kind,
    /// Write over a file that is there.
    #[arg(long, requires = "packets")]
    overwrite: bool,
    #[command(flatten)]
    json: JsonOption,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Found {
    history: String,
    /// Packets in the file.
    written: u64,
    /// Packets of that time that the filter refused.
    filter: u64,
    /// Packets that were written over in memory while they were read.
    missed: u64,
    /// The first and the last of the packets in the file, nanoseconds since 1970.
    from_unix_ns: Option<u64>,
    until_unix_ns: Option<u64>,
}

/// `perigee history`, until `is_over`.
pub(crate) fn history(args: &HistoryArgs, is_over: &dyn Fn() -> bool) -> Result<ExitCode> {
    if args.packets.as_ref().is_some_and(|file| file.as_os_str() == "-") && args.json.is_stdout() {
        bail!("standard output cannot have both packets and counts: write one of them to a file");
    }
    let program = args.filter.as_deref().map(program).transpose()?;
    let json = output::Json::open(&args.json)?;
    let client = Client::find(args.socket.as_deref())?;
    let Some(file) = &args.packets else {
        let all = tape::all(&client)?;
        json.write(&all)?;
        if !args.json.is_stdout() {
            output::line(list(&all).trim_end());
        }
        return Ok(ExitCode::SUCCESS);
    };
    let (name, mut session) = tape::open(&client, args.name.as_deref())?;
    let info = session.info.clone();
    let wanted = Wanted {
        file: file.clone(),
        format: args.format.into(),
        rotation: Rotation::default(),
        overwrite: args.overwrite,
        about: About {
            info: &info,
            filter: args.filter.as_deref(),
            comment: Some(format!("history {}", text::line(&name, text::NAME))),
        },
    };
    let mut files = Files::open(wanted, now_ns())?;
    let mut look =
        Look { program, found: Found { history: name, ..Found::default() }, start_unix_ns: info.start_unix_ns };
    let failed = read(args, is_over, &mut session, &mut files, &mut look);
    look.found.missed = session.lanes.missed();
    let failed = failed.or_else(|| files.end(&tallies(&session.lanes, &files), now_ns()).err());
    look.found.written = tallies(&session.lanes, &files).iter().map(|tally| tally.written).sum();
    json.write(&look.found)?;
    if !args.json.is_stdout() && file.as_os_str() != "-" {
        output::line(&look.found.shown());
    }
    match failed {
        Some(Stop::Failed(error)) => Err(error),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// A filter, compiled.
pub(super) fn program(filter: &str) -> Result<Arc<Program>> {
    perigee_pcap::filter::compile(filter).map_err(|what| anyhow!("filter {filter:?}: {what}"))
}

struct Look {
    program: Option<Arc<Program>>,
    found: Found,
    start_unix_ns: u64,
}

/// What each place comes to, as far as it was read.
pub(super) fn tallies(lanes: &Lanes, files: &Files<'_>) -> Vec<Tally> {
    let one = |place| {
        let (ring, tally) = (lanes.counts(place).1, files.tally(place));
        Tally { seen: tally.written + tally.writer + ring, ring, ..tally }
    };
    (0..lanes.places()).map(one).collect()
}

/// Reads the time that is wanted; why nothing more could be written.
fn read(
    args: &HistoryArgs,
    is_over: &dyn Fn() -> bool,
    session: &mut Session,
    files: &mut Files<'_>,
    look: &mut Look,
) -> Option<Stop> {
    let now = tape::now_ns(session);
    let from = args.last.map_or(0, |last| now.saturating_sub(tape::ns(last)));
    let until = now.saturating_add(args.future.map_or(0, tape::ns));
    session.lanes.seek(from);
    loop {
        let (mut failed, mut beyond) = (None, false);
        let ended = session.lanes.has_ended() || session.is_closed();
        let past = ended || tape::is_past(session, until);
        let handed = session.lanes.drain(past, |place, record| {
            beyond = record.ns > until;
            if !beyond && record.ns >= from {
                failed = look.take(place, record, files).err();
            }
            failed.is_none() && !beyond
        });
        let failed = failed.or_else(|| files.tend().err());
        if failed.is_some() || beyond || (past && handed == 0) || is_over() {
            return failed;
        }
        if handed == 0 {
            pause();
        }
    }
}

impl Look {
    fn take(&mut self, place: usize, record: &Record<'_>, files: &mut Files<'_>) -> Result<(), Stop> {
        if self.program.as_ref().is_some_and(|program| !program.passes(record.bytes)) {
            self.found.filter += 1;
            return Ok(());
        }
        let unix_ns = self.start_unix_ns.saturating_add(record.ns);
        self.found.from_unix_ns.get_or_insert(unix_ns);
        self.found.until_unix_ns = Some(unix_ns);
        files.packet(place, record)
    }
}

impl Found {
    fn shown(&self) -> String {
        let Self { written, filter, missed, .. } = self;
        let time = match (self.from_unix_ns, self.until_unix_ns) {
            (Some(from), Some(until)) => {
                format!(", {} in all", humantime::format_duration(Duration::from_nanos(until - from)))
            }
            _ => String::new(),
        };
        let mut shown = format!("{written} packets{time}");
        if *filter > 0 {
            shown += &format!("; {filter} others the filter refused");
        }
        if *missed > 0 {
            shown += &format!(
                "; {missed} were written over before they were read: look back less far, or give it more memory"
            );
        }
        shown
    }
}

fn list(all: &[HistoryStatus]) -> String {
    if all.is_empty() {
        return "the run remembers no packets: give its configuration a [[history]] (docs/history.md)".to_owned();
    }
    let mut table = Table::new(&["<history", "memory", "keeps", "packets", "goes back", "<points"]);
    let shown = |ns: u64| humantime::format_duration(Duration::from_millis(ns / 1_000_000)).to_string();
    for history in all {
        table.row([
            text::line(&history.name, text::NAME),
            format!("{} MiB", history.memory >> 20),
            history.keep_ns.map_or_else(|| "-".to_owned(), shown),
            history.held.to_string(),
            shown(history.spans_ns),
            text::line(&history.at.join(" "), text::WORDS),
        ]);
    }
    table.text()
}
