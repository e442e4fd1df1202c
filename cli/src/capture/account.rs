//! What a capture comes to: by point, what has passed is what was written and what was not, each for its reason.

use super::blocks::Tally;
use super::dry::Rate;
use crate::table::Table;
use perigee_runtime::text;
use serde::{Deserialize, Serialize};

/// All points together, as JSON.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Account {
    /// What has passed each point is all accounted for.
    pub(super) balanced: bool,
    /// The run told its last number. It did not, where it was killed.
    pub(super) complete: bool,
    pub(super) points: Vec<PointCounts>,
    /// Files that are there.
    pub(super) files: Vec<String>,
    /// What `--dry-disk` has found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dry: Option<Rate>,
}

/// One point.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct PointCounts {
    pub(super) name: String,
    /// Packets that have passed.
    pub(super) seen: u64,
    /// Those that the filter refused.
    pub(super) filter: u64,
    /// Those that were written over in memory before this process had read them.
    pub(super) ring: u64,
    /// Those that could not be written.
    pub(super) writer: u64,
    /// Those that came after the last one that was asked for (`--count`).
    pub(super) surplus: u64,
    /// Those in files.
    pub(super) written: u64,
    /// Packets that the port itself has lost: of none of the above.
    pub(super) port: u64,
}

impl Tally {
    /// All is accounted for.
    pub(super) fn is_balanced(&self) -> bool {
        self.seen == self.filter + self.ring + self.writer + self.surplus + self.written
    }

    /// What has come since an earlier one.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            seen: self.seen.saturating_sub(before.seen),
            filter: self.filter.saturating_sub(before.filter),
            ring: self.ring.saturating_sub(before.ring),
            writer: self.writer.saturating_sub(before.writer),
            surplus: self.surplus.saturating_sub(before.surplus),
            written: self.written.saturating_sub(before.written),
            port: self.port.saturating_sub(before.port),
        }
    }
}

impl PointCounts {
    pub(super) fn new(name: &str, tally: &Tally) -> Self {
        let Tally { seen, filter, ring, writer, surplus, written, port } = *tally;
        Self { name: name.to_owned(), seen, filter, ring, writer, surplus, written, port }
    }
}

impl Account {
    /// Packets of all points that are in files.
    pub(super) fn written(&self) -> u64 {
        self.points.iter().map(|point| point.written).sum()
    }

    /// As a table.
    pub(super) fn shown(&self) -> String {
        let mut table = Table::new(&["<point", "seen", "filter", "ring", "writer", "surplus", "written"]);
        for point in &self.points {
            let PointCounts { name, seen, filter, ring, writer, surplus, written, .. } = point;
            let numbers = [seen, filter, ring, writer, surplus, written].map(ToString::to_string);
            table.row([text::line(name, text::WORDS)].into_iter().chain(numbers));
        }
        let mut shown = table.text();
        for point in self.points.iter().filter(|point| point.port != 0) {
            shown.push_str(&format!(
                "{}: the port itself has lost {} packets\n",
                text::line(&point.name, text::WORDS),
                point.port
            ));
        }
        if let Some(rate) = &self.dry {
            shown.push_str(&rate.reading(self.points.iter().map(|point| point.ring).sum()));
            shown.push('\n');
        }
        if !self.complete {
            shown.push_str("the run ended without its last numbers: they are those of its last burst that was seen\n");
        }
        shown
    }
}
