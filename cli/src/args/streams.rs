//! What `perigee streams` and `perigee convert` take.

use super::RunOptions;
use clap::{Args, ValueHint};
use perigee_runtime::config::stream::Rate;
use std::path::PathBuf;

/// What `perigee streams` is asked for.
#[derive(Args, Debug)]
pub(crate) struct StreamsArgs {
    /// The file of streams (.toml).
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) streams: PathBuf,
    /// A port: its name in the file, and its device; in place of the file's port of that name. May be given several times.
    #[arg(long = "port", value_name = "NAME=DEVICE", value_parser = named_port)]
    pub(crate) ports: Vec<(String, String)>,
    /// The module that makes the packets, stream-gen.wasm. Default: the one that came with this program.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) module: Option<PathBuf>,
    /// Say what each stream sends, and show the first packets, without ports.
    #[arg(long)]
    pub(crate) print: bool,
    /// Write the first packets of all streams to this capture, in the order and with the times of their departure, without ports.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) pcap: Option<PathBuf>,
    /// With --print and --pcap: so many packets. Default: 5 are shown, 1,000 are written.
    #[arg(long, value_name = "PACKETS")]
    pub(crate) count: Option<usize>,
    /// With --print and --pcap: what the ports' links carry, as "10 Gbit/s", for rates in per cent and for bursts.
    #[arg(long, value_name = "RATE", value_parser = link)]
    pub(crate) link: Option<u64>,
    #[command(flatten)]
    pub(crate) options: RunOptions,
}

/// What `perigee convert` is asked for.
#[derive(Args, Debug)]
pub(crate) struct ConvertArgs {
    /// The profile (.yaml), the flows (.lua), or the rules (.json).
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Where what comes out goes. Default: standard output.
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
}

/// `NAME=DEVICE`.
fn named_port(text: &str) -> Result<(String, String), String> {
    let wrong = || format!("{text:?} names no port: write NAME=DEVICE, as in --port out=net_tap0");
    let (name, device) = text.split_once('=').ok_or_else(wrong)?;
    let is_name = !name.is_empty() && !name.contains([',', ':']) && !device.is_empty();
    if is_name { Ok((name.to_owned(), device.to_owned())) } else { Err(wrong()) }
}

/// A link's speed.
fn link(text: &str) -> Result<u64, String> {
    match Rate::parse(text)? {
        Rate::FrameBits(bits) | Rate::WireBits(bits) if bits.denominator() == 1 && !bits.is_zero() => {
            Ok(bits.numerator())
        }
        _ => Err(format!("{text:?} is no speed of a link: write bits per second, as \"10 Gbit/s\"")),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn ports_and_links_are_read() {
        assert_eq!(
            named_port("out=net_pcap0,tx_pcap=a.pcap").unwrap(),
            ("out".into(), "net_pcap0,tx_pcap=a.pcap".into())
        );
        for wrong in ["net_tap0", "=net_tap0", "out=", "net_pcap0,tx_pcap=a.pcap"] {
            assert!(named_port(wrong).unwrap_err().contains("NAME=DEVICE"), "{wrong}");
        }
        assert_eq!(link("10 Gbit/s"), Ok(10_000_000_000));
        assert!(link("1 Mpps").is_err() && link("fast").is_err());
    }
}
