//! Rates of ports in the columns of libmoon's statistics (`lua/stats.lua`), so that what reads MoonGen's files reads these.

use crate::output::Growing;
use anyhow::Result;
use perigee_runtime::{PortStats, Snapshot};
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

const HEAD: &str = "Time,Device,Direction,PacketRate,Mbit,MbitWithFraming,TotalPackets,TotalBytes\n";
/// Bytes of a frame that are not counted here, and are in MoonGen's figures: its check sequence.
const CHECK: u64 = 4;
/// Bytes on the line that belong to no frame: preamble, and the least gap.
const FRAMING: u64 = 20;

/// The file.
pub(super) struct Csv {
    file: Growing,
    begun: SystemTime,
    /// Intervals of whole seconds have times in whole seconds, as MoonGen's.
    is_whole: bool,
}

impl Csv {
    /// Writes the head.
    pub(super) fn begin(mut file: Growing, begun: SystemTime, every: Duration) -> Result<Self> {
        file.add(HEAD.as_bytes())?;
        Ok(Self { file, begun, is_whole: every.subsec_nanos() == 0 })
    }

    /// Writes two lines for each port.
    pub(super) fn add(&mut self, last: &Snapshot, now: &Snapshot) -> Result<()> {
        let at = self.begun + Duration::from_nanos(now.elapsed_ns);
        let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let at = if self.is_whole { format!("{at:.0}") } else { format!("{at:.3}") };
        self.file.add(rows(&at, last, now).as_bytes())
    }
}

/// The lines of an interval.
pub(super) fn rows(at: &str, last: &Snapshot, now: &Snapshot) -> String {
    let window = now.elapsed_ns.saturating_sub(last.elapsed_ns);
    let mut text = String::new();
    for (number, port) in now.ports.iter().enumerate() {
        let before = last.ports.get(number).cloned().unwrap_or_default();
        for (direction, of) in [
            ("RX", (|port| (port.rx_packets, port.rx_bytes)) as fn(&PortStats) -> (u64, u64)),
            ("TX", |port| (port.tx_packets, port.tx_bytes)),
        ] {
            // A text takes all that is written.
            let _ = writeln!(text, "{at},{},{direction},{}", name(&port.name), figures(of(&before), of(port), window));
        }
    }
    text
}

#[allow(clippy::cast_precision_loss, reason = "a rate: beyond 2^53 the last digits do not matter")]
fn figures(before: (u64, u64), (packets, bytes): (u64, u64), window: u64) -> String {
    let rate = |number: u64| if window == 0 { 0.0 } else { number as f64 * 1e3 / window as f64 };
    let difference = packets.saturating_sub(before.0);
    let mpps = rate(difference);
    // Some drivers count no bytes.
    if packets > 0 && bytes == 0 {
        return format!("{mpps:.6},,,{packets},");
    }
    let with = |more: u64| 8.0 * rate(bytes.saturating_sub(before.1) + difference * more);
    format!("{mpps:.6},{:.6},{:.6},{packets},{}", with(CHECK), with(CHECK + FRAMING), bytes + packets * CHECK)
}

/// A name as a cell. One that a spreadsheet would take for a formula begins with `'`, by which it takes it for text.
pub(super) fn name(name: &str) -> String {
    let is_formula = name.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let mark = if is_formula { "'" } else { "" };
    if is_formula || name.contains([',', '"', '\n', '\r']) {
        format!("\"{mark}{}\"", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    }
}
