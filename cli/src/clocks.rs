//! `perigee clocks`: the clocks that times are taken by, and how they run beside each other.

use crate::output;
use crate::output::JsonOption;
use crate::table::{Table, count};
use anyhow::Result;
use clap::Args;
use perigee_runtime::config::parse_duration;
use perigee_runtime::{Clocks, Drift, PortClock, StampTrial};
use std::process::ExitCode;
use std::time::Duration;

/// Which clocks are looked at, and for how long.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:
  perigee clocks                                   # the system's alone
  perigee clocks 0000:01:00.0 0000:01:00.1 --for 60s
  perigee clocks 0000:01:00.0 0000:01:00.1 --stamps # which packets are stamped on a cable between the two")]
pub(crate) struct ClocksArgs {
    /// Ports whose clocks are read: virtual devices with their arguments, or PCI addresses.
    #[arg(value_name = "DEVICE")]
    devices: Vec<String>,
    /// How long: the longer, the surer.
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    time: Duration,
    /// Try which packets are stamped: PTP over Ethernet and UDP, and others, from the first device to the last one.
    #[arg(long, requires = "devices")]
    stamps: bool,
    #[command(flatten)]
    json: JsonOption,
}

/// `perigee clocks`. Ends with 1 where a port did not come up, or has no clock.
pub(crate) fn clocks(args: &ClocksArgs) -> Result<ExitCode> {
    let seen = perigee_runtime::clocks(&args.devices, args.time, args.stamps)?;
    if output::json(&seen, &args.json)? {
        output::result(&text(&seen))?;
    }
    let is_good = seen.failed.is_empty() && seen.ports.iter().all(|port| port.beside_raw.is_some());
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(seen: &Clocks) -> String {
    let seconds = Duration::from_nanos(seen.took_ns).as_secs_f64();
    let mut table = Table::new(&["<clock", "<beside", "Hz", "fast by ppm", "+-", "worst ns", "readings", "<"]);
    let raw = "CLOCK_MONOTONIC_RAW";
    row(&mut table, "time stamp counter", raw, seen.tsc.as_ref(), "");
    row(&mut table, "CLOCK_REALTIME", raw, seen.realtime.as_ref(), "");
    for port in seen.ports.iter().filter(|port| port.read_by.is_some()) {
        row(&mut table, &port.device, raw, port.beside_raw.as_ref(), port.remark.as_deref().unwrap_or_default());
    }
    for pair in &seen.pairs {
        row(&mut table, &pair.second, &pair.first, pair.drift.as_ref(), "");
    }
    let ports: String = seen.ports.iter().map(port).collect();
    let failed: String = seen.failed.iter().map(|failed| format!("{failed}\n")).collect();
    format!("looked at for {seconds:.1} s\n{}{ports}{}{failed}", table.text(), trials(&seen.trials))
}

/// Which packets were stamped.
fn trials(trials: &[StampTrial]) -> String {
    let heads = [
        "<sent from the first to the last",
        "sent",
        "stamped",
        "came",
        "stamped in the packet",
        "flagged",
        "by a register",
    ];
    let mut table = Table::new(&heads);
    for trial in trials {
        let counts =
            [trial.sent, trial.tx_stamped, trial.came, trial.rx_in_packet, trial.rx_flagged, trial.rx_in_register];
        table.row([trial.packet.clone()].into_iter().chain(counts.map(|count| count.to_string())));
    }
    table.text_unless_empty()
}

fn row(table: &mut Table, clock: &str, beside: &str, drift: Option<&Drift>, remark: &str) {
    let cells = drift.map_or_else(
        || ["-"; 5].map(str::to_owned),
        |drift| {
            [
                format!("{:.0}", drift.hz),
                drift.ppm.map_or_else(|| "-".to_owned(), |ppm| format!("{ppm:+.3}")),
                format!("{:.3}", drift.unsure_ppm),
                format!("{:.0}", drift.worst_ns),
                drift.readings.to_string(),
            ]
        },
    );
    table.row([clock.to_owned(), beside.to_owned()].into_iter().chain(cells).chain([remark.to_owned()]));
}

/// What a port can do.
fn port(port: &PortClock) -> String {
    let stamps =
        if port.rx_timestamps { "received packets may carry times" } else { "received packets carry no times" };
    let refused = port.refused.join("; ");
    match &port.read_by {
        Some(call) => format!(
            "{} ({}): its clock is read by {call} in {} ns; {stamps}\n",
            port.device,
            port.driver,
            count(port.reading_ns)
        ),
        None => {
            format!("{}: its driver {} has no clock that can be read ({refused}); {stamps}\n", port.device, port.driver)
        }
    }
}
