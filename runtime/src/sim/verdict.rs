//! What must hold at the end of a simulation, and the digest of all that was.

use super::Outcome;
use super::drive::Finished;
use perigee_report::{PortStats, Summary};
use perigee_wire::trace::Trace;
use serde::Serialize;
use std::collections::BTreeMap;

pub(super) fn of(seed: u64, trace: &Trace, finished: Finished) -> Outcome {
    let Finished { summary, swaps, said, ordered, happened, turns } = finished;
    note_counters(trace, &summary);
    trace.note(format!("{} {} {}", swaps.done, swaps.refused, swaps.rolled_back).as_bytes());
    let mut broken = said;
    broken.extend(unbalanced(&summary));
    broken.extend(failures(&summary, &ordered));
    let digest = format!("wasmtime {}:{:032x}", perigee_evidence::wasmtime_version(), trace.digest());
    Outcome { seed, digest, packets: trace.packets(), turns, happened, summary, broken }
}

/// What of a summary follows from the seed: everything but what was measured of the machine.
fn note_counters(trace: &Trace, summary: &Summary) {
    let snapshot = &summary.snapshot;
    note(trace, &snapshot.chains);
    let ports: Vec<PortStats> = snapshot.ports.iter().map(wherever_it_lies).collect();
    note(trace, &ports);
    note(trace, &snapshot.rings);
    note(trace, &summary.pools);
    for module in &snapshot.modules {
        note(trace, &(&module.name, &module.chain, &module.counters, &module.state, &module.faults, module.installs));
    }
}

/// A port without what says whether its files are in memory or on the disk: what they play is the same.
fn wherever_it_lies(port: &PortStats) -> PortStats {
    let mut port = port.clone();
    if let Some(replay) = &mut port.replay {
        port.device.clear();
        (replay.memory, replay.from_disk) = (0, false);
    }
    port
}

/// A value as text; maps among them are sorted.
fn note(trace: &Trace, value: &impl Serialize) {
    trace.note(&serde_json::to_vec(value).unwrap_or_default());
}

fn unbalanced(summary: &Summary) -> Vec<String> {
    let mut broken = Vec::new();
    if !summary.accounting.balanced {
        broken.push(format!("packets are not accounted for: {:?}", summary.accounting));
    }
    for pool in summary.pools.iter().filter(|pool| !pool.full) {
        broken.push(format!("pool {:?} has {} of its {} rooms back", pool.name, pool.free, pool.size));
    }
    broken.extend(summary.losses.iter().cloned());
    broken.extend(summary.invalid.clone());
    broken
}

/// Modules that have failed more often than was ordered.
fn failures(summary: &Summary, ordered: &BTreeMap<String, u64>) -> Vec<String> {
    let mut failed: BTreeMap<&str, (u64, Option<&String>)> = BTreeMap::new();
    for module in &summary.snapshot.modules {
        let of = failed.entry(&module.name).or_default();
        of.0 += module.faults.values().sum::<u64>();
        of.1 = of.1.or(module.last_fault.as_ref());
    }
    let beyond = failed.into_iter().filter(|(name, (times, _))| *times > ordered.get(*name).copied().unwrap_or(0));
    beyond.map(|(name, (_, last))| format!("module {name:?} has failed: {}", last.map_or("", |last| last))).collect()
}
