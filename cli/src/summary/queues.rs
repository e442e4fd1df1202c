//! Chains that are joined by rings: how busy each is, what waits for it, and what it drops.

use crate::table::{Table, count};
use perigee_runtime::{ChainStats, RingStats, Snapshot};
use std::time::Duration;

/// Nothing where there are no rings.
pub(super) fn text(snapshot: &Snapshot) -> String {
    let heads = ["<chain", "lcore", "load", "dropped", "<queue", "packets", "of", "pressed", "for ms"];
    let mut table = Table::new(&heads);
    let chains = snapshot.chains.iter().filter(|_| !snapshot.rings.is_empty());
    for chain in chains {
        let ring = snapshot.rings.iter().find(|ring| chain.ring.as_ref() == Some(&ring.name));
        let own = [chain.name.clone(), chain.lcore.to_string(), load(snapshot, chain), count(chain.dropped_total())];
        table.row(own.into_iter().chain(queue(ring)));
    }
    table.text_unless_empty()
}

/// Which part of its time a chain had packets to work on.
fn load(snapshot: &Snapshot, chain: &ChainStats) -> String {
    let cycles = u128::from(snapshot.elapsed_ns) * u128::from(snapshot.tsc_hz) / 1_000_000_000;
    (u128::from(chain.cycles_busy) * 100).checked_div(cycles).map_or_else(|| "-".to_owned(), |part| format!("{part} %"))
}

fn queue(ring: Option<&RingStats>) -> [String; 5] {
    let none = || "-".to_owned();
    let Some(ring) = ring else { return [(); 5].map(|()| none()) };
    let pressure = ring.backpressure.as_ref();
    let ms = |ns| format!("{:.1}", Duration::from_nanos(ns).as_secs_f64() * 1e3);
    [
        ring.name.clone(),
        count(ring.count.into()),
        count(ring.size.into()),
        pressure.map_or_else(none, |pressure| count(pressure.times)),
        pressure.map_or_else(none, |pressure| ms(pressure.ns)),
    ]
}

#[cfg(test)]
mod test {
    use super::*;
    use perigee_runtime::RingPressure;

    #[test]
    fn load_queue_and_drops_are_told_by_chain() {
        let chain = |name: &str, ring: Option<&str>, cycles_busy| ChainStats {
            name: name.into(),
            ring: ring.map(str::to_owned),
            cycles_busy,
            dropped: [("verdict".to_owned(), 7)].into(),
            ..Default::default()
        };
        let mut snapshot = Snapshot {
            elapsed_ns: 2_000_000_000,
            tsc_hz: 1_000_000_000,
            chains: vec![chain("first", None, 1_900_000_000), chain("second", Some("r"), 500_000_000)],
            ..Default::default()
        };
        assert_eq!(text(&snapshot), "");
        let backpressure = Some(RingPressure { presses: true, times: 3, ns: 1_500_000 });
        snapshot.rings = vec![RingStats { name: "r".into(), count: 40, size: 64, backpressure }];
        let told = text(&snapshot);
        for line in [
            "  first       0  95 %        7  -            -   -        -       -",
            "  second      0  25 %        7  r           40  64        3     1.5",
        ] {
            assert!(told.contains(line), "{line:?} is not in:\n{told}");
        }
    }
}
