//! From one rate to another.

use super::{Origin, whole};
use crate::exact::Exact;
use crate::tempo::{Measure, Tempo};
use perigee_config::stream::Rate;

/// A rate that rises or falls evenly.
#[derive(Clone, Debug)]
pub(crate) struct Ramp {
    measure: Measure,
    /// Units in a nanosecond, at the beginning and at the end.
    from: f64,
    to: f64,
    /// How long it takes, in nanoseconds.
    over: f64,
    start: u64,
    /// Units that have left since `start`, those of other lcores among them.
    done: f64,
    stride: u64,
    repeats: bool,
    /// The tempo behind its end; `None`: nothing leaves there.
    end: Option<Tempo>,
    at: Place,
}

/// Where the next packet stands.
#[derive(Clone, Debug)]
enum Place {
    /// In the ramp.
    Inside(u64),
    /// Behind its end, where the rate stays as it is.
    Behind(Exact),
    /// Nowhere: the rate has come to 0.
    Over,
}

impl Ramp {
    pub(crate) fn new(rates: [Rate; 2], over: u64, repeats: bool, origin: &Origin) -> Result<Self, String> {
        let tempos = rates.map(|rate| (!rate.is_zero()).then(|| Tempo::new(rate, origin.link)).transpose());
        let [from, to] = tempos;
        let (from, to) = (from?, to?);
        let some = to.or(from).ok_or("it goes from 0 to 0")?;
        let speed = |tempo: Option<Tempo>| tempo.map_or(0.0, |tempo| 1.0 / tempo.nanos());
        let mut ramp = Self {
            measure: some.measure,
            from: speed(from),
            to: speed(to),
            over: number(over.max(1)),
            start: origin.start,
            done: number(origin.number * some.measure.least()),
            stride: origin.of,
            repeats,
            end: to,
            at: Place::Over,
        };
        ramp.at = ramp.find();
        Ok(ramp)
    }

    #[inline]
    pub(crate) fn next(&self) -> Option<u64> {
        match &self.at {
            Place::Inside(at) => Some(*at),
            Place::Behind(exact) => Some(exact.next()),
            Place::Over => None,
        }
    }

    pub(crate) fn stride(&self) -> u64 {
        self.stride
    }

    pub(crate) fn advance(&mut self, len: u16) {
        let units = self.measure.units(len);
        match &mut self.at {
            Place::Behind(exact) => exact.advance(units),
            Place::Over => {}
            Place::Inside(_) => {
                self.done += number(units * self.stride);
                self.at = self.find();
            }
        }
    }

    /// Where what is done is done: n = from t + (to - from) t^2 / (2 over).
    fn find(&mut self) -> Place {
        let all = (self.from + self.to) / 2.0 * self.over;
        if self.done >= all {
            if !self.repeats {
                let Some(tempo) = self.end else { return Place::Over };
                let behind = whole(self.over + (self.done - all) / self.to);
                return Place::Behind(Exact::new(tempo, self.start.saturating_add(behind), self.stride));
            }
            let rounds = (self.done / all).floor();
            self.done = (self.done - rounds * all).max(0.0);
            self.start = self.start.saturating_add(whole(rounds * self.over));
        }
        if self.done == 0.0 {
            return Place::Inside(self.start);
        }
        let under = self.from * self.from + 2.0 * (self.to - self.from) * self.done / self.over;
        let time = 2.0 * self.done / (self.from + under.max(0.0).sqrt());
        Place::Inside(self.start.saturating_add(whole(time.min(self.over))))
    }

    pub(crate) fn shift(&mut self, by: u64) {
        self.start = self.start.saturating_add(by);
        match &mut self.at {
            Place::Inside(at) => *at = at.saturating_add(by),
            Place::Behind(exact) => exact.shift(by),
            Place::Over => {}
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "to the nearest number")]
fn number(value: u64) -> f64 {
    value as f64
}
