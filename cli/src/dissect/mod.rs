//! `perigee dissect`: the packets of a capture as text, by the guest SDK's view of them.
//!
//! - `input.rs`: files and streams that captures come from.
//! - `packet.rs`: a packet, and the headers that it begins with.
//! - `line.rs`: text that is written without asking for memory.
//! - `brief.rs`, `verbose.rs`, `json.rs`: one line a packet, one line a header, one object a packet.
//!
//! None of them writes a byte of a packet as it is: all are numbers and addresses, so nothing in a capture is obeyed by a terminal.

mod brief;
mod input;
mod json;
mod line;
mod packet;
#[cfg(test)]
mod tests;
mod verbose;

use anyhow::{Context, Result};
use clap::{Args, ValueHint};
use input::Shown;
use line::Line;
use packet::Packet;
use perigee_pcap::file::{Fault, Reader, Sieve};
use perigee_pcap::filter;
use perigee_runtime::text;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

/// Which packets are shown, and how.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:
  perigee dissect capture.pcapng
  perigee dissect capture.pcap --filter 'udp port 53' --count 10 --verbose
  tcpdump -i eth0 -w - | perigee dissect -
  perigee dissect capture.pcap --json | jq -r 'select(.headers[].name == \"TCP\") | .time_ns'")]
pub(crate) struct DissectArgs {
    /// The capture: pcap or pcapng; `-` is standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// Only packets that pass, in libpcap's language (pcap-filter(7)), as in `tcp port 80`.
    #[arg(long, short, value_name = "EXPRESSION")]
    filter: Option<String>,
    /// End after so many packets that were shown.
    #[arg(long, short, value_name = "PACKETS")]
    count: Option<u64>,
    /// One line for each header, with all of its fields.
    #[arg(long, short)]
    verbose: bool,
    /// One JSON object for each packet, a line each.
    #[arg(long, conflicts_with = "verbose")]
    json: bool,
}

/// How a packet is written.
enum Form {
    Brief(brief::Briefs),
    Verbose,
    Json,
}

impl Form {
    fn write(&mut self, packet: &Packet<'_>, line: &mut Line) {
        match self {
            Self::Brief(briefs) => brief::write(briefs, packet, line),
            Self::Verbose => verbose::write(packet, line),
            Self::Json => json::write(packet, line),
        }
    }
}

/// `perigee dissect`.
pub(crate) fn dissect(args: &DissectArgs) -> Result<ExitCode> {
    let filter = args.filter.as_deref().map(compile).transpose()?;
    let form = match (args.json, args.verbose) {
        (true, _) => Form::Json,
        (_, true) => Form::Verbose,
        _ => Form::Brief(brief::Briefs::default()),
    };
    let mut show = Show { filter, left: args.count.unwrap_or(u64::MAX), form };
    let shown = Shown::stdout();
    let name = text::line(&args.file.display(), text::WORDS);
    let ended = input::open(&args.file, &shown).and_then(|(from, len)| {
        let reader = Reader::new(from, len, &name).map_err(|fault| told(&name, &fault))?;
        show.all(reader, &shown, &name)
    });
    // What came before an error is shown before it is told.
    let flushed = shown.flush();
    if shown.is_closed() {
        return Ok(ExitCode::SUCCESS);
    }
    ended?;
    flushed.context("standard output")?;
    Ok(ExitCode::SUCCESS)
}

fn compile(text: &str) -> Result<Sieve> {
    filter::compile(text).map(Sieve::new).map_err(|why| {
        let (text, why) = (text::line(text, text::WORDS), text::line(&why, text::REPORT));
        anyhow::anyhow!("--filter {text:?}: {why}; pcap-filter(7) has the language")
    })
}

/// What of a capture is shown.
struct Show {
    filter: Option<Sieve>,
    left: u64,
    form: Form,
}

impl Show {
    fn all(&mut self, mut reader: Reader<impl Read>, shown: &Shown, name: &str) -> Result<()> {
        let mut number = 0;
        while self.left > 0 {
            let Some(record) = reader.next_record().map_err(|fault| told(name, &fault))? else { break };
            number += 1;
            if self.filter.as_mut().is_some_and(|filter| !filter.passes(&record)) {
                continue;
            }
            self.left -= 1;
            shown.with(|line| self.form.write(&Packet::of(number, &record), line));
            if shown.is_closed() {
                return Ok(());
            }
        }
        match reader.cut() {
            Some(at) => Err(anyhow::anyhow!(
                "{name}: is cut short: the record of packet {}, at byte {at}, is not whole; what is before it was shown",
                number + 1
            )),
            None => Ok(()),
        }
    }
}

/// What is wrong with a file, and where.
pub(crate) fn told(name: &str, fault: &Fault) -> anyhow::Error {
    let help = if fault.help.is_empty() { String::new() } else { format!("; {}", fault.help) };
    match (fault.packets, fault.at) {
        (0, 0) => anyhow::anyhow!("{name}: {}{help}", fault.what),
        (packets, at) => anyhow::anyhow!(
            "{name}: cannot be read beyond its first {packets} packets, at byte {at}: {}{help}",
            fault.what
        ),
    }
}
