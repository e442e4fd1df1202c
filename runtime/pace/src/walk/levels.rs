//! A Poisson process whose rate goes from one level to the next.

use super::{Change, Fine, Origin, nanos, on_off};
use crate::draws::Draws;
use crate::tempo::Tempo;
use perigee_config::stream::Levels;
use std::sync::Arc;
use std::time::Duration;

/// A Markov-modulated Poisson process.
#[derive(Clone, Debug)]
pub(crate) struct Modulated {
    tempo: Tempo,
    mean: f64,
    of: u64,
    levels: Arc<[Level]>,
    /// Which of them holds at `next`.
    level: usize,
    /// Until when.
    until: Fine,
    next: Fine,
    draws: Draws,
}

/// One of the rates.
#[derive(Clone, Copy, Debug)]
struct Level {
    /// How many times the mean.
    speed: f64,
    /// How long it is held, in the mean.
    hold: f64,
}

impl Modulated {
    pub(crate) fn new(
        tempo: Option<Tempo>,
        rates: &Levels,
        hold: &[Duration],
        mut origin: Origin,
    ) -> Result<Self, String> {
        let numbers = rates.numbers();
        let hold: Vec<f64> = hold.iter().map(|hold| number(nanos(*hold))).collect();
        let all: f64 = hold.iter().sum();
        let mean = numbers.iter().zip(&hold).map(|(rate, hold)| rate * hold).sum::<f64>() / all;
        if numbers.len() != hold.len() || !mean.is_finite() || mean <= 0.0 || hold.iter().any(|hold| *hold <= 0.0) {
            return Err("its rates and their times make no sense".to_owned());
        }
        let (tempo, stretch) = match (tempo, rates) {
            (Some(tempo), _) => (tempo, 1.0),
            (None, Levels::Multiples(_)) => return Err("it has no rate".to_owned()),
            (None, Levels::Rates(rates)) => {
                let (rate, number) = rates.iter().zip(&numbers).find(|(_, number)| **number > 0.0).ok_or("no rate")?;
                (Tempo::new(*rate, origin.link)?, number / mean)
            }
        };
        on_off::check(tempo, super::whole(all), origin.of)?;
        let levels: Arc<[Level]> =
            numbers.iter().zip(&hold).map(|(rate, hold)| Level { speed: rate / mean / stretch, hold: *hold }).collect();
        let level = first(&hold, origin.draws.unit() * all);
        let start = Fine::at(origin.start);
        let until = start.later(levels[level].hold * origin.draws.exponential());
        let tempo = tempo.stretched(origin.of, 1);
        let (mean, of) = (tempo.nanos(), origin.of);
        let mut modulated = Self { tempo, mean, of, levels, level, until, next: start, draws: origin.draws };
        modulated.go(tempo.measure.least());
        Ok(modulated)
    }

    #[inline]
    pub(crate) fn next(&self) -> u64 {
        self.next.nanos()
    }

    pub(crate) fn advance(&mut self, len: u16) {
        self.go(self.tempo.measure.units(len));
    }

    fn go(&mut self, units: u64) {
        // At the mean rate; a level of twice the rate does it in half the time.
        let mut left = self.draws.exponential() * (self.mean * number(units));
        loop {
            let Level { speed, .. } = self.levels[self.level];
            let room = self.next.until(self.until) * speed;
            if left < room {
                self.next = self.next.later(left / speed);
                return;
            }
            left -= room;
            self.next = self.until;
            self.level = (self.level + 1) % self.levels.len();
            self.until = self.until.later(self.levels[self.level].hold * self.draws.exponential());
        }
    }

    pub(crate) fn shift(&mut self, by: u64) {
        self.next.shift(by);
        self.until.shift(by);
    }

    pub(crate) fn set_tempo(&mut self, tempo: Tempo, change: Change) {
        let tempo = tempo.stretched(self.of, 1);
        self.next = Fine::at(change.of(self.next(), self.tempo, tempo));
        (self.tempo, self.mean) = (tempo, tempo.nanos());
        // From here on the levels hold as long as they do on average, whatever they were.
        if self.until < self.next {
            self.until = self.next.later(self.levels[self.level].hold * self.draws.exponential());
        }
    }
}

/// The level in which the process is at any time.
fn first(hold: &[f64], mut at: f64) -> usize {
    for (level, hold) in hold.iter().enumerate() {
        if at <= *hold {
            return level;
        }
        at -= hold;
    }
    hold.len() - 1
}

#[allow(clippy::cast_precision_loss, reason = "times of at most an hour, and few units")]
fn number(value: u64) -> f64 {
    value as f64
}
