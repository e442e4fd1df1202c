//! Ports, and in their details queues as far as drivers count by queue.

use super::{Details, Page, plain};
use crate::rates::lost;
use crate::table::count;
use crate::top::grid::{Column, Graph, Row, graph, number, words};
use crate::top::look::Tone;
use crate::top::model::Model;
use perigee_runtime::PortStats;

/// The page.
pub(super) struct Ports;

const COLUMNS: [Column; 8] = [
    words("link", 4),
    number("rx", 11),
    number("tx", 11),
    number("lost", 11),
    graph("rx + tx"),
    number("rx", 13),
    number("tx", 13),
    number("lost in all", 15),
];

impl Page for Ports {
    fn title(&self) -> &'static str {
        "ports"
    }

    fn first(&self) -> &'static str {
        "port"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn len(&self, model: &Model) -> usize {
        model.now.ports.len()
    }

    fn row<'a>(&self, model: &'a Model, at: usize) -> Row<'a> {
        let (port, rates) = (&model.now.ports[at], model.port(at));
        Row {
            name: plain(&port.name),
            cells: vec![
                if port.link_up { "up" } else { "DOWN" }.to_owned(),
                rates.rx.packets(),
                rates.tx.packets(),
                rates.lost(),
                rates.rx.port_bits(),
                rates.tx.port_bits(),
                count(lost(port)),
            ],
            graph: model.points[0].get(at).map_or(Graph::None, |points| Graph::Points(points)),
            tone: match port.link_up {
                false => Tone::Bad,
                true if rates.lost > 0 => Tone::Warn,
                true => Tone::Plain,
            },
        }
    }

    fn details(&self, model: &Model, at: usize) -> Details {
        let (port, rates, window) = (&model.now.ports[at], model.port(at), model.window());
        let mut told = Details::default();
        told.text("device", &port.device);
        told.text("driver", &port.driver);
        let speed = if port.speed_mbps == 0 { String::new() } else { format!(", {} Mbit/s", port.speed_mbps) };
        let link = if port.link_up { "up" } else { "DOWN" };
        told.text("link", format!("{link}{speed}, went down {} times", port.link_downs));
        told.packets("rx packets", port.rx_packets, rates.rx.packets, window);
        told.packets("tx packets", port.tx_packets, rates.tx.packets, window);
        told.text("rx bits", format!("{} bytes  ({})", count(port.rx_bytes), rates.rx.port_bits().trim()));
        told.text("tx bits", format!("{} bytes  ({})", count(port.tx_bytes), rates.tx.port_bits().trim()));
        told.counts(&[
            ("rx missed", port.rx_missed),
            ("rx errors", port.rx_errors),
            ("rx without a room", port.rx_nombuf),
            ("rx too long", port.rx_too_long),
            ("dropped by the kernel", port.kernel_drops),
            ("tx errors", port.tx_errors),
        ]);
        told.text("sent means", &port.means.sent);
        told.text("received means", &port.means.received);
        told.text("missed means", &port.means.missed);
        further(&mut told, port);
        let before = model.port_before(at);
        for (name, value) in &port.xstats {
            let earlier = before.and_then(|before| before.xstats.get(name)).copied().unwrap_or(0);
            told.grows(name, *value, value.saturating_sub(earlier), window);
        }
        told
    }

    fn empty(&self) -> &'static str {
        "no ports"
    }
}

/// Rules, files and wires that the port has, and what happened to it.
fn further(told: &mut Details, port: &PortStats) {
    for (number, flow) in port.flows.iter().enumerate() {
        let hits = flow.hits.map_or_else(|| "not counted".to_owned(), count);
        let rule = format!("{}: {}, by {}: {hits}", flow.matches, flow.action, flow.place);
        told.text(&format!("flow rule {number}"), rule);
    }
    if let Some(played) = &port.replay {
        told.counts(&[("played packets", played.packets), ("rounds", played.rounds), ("played late", played.late)]);
    }
    if let Some(wire) = &port.wire {
        told.counts(&[
            ("lost on the wire", wire.lost),
            ("wire's queue full", wire.queue_full),
            ("dropped early", wire.early),
            ("cut", wire.cut),
            ("came twice", wire.duplicated),
            ("corrupted", wire.corrupted),
            ("reordered", wire.reordered),
            ("under way", wire.under_way),
        ]);
    }
    for event in &port.events {
        told.text("event", event);
    }
}
