//! What was measured of packets that pass by, for people.

use super::measured::{times_row, us};
use crate::table::{Table, count};
use perigee_runtime::{PathStats, Snapshot};

/// All of it; empty where there are no paths.
pub(super) fn text(snapshot: &Snapshot) -> String {
    if snapshot.paths.is_empty() {
        return String::new();
    }
    let mut parts = vec![counts(&snapshot.paths), latencies(&snapshot.paths), remarks(&snapshot.paths)];
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn counts(paths: &[PathStats]) -> String {
    let heads = [
        "<path",
        "<by",
        "first",
        "in time",
        "late",
        "lost",
        "loss %",
        "ambiguous",
        "outstanding",
        "then",
        "twice",
        "ambiguous",
        "only then",
        "reordered",
    ];
    let mut table = Table::new(&heads);
    for path in paths {
        let p = &path.packets;
        let loss = p.loss_ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{:.5}", ratio * 100.0));
        table.row([
            path.name.clone(),
            path.identity.clone(),
            count(p.first),
            count(p.in_time),
            count(p.late),
            count(p.lost),
            loss,
            count(p.ambiguous),
            count(p.outstanding),
            count(p.then),
            count(p.twice),
            count(p.ambiguous_then),
            count(p.only_then),
            count(p.reordered),
        ]);
    }
    table.text()
}

fn latencies(paths: &[PathStats]) -> String {
    let heads =
        ["<latency of path, us", "<times by", "min", "mean", "p1", "p50", "p99", "p99.9", "p99.99", "max", "jitter"];
    let mut table = Table::new(&heads);
    for path in paths.iter().filter(|path| path.latency.count > 0) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of times")]
        let jitter = us(path.variation.jitter_ns.round() as u64);
        let times = path.times.join(" to ");
        table.row([path.name.clone(), times].into_iter().chain(times_row(&path.latency)).chain([jitter]));
    }
    table.text_unless_empty()
}

fn remarks(paths: &[PathStats]) -> String {
    let lines =
        paths.iter().flat_map(|path| path.remarks().into_iter().map(|told| format!("path {}: {told}\n", path.name)));
    lines.collect()
}
