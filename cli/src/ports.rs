//! `perigee ports`: what DPDK sees.

use crate::output;
use crate::output::JsonOption;
use crate::pci::{Machine, Nic};
use anyhow::Result;
use perigee_machine::Use;
use perigee_runtime::PortDescription;
use serde::Serialize;
use std::process::ExitCode;

/// Everything that is shown.
#[derive(Serialize)]
struct Seen {
    /// What DPDK can use now.
    ports: Vec<PortDescription>,
    /// What did not come up, and why.
    failed: Vec<String>,
    /// Cards that it could use, if they were bound to another driver.
    not_bound: Vec<Nic>,
}

/// `perigee ports`.
pub(crate) fn ports(extra: &[String], json: &JsonOption) -> Result<ExitCode> {
    let (usable, not_bound): (Vec<Nic>, Vec<Nic>) =
        Machine::this().nics().into_iter().partition(|nic| matches!(nic.usable(), Use::Bound | Use::Shared));
    let mut devices: Vec<String> = usable.into_iter().map(|nic| nic.address).collect();
    devices.extend(extra.iter().filter(|device| !devices.contains(device)).cloned().collect::<Vec<_>>());
    // Without devices DPDK need not be started, which saves its memory and the rights for it.
    let described = if devices.is_empty() { Vec::new() } else { perigee_runtime::describe(&devices)? };
    let (ports, failed): (Vec<_>, Vec<_>) = described.into_iter().partition(Result::is_ok);
    let ports = ports.into_iter().flatten().collect();
    let failed = failed.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
    let seen = Seen { ports, failed, not_bound };
    if output::json(&seen, json)? {
        output::result(&text(&seen))?;
    }
    Ok(if seen.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(seen: &Seen) -> String {
    let mut text = String::new();
    if seen.ports.is_empty() {
        text += "DPDK sees no port. Network cards must be bound to a driver of its own (`perigee doctor` says how); virtual\n\
                 devices are described when they are given: perigee ports --port net_null0\n";
    }
    for port in &seen.ports {
        text += &description(port);
    }
    for failed in &seen.failed {
        text += &format!("{failed}\n");
    }
    for nic in &seen.not_bound {
        let driver = nic.driver.as_deref().unwrap_or("no driver");
        text += &format!("{}: not DPDK's: {} with {driver} {}\n", nic.address, nic.id, nic.interfaces.join(" "));
    }
    text
}

fn description(port: &PortDescription) -> String {
    let yes = |truth| if truth { "yes" } else { "no" };
    let speed = if port.speed_mbps == 0 { "speed unknown".to_owned() } else { format!("{} Mbit/s", port.speed_mbps) };
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(" ") };
    let numa = if port.numa_node < 0 { "any".to_owned() } else { port.numa_node.to_string() };
    let facts = [
        ("driver", port.driver.clone()),
        ("link", format!("{}, {speed}", if port.link_up { "up" } else { "down until started" })),
        ("MAC address", port.mac.clone()),
        ("NUMA node", numa),
        ("queues", format!("at most {} rx, {} tx", port.max_rx_queues, port.max_tx_queues)),
        ("MTU", format!("at most {}", port.max_mtu)),
        ("rx offloads", list(&port.rx_offloads)),
        ("tx offloads", list(&port.tx_offloads)),
        ("RSS", yes(port.rss).to_owned()),
        ("timestamps", format!("on rx: {}, departure times on tx: {}", yes(port.rx_timestamps), yes(port.tx_at_time))),
        ("packets", if port.copies_on_rx { "copied into the window" } else { "received in the window" }.to_owned()),
    ];
    let lines: String = facts.iter().map(|(name, value)| format!("  {name:<12} {value}\n")).collect();
    format!("{}\n{lines}", port.device)
}
