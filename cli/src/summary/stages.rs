//! How long packets take in the parts of chains, for people.

use super::measured::times_row;
use crate::table::{Table, count};
use perigee_runtime::Snapshot;

/// All of it; empty where no chain asks for it.
pub(super) fn text(snapshot: &Snapshot) -> String {
    let heads = [
        "<time in chain, us",
        "lcore",
        "<part",
        "packets",
        "min",
        "mean",
        "p1",
        "p50",
        "p99",
        "p99.9",
        "p99.99",
        "max",
    ];
    let mut table = Table::new(&heads);
    let mut remarks = String::new();
    for chain in &snapshot.stage_times {
        for part in &chain.parts {
            let row = [chain.chain.clone(), chain.lcore.to_string(), part.part.clone(), count(part.times.count)];
            table.row(row.into_iter().chain(times_row(&part.times)));
            if part.times.before_departure > 0 {
                let (n, chain) = (count(part.times.before_departure), &chain.chain);
                remarks +=
                    &format!("chain {chain}: {n} packets were taken before they came: the port's clock is WRONG\n");
            }
        }
        if chain.is_changed {
            remarks += &format!("chain {}: its stages were changed; times of modules are those before\n", chain.chain);
        }
    }
    table.text_unless_empty() + &remarks
}
