//! `perigee ports`: what DPDK sees.

use crate::args::JsonOption;
use crate::output;
use crate::pci::{Machine, Nic, Use};
use anyhow::Result;
use perigee_runtime::PortDescription;
use serde::Serialize;
use std::process::ExitCode;

/// Everything that is shown.
#[derive(Serialize)]
struct Seen {
    /// What DPDK can use now.
    ports: Vec<PortDescription>,
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
    let ports = if devices.is_empty() { Vec::new() } else { perigee_runtime::ports::describe(&devices)? };
    let seen = Seen { ports, not_bound };
    if output::json(&seen, json)? {
        output::result(&text(&seen))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(seen: &Seen) -> String {
    let mut text = String::new();
    if seen.ports.is_empty() {
        text += "DPDK sees no port. Network cards must be bound to vfio-pci (see `perigee doctor`); virtual devices are\n\
                 described when they are given: perigee ports --port net_null0\n";
    }
    for port in &seen.ports {
        text += &description(port);
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
