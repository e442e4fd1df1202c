//! Rings and pools: how full they are.

use super::{Details, Page, plain};
use crate::table::count;
use crate::top::grid::{Column, Graph, Row, graph, number, words};
use crate::top::look::Tone;
use crate::top::model::Model;

/// The page.
pub(super) struct Pools;

const COLUMNS: [Column; 4] = [words("what", 4), number("in use", 11), number("of", 11), graph("")];

impl Page for Pools {
    fn title(&self) -> &'static str {
        "rings, pools"
    }

    fn first(&self) -> &'static str {
        "name"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn len(&self, model: &Model) -> usize {
        model.now.rings.len() + model.now.pool_levels.len()
    }

    fn row<'a>(&self, model: &'a Model, at: usize) -> Row<'a> {
        if let Some(ring) = model.now.rings.get(at) {
            return Row {
                name: plain(&ring.name),
                cells: vec!["ring".to_owned(), count(ring.count.into()), count(ring.size.into())],
                graph: Graph::Part(ring.count.into(), ring.size.into()),
                tone: if ring.count >= ring.size { Tone::Warn } else { Tone::Plain },
            };
        }
        let pool = &model.now.pool_levels[at - model.now.rings.len()];
        let used = pool.size.saturating_sub(pool.free);
        Row {
            name: plain(&pool.name),
            cells: vec!["pool".to_owned(), count(used.into()), count(pool.size.into())],
            graph: Graph::Part(used.into(), pool.size.into()),
            tone: if pool.free == 0 { Tone::Warn } else { Tone::Plain },
        }
    }

    fn details(&self, model: &Model, at: usize) -> Details {
        let mut told = Details::default();
        if let Some(ring) = model.now.rings.get(at) {
            told.count("packets in it", ring.count.into());
            told.count("places", ring.size.into());
            if let Some(pressure) = &ring.backpressure {
                told.text("stops its sources", if pressure.presses { "now" } else { "no" }.to_owned());
                told.count("has done so, times", pressure.times);
                told.count("for ms in all", pressure.ns / 1_000_000);
            }
            return told;
        }
        let pool = &model.now.pool_levels[at - model.now.rings.len()];
        told.count("rooms", pool.size.into());
        told.count("free", pool.free.into());
        told.count("in use", pool.size.saturating_sub(pool.free).into());
        told
    }

    fn empty(&self) -> &'static str {
        "no rings and no pools"
    }
}
