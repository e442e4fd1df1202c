//! Bursts: packets close to each other, then a pause that keeps the rate.

use super::{Change, Origin, interleaved, nanos};
use crate::exact::Exact;
use crate::tempo::Tempo;
use std::time::Duration;

/// Bursts whose first packets leave when they would leave at a constant rate.
#[derive(Clone, Debug)]
pub(crate) struct Bursts {
    /// The constant rate.
    even: Exact,
    /// When the next packet leaves.
    at: u64,
    size: u32,
    /// How many of the burst have left.
    left: u32,
    inside: Inside,
}

/// The time from a packet of a burst to the next.
#[derive(Clone, Debug)]
enum Inside {
    /// Always the same.
    Fixed(u64),
    /// What the link takes for the first of the two.
    Link(Exact),
}

impl Bursts {
    pub(crate) fn new(tempo: Tempo, size: u32, gap: Option<Duration>, origin: &Origin) -> Self {
        // The bursts of several lcores stand between each other.
        let even = interleaved(tempo, origin.start, origin.number * u64::from(size), origin.of);
        let inside = match (gap, origin.link) {
            (Some(gap), _) => Inside::Fixed(nanos(gap)),
            (None, Some(speed)) => Inside::Link(Exact::new(Tempo::of_link(speed), even.next(), 1)),
            (None, None) => Inside::Fixed(0),
        };
        Self { at: even.next(), even, size, left: 0, inside }
    }

    #[inline]
    pub(crate) fn next(&self) -> u64 {
        self.at
    }

    pub(crate) fn advance(&mut self, len: u16) {
        self.even.advance(self.even.tempo().measure.units(len));
        let close = match &mut self.inside {
            Inside::Fixed(gap) => self.at.saturating_add(*gap),
            Inside::Link(line) => {
                line.advance(line.tempo().measure.units(len));
                line.next()
            }
        };
        self.left += 1;
        self.at = close;
        if self.left >= self.size {
            self.begin();
        }
    }

    /// A burst that is longer than the time until the next one is followed by it at once.
    fn begin(&mut self) {
        self.left = 0;
        self.at = self.at.max(self.even.next());
        if let Inside::Link(line) = &mut self.inside
            && line.next() < self.at
        {
            line.set(self.at);
        }
    }

    pub(crate) fn shift(&mut self, by: u64) {
        self.even.shift(by);
        self.at = self.at.saturating_add(by);
        if let Inside::Link(line) = &mut self.inside {
            line.shift(by);
        }
    }

    pub(crate) fn set_tempo(&mut self, tempo: Tempo, change: Change) {
        let next = change.of(self.even.next(), self.even.tempo(), tempo);
        self.even = Exact::new(tempo, next, self.even.stride());
        if self.left == 0 {
            self.at = next;
            if let Inside::Link(line) = &mut self.inside {
                line.set(next);
            }
        }
    }
}
