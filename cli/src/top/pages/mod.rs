//! The pages: which columns, which rows, and what is told of one row.

mod chains;
mod drops;
mod modules;
mod pools;
mod ports;
mod streams;

use super::grid::{Column, Row};
use super::model::Model;
use crate::rates::per_second;
use crate::table::{count, packet_rate};
use perigee_runtime::text;
use std::fmt::Display;

/// A page.
pub(super) trait Page: Sync {
    /// What it is called.
    fn title(&self) -> &'static str;
    /// What stands above the names of its rows.
    fn first(&self) -> &'static str;
    /// Its other columns, in the order in which they matter.
    fn columns(&self) -> &'static [Column];
    /// How many rows it has.
    fn len(&self, model: &Model) -> usize;
    /// One of them.
    fn row<'a>(&self, model: &'a Model, at: usize) -> Row<'a>;
    /// All that is known of it.
    fn details(&self, model: &Model, at: usize) -> Details;
    /// What it says where it has no rows.
    fn empty(&self) -> &'static str;
}

/// All pages, in the order of their keys.
pub(super) const PAGES: [&dyn Page; 6] =
    [&ports::Ports, &chains::Chains, &modules::Modules, &pools::Pools, &streams::Streams, &drops::ByCause];
/// Where ports stand among them.
pub(super) const PORTS: usize = 0;
/// Where chains stand among them.
pub(super) const CHAINS: usize = 1;
/// Where modules stand among them.
pub(super) const MODULES: usize = 2;
/// Where streams stand among them.
pub(super) const STREAMS: usize = 4;

/// What is told of a row: names of figures, and the figures.
#[derive(Debug, Default)]
pub(super) struct Details(pub(super) Vec<(String, String)>);

impl Details {
    /// A text, which may be anybody's; none where it is empty.
    fn text(&mut self, name: &str, value: impl Display) {
        let value = text::line(&value, text::WORDS);
        if !value.is_empty() {
            self.0.push((plain(name), value));
        }
    }

    /// A count.
    fn count(&mut self, name: &str, value: u64) {
        self.0.push((plain(name), count(value)));
    }

    /// Counts, but those that are 0.
    fn counts(&mut self, counts: &[(&str, u64)]) {
        counts.iter().filter(|(_, value)| *value > 0).for_each(|(name, value)| self.count(name, *value));
    }

    /// A count, and how fast it grows.
    fn grows(&mut self, name: &str, value: u64, recent: u64, window: u64) {
        let rate = count(per_second(recent, window));
        self.0.push((plain(name), format!("{}  (+{rate}/s)", count(value))));
    }

    /// Packets, and packets per second.
    fn packets(&mut self, name: &str, value: u64, recent: u64, window: u64) {
        self.0.push((plain(name), format!("{}  ({})", count(value), packet_rate(recent, window).trim())));
    }
}

/// A name as it may be shown.
fn plain(name: &str) -> String {
    text::line(name, text::NAME)
}

/// Microseconds with one digit behind the point.
fn us(ns: u64) -> String {
    format!("{}.{}", count(ns / 1_000), ns % 1_000 / 100)
}
