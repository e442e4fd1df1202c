//! What a swap has cost: packets, and the time for which they did not flow.

use super::Swapping;
use crate::parts::Parts;
use perigee_core::counters::Counter;
use perigee_datapath::seat::{Seat, Spot};
use perigee_datapath::switch::{At, Switched, SwitchedPlace};
use perigee_report::{SeatReport, SwapReport};
use std::sync::Arc;

impl Swapping<'_> {
    /// What was switched, and what it cost: `before` is from before the first order.
    pub(super) fn fill_in(
        &self,
        report: &mut SwapReport,
        switched: &[(usize, Switched)],
        before: &Traffic,
        seats: &[Arc<Seat>],
    ) {
        for (lcore, switched) in switched {
            let pause_ns = switched.pause_ns;
            report.max_pause_ns = report.max_pause_ns.max(pause_ns);
            report.lost += switched.done.iter().map(|done| done.lost).sum::<u64>();
            for done in &switched.done {
                let Some(place) = done.place else { continue };
                let chain =
                    self.parts.placed.iter().find(|chain| chain.at == Spot { lcore: *lcore, chain: place.chain });
                report.seats.push(SeatReport {
                    chain: chain.map(|chain| chain.name.clone()).unwrap_or_default(),
                    lcore: chain.map(|chain| chain.lcore).unwrap_or_default(),
                    pause_ns,
                    ..seat_report(place, done)
                });
            }
        }
        let after = Traffic::of(self.parts, seats);
        #[allow(clippy::cast_precision_loss, reason = "a time")]
        let seconds = after.at_ns.saturating_sub(before.at_ns) as f64 / 1e9;
        report.missed = after.missed.saturating_sub(before.missed);
        let cost = report.lost + report.missed;
        #[allow(clippy::cast_precision_loss, reason = "a rate")]
        let offered = (after.packets.saturating_sub(before.packets) + report.missed) as f64 / seconds;
        report.offered_per_second = offered;
        #[allow(clippy::cast_precision_loss, reason = "a time")]
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive time of seconds")]
        let blocked = if offered > 0.0 && offered.is_finite() { (cost as f64 / offered * 1e9) as u64 } else { 0 };
        report.blocked_ns = blocked;
    }
}

fn seat_report(place: At, done: &SwitchedPlace) -> SeatReport {
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    SeatReport {
        stage: place.stage,
        state_moved: done.moved,
        state_bytes: number(done.state_bytes),
        region_bytes: number(done.region_bytes),
        held_moved: number(done.held_moved),
        held_returned: number(done.held_returned),
        held_dropped: number(done.held_dropped),
        ..SeatReport::default()
    }
}

/// What has come to the chains of some seats so far.
pub(super) struct Traffic {
    at_ns: u64,
    packets: u64,
    missed: u64,
}

impl Traffic {
    pub(super) fn of(parts: &Parts, seats: &[Arc<Seat>]) -> Self {
        let mut chains: Vec<usize> = seats.iter().map(|seat| seat.chain).collect();
        chains.dedup();
        let mut ports: Vec<usize> = chains.iter().filter_map(|chain| parts.placed[*chain].port).collect();
        ports.dedup();
        let came = |chain: &usize| {
            let counters = parts.placed[*chain].counters.read();
            [Counter::Received, Counter::FromRing, Counter::Created].into_iter().map(|c| counters.get(c)).sum::<u64>()
        };
        let missed = |port: &usize| {
            let stats = parts.ports[*port].stats();
            stats.rx_missed + stats.rx_nombuf
        };
        Self {
            at_ns: parts.clock.now_ns(),
            packets: chains.iter().map(came).sum(),
            missed: ports.iter().map(missed).sum(),
        }
    }
}
