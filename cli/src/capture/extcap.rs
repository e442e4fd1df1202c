//! Wireshark's way to ask other programs for packets (extcap): which points there are, what can be set, and packets into a FIFO. A link to
//! a script that calls `perigee capture "$@"` in its folder of such programs is all that it takes (docs/capturing.md).

use crate::client::Client;
use crate::output;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueHint};
use perigee_runtime::{Snapshot, filter_instructions, text};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

/// What Wireshark asks by.
#[derive(Args, Debug, Default)]
pub(super) struct ExtcapArgs {
    /// Wireshark asks: which points there are.
    #[arg(long, hide = true)]
    pub(super) extcap_interfaces: bool,
    /// And what it is.
    #[arg(long, hide = true, value_name = "VERSION")]
    pub(super) extcap_version: Option<String>,
    /// The point that it asks about, or captures at.
    #[arg(long, hide = true, value_name = "RUN/POINT")]
    pub(super) extcap_interface: Option<String>,
    /// Which kinds of frames come there.
    #[arg(long, hide = true)]
    pub(super) extcap_dlts: bool,
    /// What can be set.
    #[arg(long, hide = true)]
    pub(super) extcap_config: bool,
    /// It captures.
    #[arg(long, hide = true, requires = "fifo")]
    pub(super) capture: bool,
    /// Where to.
    #[arg(long, hide = true, value_name = "FIFO", value_hint = ValueHint::FilePath)]
    pub(super) fifo: Option<PathBuf>,
    /// Which packets; without --capture it asks whether that is a filter.
    #[arg(long, hide = true, value_name = "FILTER")]
    pub(super) extcap_capture_filter: Option<String>,
}

/// What the names of interfaces begin with.
const PREFIX: &str = "perigee/";

impl ExtcapArgs {
    /// Answers a question; `None` where none is asked.
    pub(super) fn answer(&self) -> Option<Result<ExitCode>> {
        let text = if self.extcap_interfaces {
            interfaces()
        } else if self.extcap_dlts {
            "dlt {number=1}{name=EN10MB}{display=Ethernet}\n".to_owned()
        } else if self.extcap_config {
            config()
        } else if let (false, Some(filter)) = (self.capture, &self.extcap_capture_filter) {
            // What is printed says that it is none.
            filter_instructions(filter).map_or_else(|what| format!("{what}\n"), |_| String::new())
        } else {
            return None;
        };
        Some(output::result(&text).map(|()| ExitCode::SUCCESS))
    }

    /// The run and the point at which is captured.
    pub(super) fn place(&self) -> Result<Option<(PathBuf, String)>> {
        let Some(name) = &self.extcap_interface else { return Ok(None) };
        let rest = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('/'));
        let Some((run, point)) = rest else { bail!("{name:?} is no point of a run: --extcap-interfaces lists them") };
        let socket = Client::runs().into_iter().find(|path| path.file_stem().is_some_and(|stem| stem == run));
        Ok(Some((socket.with_context(|| format!("the run {run:?} has ended"))?, point.to_owned())))
    }
}

/// All points of all runs that this user may ask. A run that does not answer has none.
fn interfaces() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut lines = format!("extcap {{version={version}}}{{display=Perigee}}\n");
    for socket in Client::runs() {
        let run = socket.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        for point in points(&socket).into_iter().filter(|point| is_plain(point) && is_plain(&run)) {
            lines += &format!("interface {{value={PREFIX}{run}/{point}}}{{display=Perigee {run}: {point}}}\n");
        }
    }
    lines
}

fn points(socket: &std::path::Path) -> Vec<String> {
    let answer = Client::find(Some(socket)).and_then(|client| client.get("/v1/stats"));
    let Ok(snapshot) = answer.and_then(|answer| Ok(serde_json::from_value::<Snapshot>(answer)?)) else {
        return Vec::new();
    };
    let chains: BTreeSet<&str> = snapshot.chains.iter().map(|chain| &*chain.name).collect();
    let mut points = Vec::new();
    for chain in chains {
        let numbers = snapshot.chains.iter().filter(|found| found.name == chain);
        // A chain that makes its packets has none that come in.
        if numbers.map(|found| found.received + found.from_ring).sum::<u64>() != 0 {
            points.push(format!("{chain}:rx"));
        }
        let modules = snapshot.modules.iter().filter(|module| module.chain == chain);
        let modules: BTreeSet<&str> = modules.map(|module| &*module.name).collect();
        points.extend(modules.into_iter().map(|module| format!("{chain}:after:{module}")));
        points.extend([format!("{chain}:tx"), format!("{chain}:drops")]);
    }
    points.extend(snapshot.ports.iter().map(|port| format!("port:{}", port.name)));
    points
}

/// Braces would end a value for Wireshark, and nothing that a terminal would obey is in a list for people.
fn is_plain(name: &str) -> bool {
    !name.contains(['{', '}']) && text::line(name, text::WORDS) == name
}

fn config() -> String {
    let arg = |number: u32, call: &str, display: &str, kind: &str, tooltip: &str| {
        format!("arg {{number={number}}}{{call={call}}}{{display={display}}}{{type={kind}}}{{tooltip={tooltip}}}\n")
    };
    [
        arg(0, "--snaplen", "Bytes of each packet", "unsigned", "At most so many are copied; nothing: all"),
        arg(1, "--memory", "Memory", "string", "As 16MiB: more bridges longer pauses of Wireshark"),
        arg(2, "--count", "Packets", "unsigned", "Stop after so many; nothing: when Wireshark does"),
    ]
    .concat()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn names_that_would_end_a_value_are_left_out() {
        assert!(is_plain("fwd:after:acl") && is_plain("port:eth0"));
        for odd in ["a}b", "a{b", "a\u{1b}[31m", "a\nb", "\u{202e}b"] {
            assert!(!is_plain(odd), "{odd:?}");
        }
    }

    #[test]
    fn questions_are_told_from_captures() {
        let capture =
            ExtcapArgs { capture: true, extcap_capture_filter: Some("tcp".to_owned()), ..ExtcapArgs::default() };
        assert!(capture.answer().is_none());
        let foreign = ExtcapArgs { extcap_interface: Some("eth0".to_owned()), ..ExtcapArgs::default() };
        assert!(foreign.place().is_err());
    }
}
