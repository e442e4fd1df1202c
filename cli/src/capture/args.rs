//! The command line of `perigee capture`.

use super::extcap::ExtcapArgs;
use super::files::Rotation;
use crate::output::JsonOption;
use clap::{Args, ValueEnum, ValueHint};
use perigee_runtime::config::capture::Format;
use perigee_runtime::config::{parse_duration, parse_size};
use std::path::PathBuf;
use std::time::Duration;

/// With these Wireshark says what it wants.
const WITHOUT_RUN: [&str; 3] = ["extcap_interfaces", "extcap_interface", "dry_net"];
/// And with these nothing is written to a file that is named.
const WITHOUT_FILE: [&str; 3] = ["extcap_interfaces", "extcap_interface", "dry_disk"];

/// What is captured of which run, and where it goes.
#[derive(Args, Debug)]
#[command(after_long_help = "Points:
  CHAIN:rx              what comes into a chain, behind its filter
  CHAIN:before:STAGE    what comes to a stage (its module's name, or its number from 0 on)
  CHAIN:after:STAGE     what a stage passes on
  CHAIN:tx              what ports and rings take of the chain
  CHAIN:drops           what the chain drops, each packet with its cause as a comment
  port:NAME             what a port gives and takes; port:NAME:rx or port:NAME:tx for one of them

Examples:
  perigee capture --at fwd:rx --at fwd:drops -w fwd.pcapng
  perigee capture --at port:uplink -f 'tcp port 443' --snaplen 128 -w - | wireshark -k -i -
  perigee capture --at fwd:tx -w ring.pcapng --rotate-size 100MB --keep 10
  perigee capture --at fwd:tx --dry-disk --duration 10s    # which side is slow: this one,
  perigee capture --dry-net -w trial.pcapng                # or the disk?")]
pub(crate) struct CaptureArgs {
    /// The run's socket, or its name where that has no slash. Default: the only run of this user.
    #[arg(long, value_name = "PATH|NAME", value_hint = ValueHint::FilePath)]
    pub(super) socket: Option<PathBuf>,
    /// Where packets are captured: see below. May be given several times.
    #[arg(long = "at", value_name = "POINT", required_unless_present_any = WITHOUT_RUN)]
    pub(super) at: Vec<String>,
    /// The file that packets are written to, or a FIFO; `-` is standard output. What is there is not written over.
    #[arg(long, short = 'w', value_name = "FILE", value_hint = ValueHint::FilePath,
        required_unless_present_any = WITHOUT_FILE)]
    pub(super) write: Option<PathBuf>,
    /// Which packets, in libpcap's language: what does not pass is counted and not captured.
    #[arg(long, short = 'f', value_name = "FILTER")]
    pub(super) filter: Option<String>,
    /// Bytes of each packet that are captured at most; its own length is kept. Default: all, up to 65,408.
    #[arg(long, value_name = "BYTES", default_value_t = 262_144, value_parser = clap::value_parser!(u32).range(1..),
        hide_default_value = true)]
    pub(super) snaplen: u32,
    /// The files' format. In pcap there is neither the point of a packet nor why it was dropped.
    #[arg(long, default_value = "pcapng")]
    pub(super) format: Kind,
    #[command(flatten)]
    pub(super) rotation: RotationArgs,
    /// Stop after this time, like 10s or 5min, or a number of seconds.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(super) duration: Option<Duration>,
    /// Stop after so many packets.
    #[arg(long, value_name = "PACKETS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,
    /// How much of the run's `capture_memory` it takes. More of it bridges longer pauses of this process. Default: 16MiB, or what is
    /// left.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(super) memory: Option<u64>,
    /// Write over files that are there.
    #[arg(long)]
    pub(super) overwrite: bool,
    /// Find out how fast packets come out of the run: do all but write them, and tell the rate.
    #[arg(long, conflicts_with_all = ["write", "overwrite", "rotate_size", "rotate_time", "rotate_count", "dry_net"])]
    pub(super) dry_disk: bool,
    /// Find out how fast the disk takes packets: write packets of so many bytes (1514), made from nothing, to the file, for --duration (10s);
    /// tell the rate, and remove them. No run is asked.
    #[arg(long, value_name = "BYTES", num_args = 0..=1, default_missing_value = "1514",
        value_parser = clap::value_parser!(u32).range(60..=65_408), conflicts_with_all = ["at", "filter", "socket"])]
    pub(super) dry_net: Option<u32>,
    #[command(flatten)]
    pub(super) json: JsonOption,
    /// Show no counts at the end; errors only.
    #[arg(long, short)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) extcap: ExtcapArgs,
}

/// When the next file begins: `NAME-00001.pcapng`, `NAME-00002.pcapng` and so on.
#[derive(Args, Debug)]
pub(super) struct RotationArgs {
    /// Begin another file when one has so many bytes.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(super) rotate_size: Option<u64>,
    /// Begin another file after this time.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(super) rotate_time: Option<Duration>,
    /// Begin another file after so many packets.
    #[arg(long, value_name = "PACKETS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) rotate_count: Option<u64>,
    /// Keep the last so many files, and remove those before.
    #[arg(long, value_name = "FILES", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) keep: Option<u64>,
}

impl RotationArgs {
    pub(super) fn rotation(&self) -> Rotation {
        Rotation { size: self.rotate_size, time: self.rotate_time, count: self.rotate_count, keep: self.keep }
    }
}

/// The format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// With points, comments and counts.
    Pcapng,
    /// The old one, with nanoseconds.
    Pcap,
}

impl From<Kind> for Format {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Pcapng => Self::Pcapng,
            Kind::Pcap => Self::Pcap,
        }
    }
}
