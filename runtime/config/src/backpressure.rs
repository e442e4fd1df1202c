//! Backpressure: from when on a ring stops those whose packets go there, and until when; and who they are.

use crate::sim::part;
use crate::{Config, Ring};
use serde::Deserialize;
use std::collections::BTreeSet;

/// How full a ring is when it begins to press on those who fill it, and when it ends: parts of its size.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backpressure {
    /// It begins there.
    #[serde(deserialize_with = "part")]
    pub high: f64,
    /// It ends there.
    #[serde(deserialize_with = "part")]
    pub low: f64,
}

impl Default for Backpressure {
    fn default() -> Self {
        Self { high: 0.8, low: 0.5 }
    }
}

impl Ring {
    /// Packets in it with which it begins to press, and with which it ends; `None` where it does not press.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "parts of a size, from 0 to 1")]
    pub fn marks(&self) -> Option<(u32, u32)> {
        let Backpressure { high, low } = self.backpressure?;
        let size = f64::from(self.size);
        Some(((size * high).ceil() as u32, (size * low) as u32))
    }
}

impl Config {
    /// The rings to which packets of a chain may come, by number: those that its modules fill, and those that the chains
    /// behind these fill.
    #[must_use]
    pub fn rings_behind(&self, chain: usize) -> BTreeSet<usize> {
        let (mut found, mut next) = (BTreeSet::new(), vec![chain]);
        while let Some(chain) = next.pop() {
            let modules = self.chains[chain].modules().filter_map(|name| Some(&self.modules[self.module(name)?]));
            let filled: Vec<usize> = modules.flat_map(|m| &m.grants.rings).filter_map(|name| self.ring(name)).collect();
            for ring in filled.into_iter().filter(|ring| found.insert(*ring)) {
                let reads = |chain: &usize| self.chains[*chain].reads_ring(&self.rings[ring].name);
                next.extend((0..self.chains.len()).filter(reads));
            }
        }
        found
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        Config::read(text, "x.toml").map_err(|e| e.to_string())
    }

    #[test]
    fn marks_are_parts_of_the_size() {
        let marks = |what: &str| read(&format!("[[ring]]\nname = \"r\"\nsize = 100\n{what}")).unwrap().rings[0].marks();
        assert_eq!(marks(""), None);
        assert_eq!(marks("backpressure = {}"), Some((80, 50)));
        assert_eq!(marks("backpressure = { high = \"60.5%\", low = 0.25 }"), Some((61, 25)));
        let wrong = read("[[ring]]\nname = \"r\"\nbackpressure = { hihg = 0.8 }").unwrap_err();
        assert!(wrong.contains("hihg"), "{wrong}");
    }

    #[test]
    fn what_lies_behind_a_chain_is_found_over_rings_and_in_circles() {
        let module = |name: &str, rings: &str| {
            format!("[[module]]\nname = \"{name}\"\nfile = \"x.wasm\"\ngrants = {{ rings = [{rings}] }}\n")
        };
        let chain = |source: &str, stage: &str| format!("[[chain]]\nsource = {{ {source} }}\nstages = [\"{stage}\"]\n");
        let text = ["a", "b", "c"].map(|name| format!("[[ring]]\nname = \"{name}\"\n")).concat()
            + &module("to-a", "\"a\"")
            + &module("to-b", "\"b\"")
            + &module("to-a-and-c", "\"a\", \"c\"")
            + &module("ends", "")
            + &chain("port = \"p\"", "to-a")
            + &chain("ring = \"a\"", "to-b")
            + &chain("ring = \"b\"", "to-a-and-c")
            + &chain("ring = \"c\"", "ends");
        let config = read(&text).unwrap();
        let behind = |chain| config.rings_behind(chain).into_iter().collect::<Vec<_>>();
        assert_eq!([behind(0), behind(2), behind(3)], [vec![0, 1, 2], vec![0, 1, 2], vec![]]);
    }
}
