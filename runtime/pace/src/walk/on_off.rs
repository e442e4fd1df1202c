//! On and off: packets come evenly for a while, and none for another.

use super::{Change, Origin, interleaved, nanos};
use crate::draws::Draws;
use crate::exact::Exact;
use crate::tempo::Tempo;
use std::time::Duration;

/// A packet for so many changes: with fewer the lcore would do nothing but draw.
const MOST_CHANGES: f64 = 1_000.0;

/// How long packets come, and how long none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Periods {
    on: u64,
    off: u64,
    fixed: bool,
}

impl Periods {
    pub(crate) fn new(on: Duration, off: Duration, fixed: bool) -> Result<Self, String> {
        let (on, off) = (nanos(on), nanos(off));
        if on == 0 || off == 0 { Err("on or off is 0".to_owned()) } else { Ok(Self { on, off, fixed }) }
    }

    fn length(self, mean: u64, draws: &mut Draws) -> u64 {
        if self.fixed { mean } else { scaled(mean, draws.exponential()) }
    }
}

#[allow(clippy::cast_precision_loss, reason = "a time that is drawn")]
fn scaled(mean: u64, by: f64) -> u64 {
    super::whole((mean as f64 * by).round())
}

/// Even steps in a time that stands still while no packets come.
#[derive(Clone, Debug)]
pub(crate) struct OnOff {
    even: Exact,
    /// In that time, when packets stop, and when they began.
    stops: u64,
    began: u64,
    /// How far that time is behind.
    behind: u64,
    periods: Periods,
    draws: Draws,
}

impl OnOff {
    pub(crate) fn new(tempo: Tempo, periods: Periods, origin: Origin) -> Result<Self, String> {
        check(tempo, periods.on.saturating_add(periods.off), origin.of)?;
        let mut draws = origin.draws;
        let tempo = while_on(tempo, periods);
        let even = interleaved(tempo, 0, origin.number, origin.of);
        // What is drawn may begin with nothing.
        let (on, off) = (periods.on, periods.off);
        let begins_off = !periods.fixed && draws.unit() * sum(on, off) > sum(on, 0);
        let behind = if begins_off { periods.length(off, &mut draws) } else { 0 };
        let stops = periods.length(on, &mut draws);
        let behind = origin.start.saturating_add(behind);
        let mut on_off = Self { even, stops, began: 0, behind, periods, draws };
        on_off.pass_off();
        Ok(on_off)
    }

    #[inline]
    pub(crate) fn next(&self) -> u64 {
        self.even.next().saturating_add(self.behind)
    }

    pub(crate) fn advance(&mut self, len: u16) {
        self.even.advance(self.even.tempo().measure.units(len));
        self.pass_off();
    }

    fn pass_off(&mut self) {
        while self.even.next() >= self.stops && self.stops != u64::MAX {
            let off = self.periods.length(self.periods.off, &mut self.draws);
            let on = self.periods.length(self.periods.on, &mut self.draws);
            self.behind = self.behind.saturating_add(off);
            self.began = self.stops;
            self.stops = self.stops.saturating_add(on);
        }
    }

    pub(crate) fn shift(&mut self, by: u64) {
        self.behind = self.behind.saturating_add(by);
    }

    pub(crate) fn set_tempo(&mut self, tempo: Tempo, change: Change) {
        let tempo = while_on(tempo, self.periods);
        let since = change.now.saturating_sub(self.behind).max(self.began);
        let next = change.since(since, self.even.next(), self.even.tempo(), tempo);
        self.even = Exact::new(tempo, next, self.even.stride());
        self.pass_off();
    }
}

#[allow(clippy::cast_precision_loss, reason = "times of at most an hour")]
fn sum(a: u64, b: u64) -> f64 {
    (a + b) as f64
}

/// The tempo while packets come, such that the rate is the mean over all time.
fn while_on(tempo: Tempo, periods: Periods) -> Tempo {
    tempo.stretched(periods.on, periods.on + periods.off)
}

/// Refuses a rate that is so low that nothing but changes would happen.
pub(crate) fn check(tempo: Tempo, cycle: u64, of: u64) -> Result<(), String> {
    let gap = tempo.gap(1_514) * sum(of, 0);
    if gap > sum(cycle, 0) * MOST_CHANGES {
        return Err(format!(
            "its packets are {:.3} s apart, more than a thousand times as long as the pattern takes; give it longer times, or a higher rate",
            gap / 1e9
        ));
    }
    Ok(())
}
