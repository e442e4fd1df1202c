//! What ports lost though their drivers count otherwise: captures that did not come as they were counted, and packets that
//! are not in the file that they were written to. Found out when a run ends.

use crate::parts::Parts;
use perigee_core::counters::{Counter, Counters};
use perigee_pcap::capture::{Given, Lost, Outputs};
use perigee_report::{PortStats, Snapshot};
use std::sync::Arc;

/// What a chain got of its port, as far as that matters for its end.
pub(crate) fn given(counters: &Counters) -> Given {
    Given { received: counters.get(Counter::Received), dry: counters.get(Counter::Dry) }
}

/// What a port's driver counts as lost.
pub(crate) fn lost(stats: &PortStats) -> Lost {
    Lost { no_room: stats.rx_nombuf, errors: stats.rx_errors }
}

/// Captures that did not come as they were counted.
pub(crate) fn shortfalls(parts: &Parts, ports: &[PortStats]) -> Vec<String> {
    let given: Vec<Given> = parts.placed.iter().map(|chain| given(&chain.counters.read())).collect();
    let of = |(number, stats): (usize, &PortStats)| {
        let what = parts.ends.shortfall(number, &given, lost(stats))?;
        Some(format!("port {:?}: {what}", stats.name))
    };
    ports.iter().enumerate().filter_map(of).collect()
}

/// Wires whose counts do not add up.
pub(crate) fn of_wires(parts: &Parts) -> Vec<String> {
    let wrong = parts.ports.iter().filter(|port| port.wire().is_some_and(|end| !end.is_balanced()));
    wrong.map(|port| format!("port {:?}: what its wire was given is not what it has told of", port.name())).collect()
}

/// Takes off what ports have sent what is not in their files, which their drivers have closed.
pub(crate) fn correct(snapshot: &mut Snapshot, outputs: &[Option<Arc<Outputs>>]) -> Vec<String> {
    let mut told = Vec::new();
    for (port, outputs) in snapshot.ports.iter_mut().zip(outputs) {
        let Some(outputs) = outputs else { continue };
        let (packets, bytes) = (port.tx_packets, port.tx_bytes);
        port.unwritten_bytes = outputs.missing(packets, bytes);
        let Some(unwritten) = outputs.unwritten(packets, bytes) else { continue };
        told.push(format!(
            "port {:?}: of {packets} packets that were sent, {} are not in the file: {}",
            port.name, unwritten.packets, unwritten.what
        ));
        port.unwritten = unwritten.packets;
        port.tx_packets -= unwritten.packets;
        port.tx_bytes -= unwritten.bytes;
        port.tx_errors += unwritten.packets;
    }
    told
}
