//! What must hold of all flows, whatever function they came through: nothing twice, nothing out of order, nothing missing.

use crate::config::Config;
use crate::stamp::{Flow, Kind, Stamp};
use alloc::collections::{BTreeMap, BTreeSet};
use perigee_guest::invariant;

const MS: u64 = 1_000_000;
/// Longer than one packet overtakes another.
const BORDER: u64 = 1_000 * MS;

/// All flows.
pub(crate) struct Tracks {
    flows: BTreeMap<(Flow, Kind), Track>,
    in_order: bool,
    /// Of packets that were sent in this time none may be missing.
    whole: Option<(u64, u64)>,
    /// So many flows must have been seen in it, and each until so long before its end.
    least: usize,
    quiet: u64,
}

/// What has come of a flow.
#[derive(Default)]
struct Track {
    /// The highest number that came, and which of the 128 up to it did.
    last: u32,
    came: u128,
    /// Of those that were sent while nothing may be missing: the first and the last number, and when the last one was sent.
    whole: Option<(u32, u32)>,
    time: u64,
    /// The numbers that came of those, and of those that were sent shortly before and after: answers to questions that come out of order are
    /// sent so, and one of a smaller number may be sent in that time where one of a larger number was sent before.
    near: BTreeSet<u32>,
}

impl Tracks {
    pub(crate) fn new(config: &Config<'_>) -> Self {
        Self {
            flows: BTreeMap::new(),
            in_order: config.order,
            whole: config.whole.map(|(from, to)| (from * MS, to * MS)),
            least: config.flows,
            quiet: config.quiet * MS,
        }
    }

    /// A packet has come.
    pub(crate) fn came(&mut self, stamp: &Stamp) {
        let Stamp { flow, kind, number, .. } = *stamp;
        let track = self.flows.entry((flow, kind)).or_default();
        if number > track.last {
            track.came = track.came.checked_shl(number - track.last).unwrap_or(0) | 1;
            track.last = number;
        } else {
            let bit = 1_u128.checked_shl(track.last - number).unwrap_or(0);
            invariant!(!self.in_order, "{flow:?} {kind:?}: packet {number} comes after packet {}", track.last);
            invariant!(track.came & bit == 0, "{flow:?} {kind:?}: packet {number} comes twice");
            track.came |= bit;
        }
        let Some((from, to)) = self.whole else { return };
        if (from.saturating_sub(BORDER)..to + BORDER).contains(&stamp.time) {
            track.near.insert(number);
        }
        if (from..to).contains(&stamp.time) {
            let (first, last) = track.whole.unwrap_or((number, number));
            track.whole = Some((first.min(number), last.max(number)));
            track.time = track.time.max(stamp.time);
        }
    }

    /// It is over.
    pub(crate) fn end(&self) {
        let Some((_, to)) = self.whole else { return };
        let whole = self.flows.iter().filter_map(|(flow, track)| Some((flow, track, track.whole?)));
        let mut n = 0;
        for ((flow, kind), track, (first, last)) in whole {
            let (sent, came) = ((last - first + 1) as usize, track.near.range(first..=last).count());
            invariant!(came == sent, "{flow:?} {kind:?}: {} of {sent} packets are missing", sent - came);
            let until = track.time;
            invariant!(until + self.quiet >= to, "{flow:?} {kind:?}: nothing that was sent after {until} ns came");
            n += 1;
        }
        invariant!(n >= self.least, "{n} flows came, and {} must", self.least);
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use core::net::Ipv4Addr;

    /// Questions that came out of order just as the time began in which nothing may be missing: the answer to the later one was sent before it.
    #[test]
    fn answers_at_the_border_of_the_time_are_not_missing() {
        let whole = Some((3 * MS, 8 * MS));
        let mut tracks = Tracks { flows: BTreeMap::new(), in_order: false, whole, least: 1, quiet: 2 * MS };
        let end = (Ipv4Addr::LOCALHOST.into(), 7);
        let flow = Flow { source: end, destination: end, protocol: 1 };
        let mut came = |number, time| tracks.came(&Stamp { kind: Kind::Answer, ttl: 64, flow, number, time });
        [(1, 1), (2, 2), (4, 2), (3, 3), (5, 4), (6, 7), (8, 7), (7, 8)]
            .into_iter()
            .for_each(|(number, ms)| came(number, ms * MS));
        tracks.end();
    }
}
