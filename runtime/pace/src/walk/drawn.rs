//! Gaps from a distribution.

use super::{Change, Fine, Origin};
use crate::draws::Draws;
use crate::tempo::Tempo;

/// The distribution of gaps; its mean is 1.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Law {
    Exponential,
    Pareto(f64),
}

/// Gaps from a distribution, from the beginning of a packet to that of the next.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    law: Law,
    /// Of this lcore alone.
    tempo: Tempo,
    /// Nanoseconds for each unit.
    mean: f64,
    next: Fine,
    draws: Draws,
    of: u64,
}

impl Drawn {
    pub(crate) fn new(law: Law, tempo: Tempo, origin: Origin) -> Self {
        let tempo = tempo.stretched(origin.of, 1);
        let mut drawn =
            Self { law, tempo, mean: tempo.nanos(), next: Fine::at(origin.start), draws: origin.draws, of: origin.of };
        // Else the first packets of all lcores would leave at once.
        drawn.go(tempo.measure.least());
        drawn
    }

    #[inline]
    pub(crate) fn next(&self) -> u64 {
        self.next.nanos()
    }

    pub(crate) fn advance(&mut self, len: u16) {
        self.go(self.tempo.measure.units(len));
    }

    #[allow(clippy::cast_precision_loss, reason = "units are few")]
    fn go(&mut self, units: u64) {
        let gap = match self.law {
            Law::Exponential => self.draws.exponential(),
            Law::Pareto(shape) => self.draws.pareto(shape),
        };
        self.next = self.next.later(gap * (self.mean * units as f64));
    }

    pub(crate) fn shift(&mut self, by: u64) {
        self.next.shift(by);
    }

    pub(crate) fn set_tempo(&mut self, tempo: Tempo, change: Change) {
        let tempo = tempo.stretched(self.of, 1);
        self.next = Fine::at(change.of(self.next(), self.tempo, tempo));
        (self.tempo, self.mean) = (tempo, tempo.nanos());
    }
}
