//! `perigee find`: packets of files, by a filter and by their times. Of files that a capture has rotated, their indexes say what need not be
//! read.
//!
//! - `source.rs`: which files, in which order. `parts.rs`: what is read of one.
//! - `search.rs`: one file after the other. `found.rs`: where packets go. `told.rs`: what it all comes to.
//! - `moment.rs`: times as people write them.

mod found;
mod moment;
mod parts;
mod search;
mod source;
mod told;

use crate::output::{self, JsonOption};
use anyhow::{Result, anyhow, bail};
use clap::{Args, ValueHint};
use found::Found;
use moment::parse_moment;
use perigee_runtime::text;
use search::{Search, Wanted};
use std::path::PathBuf;
use std::process::ExitCode;
use told::Told;

/// What is searched, and for what.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:
  perigee find captures/ -f 'host 10.0.0.7 and tcp port 443'                  # how many, and in which files
  perigee find captures/ -f 'vlan 42 and udp port 53' -w dns.pcapng
  perigee find ring-*.pcapng --since '2026-05-04 10:00' --until '2026-05-04 10:05' -w - | wireshark -k -i -
  perigee find captures/ -f 'icmp6' --since 10min                             # of the last ten minutes

TIME is a date and time in UTC (2026-05-04T10:00:00.5Z, 2026-05-04 10:00), seconds since 1970 (1777888800.5), or how long ago (10min).")]
pub(crate) struct FindArgs {
    /// Captures, pcap or pcapng; of a folder all that end in .pcapng, .pcap or .cap.
    #[arg(value_name = "FILE|FOLDER", required = true, value_hint = ValueHint::AnyPath)]
    from: Vec<PathBuf>,
    /// Which packets, in libpcap's language (pcap-filter(7)). Default: all.
    #[arg(long, short = 'f', value_name = "FILTER")]
    filter: Option<String>,
    /// Those of this time and later.
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    since: Option<i128>,
    /// Those until this time.
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    until: Option<i128>,
    /// Write them to this file in pcapng, or to standard output (`-`). What is there is not written over.
    #[arg(long = "write", short = 'w', value_name = "FILE", value_hint = ValueHint::FilePath)]
    packets: Option<PathBuf>,
    /// Write over a file that is there.
    #[arg(long, requires = "packets")]
    overwrite: bool,
    /// Read all, whatever indexes say.
    #[arg(long)]
    no_index: bool,
    #[command(flatten)]
    json: JsonOption,
}

/// `perigee find`, until `is_over`.
pub(crate) fn find(args: &FindArgs, is_over: &dyn Fn() -> bool) -> Result<ExitCode> {
    let is_stdout = args.packets.as_ref().is_some_and(|file| file.as_os_str() == "-");
    if is_stdout && args.json.is_stdout() {
        bail!("standard output cannot have both packets and counts: write one of them to a file");
    }
    let program = args.filter.as_deref().map(|filter| {
        perigee_pcap::filter::compile(filter).map_err(|what| {
            anyhow!("filter {:?}: {}", text::line(filter, text::WORDS), text::line(&what, text::REPORT))
        })
    });
    let wanted =
        Wanted { program: program.transpose()?, since: args.since, until: args.until, by_index: !args.no_index };
    let (sources, mut failed) = source::all(&args.from)?;
    let json = output::Json::open(&args.json)?;
    let to = args.packets.as_deref().map(|file| Found::create(file, args.overwrite)).transpose()?;
    let mut search = Search::new(wanted, to);
    let mut told = Told::default();
    for source in &sources {
        match search.file(source, is_over) {
            Ok(file) => told.add(file),
            Err(error) => failed.push(error),
        }
        if search.is_over() || is_over() {
            break;
        }
    }
    search.finish()?;
    json.write(&told)?;
    if !args.json.is_stdout() {
        output::line(told.shown().trim_end());
    }
    failed.iter().for_each(|error| output::error(&format!("{error:#}")));
    Ok(ExitCode::from(u8::from(!failed.is_empty())))
}
