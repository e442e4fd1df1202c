//! What must hold of all flows, whatever function they came through: nothing twice, nothing out of order, nothing missing.

use crate::config::Config;
use crate::stamp::{Flow, Kind, Stamp};
use alloc::collections::BTreeMap;
use perigee_guest::invariant;

const MS: u64 = 1_000_000;

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
    /// Of those that were sent while nothing may be missing: the first and the last number, how many, and when the last one was sent.
    first_whole: u32,
    last_whole: u32,
    count: u32,
    time: u64,
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
        if self.whole.is_some_and(|(from, to)| (from..to).contains(&stamp.time)) {
            if track.count == 0 {
                track.first_whole = number;
            }
            track.first_whole = track.first_whole.min(number);
            track.last_whole = track.last_whole.max(number);
            track.count += 1;
            track.time = track.time.max(stamp.time);
        }
    }

    /// It is over.
    pub(crate) fn end(&self) {
        let Some((_, to)) = self.whole else { return };
        let whole = self.flows.iter().filter(|(_, track)| track.count > 0);
        let mut n = 0;
        for ((flow, kind), track) in whole {
            let sent = track.last_whole - track.first_whole + 1;
            invariant!(track.count == sent, "{flow:?} {kind:?}: {} of {sent} packets are missing", sent - track.count);
            let until = track.time;
            invariant!(until + self.quiet >= to, "{flow:?} {kind:?}: nothing that was sent after {until} ns came");
            n += 1;
        }
        invariant!(n >= self.least, "{n} flows came, and {} must", self.least);
    }
}
