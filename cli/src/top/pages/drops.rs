//! What was dropped or lost, by cause.

use super::{Details, Page, plain};
use crate::table::{count, packet_rate};
use crate::top::grid::{Column, Graph, Row, graph, number, words};
use crate::top::look::Tone;
use crate::top::model::Model;

/// The page.
pub(super) struct ByCause;

const COLUMNS: [Column; 4] = [number("now", 11), words("where", 24), number("in all", 15), graph("")];

impl Page for ByCause {
    fn title(&self) -> &'static str {
        "drops"
    }

    fn first(&self) -> &'static str {
        "cause"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn len(&self, model: &Model) -> usize {
        model.drops.len()
    }

    fn row<'a>(&self, model: &'a Model, at: usize) -> Row<'a> {
        let drops = &model.drops[at];
        Row {
            name: plain(&drops.cause),
            cells: vec![packet_rate(drops.recent, model.window()), plain(&drops.place), count(drops.total)],
            graph: Graph::Points(&drops.points),
            tone: if drops.recent > 0 { Tone::Warn } else { Tone::Plain },
        }
    }

    fn details(&self, model: &Model, at: usize) -> Details {
        let drops = &model.drops[at];
        let mut told = Details::default();
        told.text("where", &drops.place);
        told.packets("packets", drops.total, drops.recent, model.window());
        let everywhere: u64 = model.drops.iter().filter(|one| one.cause == drops.cause).map(|one| one.total).sum();
        told.count("by this cause everywhere", everywhere);
        told
    }

    fn empty(&self) -> &'static str {
        "no packet was dropped or lost"
    }
}
