//! What cards do about the times at which packets leave: limits on the rates of queues, and launch times.

use super::device::check;
use super::port::Port;
use perigee_core::clock::Clock;
use perigee_dpdk_sys::{self as sys, offload};
use std::time::Duration;

/// How long a card's clock is looked at before its rate is believed.
const LOOK: Duration = Duration::from_millis(20);
/// Looks of which the shortest counts: one that was interrupted says nothing.
const LOOKS: usize = 9;

/// A card's clock beside the run's, as it was when the run began: one moment, and how fast it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardClock {
    /// The moment, in nanoseconds of the run's clock.
    at_ns: u64,
    /// The same moment on the card.
    ticks: u64,
    /// Ticks in a nanosecond, in parts of 2^32.
    rate: u64,
}

impl CardClock {
    /// By two moments, each on both clocks: `(ns, ticks)`. `None` where the card's clock stands, or goes back.
    #[must_use]
    pub fn between(first: (u64, u64), last: (u64, u64)) -> Option<Self> {
        let (ns, ticks) = (last.0.checked_sub(first.0)?, last.1.checked_sub(first.1)?);
        let rate = (u128::from(ticks) << 32).checked_div(ns.into())?;
        let rate = u64::try_from(rate).ok().filter(|rate| *rate != 0)?;
        Some(Self { at_ns: last.0, ticks: last.1, rate })
    }

    /// A moment of the run's clock on the card.
    #[inline]
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a card's clock goes round in 64 bits")]
    pub fn ticks(&self, ns: u64) -> u64 {
        let ahead = i128::from(ns) - i128::from(self.at_ns);
        self.ticks.wrapping_add(((ahead * i128::from(self.rate)) >> 32) as u64)
    }
}

impl Port {
    /// Limits what a tx queue sends to so many Mbit/s, as the driver counts them; 0: to nothing.
    ///
    /// # Errors
    /// Why it does not: few drivers do it (ixgbe, mlx5, cnxk, txgbe).
    pub fn limit_queue(&self, queue: u16, mbps: u32) -> Result<(), String> {
        // SAFETY:
        // - the port exists and is started; DPDK checks the queue and the rate.
        let code = unsafe { sys::rte_eth_set_queue_rate_limit(self.device.id, queue, mbps) };
        check("rte_eth_set_queue_rate_limit", code)
    }

    /// The driver says that the card sends at given times; whether it does is another matter.
    #[must_use]
    pub fn claims_launch_times(&self) -> bool {
        self.abilities.tx_offloads & offload::TX_SEND_ON_TIMESTAMP != 0
    }

    /// The clock by which it holds packets until the times that they carry. Takes some milliseconds.
    ///
    /// # Errors
    /// It does not hold packets, or its clock cannot be read.
    pub fn launch_clock(&self, clock: &Clock) -> Result<CardClock, String> {
        if !self.launch {
            return Err("it has no launch times (RTE_ETH_TX_OFFLOAD_SEND_ON_TIMESTAMP)".to_owned());
        }
        let first = self.both_clocks(clock)?;
        std::thread::sleep(LOOK);
        let last = self.both_clocks(clock)?;
        CardClock::between(first, last).ok_or_else(|| {
            let ms = LOOK.as_millis();
            format!("its clock (rte_eth_read_clock) has gone from {} to {} in {ms} ms: it is none", first.1, last.1)
        })
    }

    /// One moment on the run's clock, and on the card's.
    fn both_clocks(&self, clock: &Clock) -> Result<(u64, u64), String> {
        let mut best = None;
        for _ in 0..LOOKS {
            let mut ticks = 0;
            let before = clock.now_ns();
            // SAFETY:
            // - the port exists, and the place for the answer is valid.
            let code = unsafe { sys::rte_eth_read_clock(self.device.id, &raw mut ticks) };
            let took = clock.now_ns().saturating_sub(before);
            check("its clock: rte_eth_read_clock", code)?;
            if best.is_none_or(|(least, _)| took < least) {
                best = Some((took, (before + took / 2, ticks)));
            }
        }
        best.map(|(_, both)| both).ok_or_else(|| "its clock was not read".to_owned())
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_cards_clock_is_told_by_two_moments() {
        // 125 MHz: 8 ns a tick.
        let clock = CardClock::between((1_000, 50), (21_001_000, 50 + 2_625_000)).unwrap();
        assert_eq!((clock.ticks(21_001_000), clock.ticks(21_001_800)), (2_625_050, 2_625_150));
        assert_eq!(clock.ticks(21_000_200), 2_624_950);
        // It goes round, and it may count picoseconds.
        let clock = CardClock::between((0, 0), (1_000, 1_000_000)).unwrap();
        assert_eq!(clock.ticks(3_600_000_000_000), 3_600_000_000_000_000);
        for (first, last) in [((5, 7), (5, 8)), ((5, 7), (6, 7)), ((5, 7), (6, 6)), ((5, 7), (4, 9))] {
            assert_eq!(CardClock::between(first, last), None);
        }
    }
}
