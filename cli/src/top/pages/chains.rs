//! Chains on their lcores, and in their details their stages.

use super::{Details, Page, plain, us};
use crate::summary::percentile;
use crate::table::count;
use crate::top::grid::{Column, Graph, Row, graph, number};
use crate::top::look::Tone;
use crate::top::model::Model;

/// The page.
pub(super) struct Chains;

const COLUMNS: [Column; 11] = [
    number("lcore", 5),
    number("in", 11),
    number("out", 11),
    number("dropped", 11),
    number("cyc/packet", 10),
    graph("in"),
    number("p50 us", 9),
    number("p99 us", 9),
    number("out", 13),
    number("held", 9),
    number("dropped in all", 15),
];

impl Page for Chains {
    fn title(&self) -> &'static str {
        "chains"
    }

    fn first(&self) -> &'static str {
        "chain"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn len(&self, model: &Model) -> usize {
        model.now.chains.len()
    }

    fn row<'a>(&self, model: &'a Model, at: usize) -> Row<'a> {
        let (chain, rates) = (&model.now.chains[at], model.chain(at));
        Row {
            name: plain(&chain.name),
            cells: vec![
                chain.lcore.to_string(),
                rates.taken(),
                rates.left.packets(),
                rates.dropped(),
                rates.cycles(),
                us(chain.batch_time.p50_ns),
                us(chain.batch_time.p99_ns),
                rates.left.bits(),
                count(chain.held),
                count(chain.dropped_total()),
            ],
            graph: model.points[1].get(at).map_or(Graph::None, |points| Graph::Points(points)),
            tone: if rates.dropped > 0 { Tone::Warn } else { Tone::Plain },
        }
    }

    fn details(&self, model: &Model, at: usize) -> Details {
        let (chain, rates, window) = (&model.now.chains[at], model.chain(at), model.window());
        let mut told = Details::default();
        told.count("lcore", chain.lcore.into());
        told.packets("packets in", chain.taken(), rates.taken, window);
        let out = chain.sent + chain.to_ring + chain.to_queue;
        told.packets("packets out", out, rates.left.packets, window);
        told.packets("dropped", chain.dropped_total(), rates.dropped, window);
        for (cause, packets) in &chain.dropped {
            told.count(&format!("  {cause}"), *packets);
        }
        told.text("cycles by packet", rates.cycles());
        told.text("  of which", rates.phases());
        let time = &chain.batch_time;
        let [p50, p99, p999, max] = [time.p50_ns, time.p99_ns, time.p999_ns, time.max_ns].map(us);
        told.text("polls with packets", format!("p50 {p50} us, p99 {p99} us, p99.9 {p999} us, max {max} us"));
        let stages = model.now.modules.iter().filter(|one| one.chain == chain.name && one.lcore == chain.lcore);
        for stage in stages {
            told.text("module", format!("{} ({})", stage.name, stage.state.name()));
        }
        let same = |times: &&perigee_runtime::StageTimes| times.chain == chain.name && times.lcore == chain.lcore;
        for part in model.now.stage_times.iter().filter(same).flat_map(|times| &times.parts) {
            let [p50, p99] = ["p50", "p99"].map(|name| percentile(&part.times, name));
            told.text(&part.part, format!("p50 {p50} us, p99 {p99} us, of {}", count(part.times.count)));
        }
        told.counts(&[
            ("from ports", chain.received),
            ("made by modules", chain.created),
            ("from a ring", chain.from_ring),
            ("from other queues", chain.from_queue),
            ("to ports", chain.sent),
            ("to rings", chain.to_ring),
            ("to other queues", chain.to_queue),
            ("held", chain.held),
            ("copied into rooms", chain.copied_in),
            ("bad outputs", chain.bad_outputs),
            ("create not granted", chain.create_not_granted),
            ("departure times ignored", chain.tx_time_ignored),
            ("bypassed a failed stage", chain.bypassed),
            ("pool was empty", chain.pool_empty),
            ("batches", chain.batches),
            ("polls", chain.polls),
            ("cycles busy", chain.cycles_busy),
            ("cycles waited", chain.cycles_waited),
        ]);
        told
    }

    fn empty(&self) -> &'static str {
        "no chains"
    }
}
