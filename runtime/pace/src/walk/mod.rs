//! The patterns: each knows when the next packet leaves, and goes on past it. None knows of an end, a pause or a limit.

mod bursts;
mod drawn;
mod levels;
mod module;
mod on_off;
mod ramp;
mod trace;

use crate::draws::Draws;
use crate::exact::Exact;
use crate::tempo::{FINE, Tempo};
use bursts::Bursts;
use drawn::{Drawn, Law};
use levels::Modulated;
use module::ByModule;
use on_off::OnOff;
use perigee_config::stream::{Pattern, Rate};
use ramp::Ramp;
use std::time::Duration;
use trace::Listed;

/// Where a lcore stands in a stream.
#[derive(Clone, Debug)]
pub(crate) enum Walk {
    /// Evenly.
    Constant(Exact),
    /// By gaps from a distribution.
    Drawn(Drawn),
    /// By what a module says.
    Module(ByModule),
    /// In bursts.
    Bursts(Bursts),
    /// On and off.
    OnOff(OnOff),
    /// A Poisson process with changing rates.
    Modulated(Modulated),
    /// From a rate to another.
    Ramp(Ramp),
    /// By a list of gaps.
    Listed(Listed),
}

/// What a pattern begins with.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The moment at which the stream begins.
    pub(crate) start: u64,
    /// Which of the lcores this is, from 0.
    pub(crate) number: u64,
    /// How many they are.
    pub(crate) of: u64,
    /// Of the link, in bits per second on layer 1.
    pub(crate) link: Option<u64>,
    /// Its own, not that of another lcore.
    pub(crate) draws: Draws,
}

impl Walk {
    /// At the beginning of a stream, or of a part of it.
    pub(crate) fn new(pattern: &Pattern, rate: Option<Rate>, origin: Origin) -> Result<Self, String> {
        let Origin { start, number, of, link, .. } = origin;
        let tempo = rate.map(|rate| Tempo::new(rate, link)).transpose()?;
        let needed = || tempo.ok_or_else(|| "it has no rate".to_owned());
        Ok(match pattern {
            Pattern::Constant => Self::Constant(interleaved(needed()?, start, number, of)),
            Pattern::Poisson => Self::Drawn(Drawn::new(Law::Exponential, needed()?, origin)),
            Pattern::Pareto { shape } => Self::Drawn(Drawn::new(Law::Pareto(*shape), needed()?, origin)),
            Pattern::Module => {
                Self::Module(ByModule::new(tempo.map(|tempo| interleaved(tempo, start, number, of)), start, of))
            }
            Pattern::Bursts { size, gap } => Self::Bursts(Bursts::new(needed()?, *size, *gap, &origin)),
            Pattern::OnOff { on, off, fixed } => {
                let periods = on_off::Periods::new(*on, *off, *fixed)?;
                Self::OnOff(OnOff::new(needed()?, periods, origin)?)
            }
            Pattern::Mmpp { rates, hold } => Self::Modulated(Modulated::new(tempo, rates, hold, origin)?),
            Pattern::Ramp { from, to, over, repeat } => {
                Self::Ramp(Ramp::new([*from, *to], nanos(*over), *repeat, &origin)?)
            }
            Pattern::Trace(trace) => Self::Listed(Listed::new(trace, tempo, &origin)?),
        })
    }

    /// When the next packet leaves; `None` where there is none any more.
    #[inline]
    pub(crate) fn next(&self) -> Option<u64> {
        match self {
            Self::Constant(exact) => Some(exact.next()),
            Self::Drawn(drawn) => Some(drawn.next()),
            Self::Module(module) => Some(module.next()),
            Self::Bursts(bursts) => Some(bursts.next()),
            Self::OnOff(on_off) => Some(on_off.next()),
            Self::Modulated(modulated) => Some(modulated.next()),
            Self::Ramp(ramp) => ramp.next(),
            Self::Listed(listed) => listed.next(),
        }
    }

    /// Goes on past a packet of that length.
    #[inline]
    pub(crate) fn advance(&mut self, len: u16) {
        match self {
            Self::Constant(exact) => exact.advance(exact.tempo().measure.units(len)),
            Self::Drawn(drawn) => drawn.advance(len),
            Self::Module(module) => module.advance(len),
            Self::Bursts(bursts) => bursts.advance(len),
            Self::OnOff(on_off) => on_off.advance(len),
            Self::Modulated(modulated) => modulated.advance(len),
            Self::Ramp(ramp) => ramp.advance(len),
            Self::Listed(listed) => listed.advance(),
        }
    }

    /// All that is to come is later by so much.
    pub(crate) fn shift(&mut self, by: u64) {
        match self {
            Self::Constant(exact) => exact.shift(by),
            Self::Drawn(drawn) => drawn.shift(by),
            Self::Module(module) => module.shift(by),
            Self::Bursts(bursts) => bursts.shift(by),
            Self::OnOff(on_off) => on_off.shift(by),
            Self::Modulated(modulated) => modulated.shift(by),
            Self::Ramp(ramp) => ramp.shift(by),
            Self::Listed(listed) => listed.shift(by),
        }
    }

    /// Goes on at another rate. What part of a gap has passed, has passed; packets are taken to be as long as `mean`.
    pub(crate) fn set_tempo(&mut self, tempo: Tempo, change: Change) {
        match self {
            Self::Constant(exact) => {
                let (next, stride) = (change.of(exact.next(), exact.tempo(), tempo), exact.stride());
                *exact = Exact::new(tempo, next, stride);
            }
            Self::Drawn(drawn) => drawn.set_tempo(tempo, change),
            Self::Module(module) => module.set_tempo(tempo, change),
            Self::Bursts(bursts) => bursts.set_tempo(tempo, change),
            Self::OnOff(on_off) => on_off.set_tempo(tempo, change),
            Self::Modulated(modulated) => modulated.set_tempo(tempo, change),
            Self::Listed(listed) => listed.set_tempo(tempo, change),
            Self::Ramp(ramp) => {
                let (next, stride) = (ramp.next().unwrap_or(change.now), ramp.stride());
                let gap = whole(tempo.gap(change.mean)).saturating_mul(stride);
                let next = if next > change.now { next.min(change.now.saturating_add(gap)) } else { next };
                *self = Self::Constant(Exact::new(tempo, next, stride));
            }
        }
    }
}

/// When a rate changes, and how long packets are in the mean.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) now: u64,
    pub(crate) mean: u16,
}

impl Change {
    /// The moment `next` at another tempo: what is left until then is stretched. What was due before now stays due.
    pub(crate) fn of(self, next: u64, from: Tempo, to: Tempo) -> u64 {
        self.since(self.now, next, from, to)
    }

    /// As [`Self::of`], where what is left begins at `now` or later.
    #[allow(clippy::cast_precision_loss, reason = "to the nanosecond for 104 days")]
    pub(crate) fn since(self, now: u64, next: u64, from: Tempo, to: Tempo) -> u64 {
        let Some(left) = next.checked_sub(now) else { return next };
        now.saturating_add(whole(left as f64 * (to.gap(self.mean) / from.gap(self.mean))))
    }
}

/// The even steps of one of several lcores: the packets of the others stand between its own.
fn interleaved(tempo: Tempo, start: u64, number: u64, of: u64) -> Exact {
    let mut exact = Exact::new(tempo, start, of);
    exact.pass(number * tempo.measure.least());
    exact
}

/// Nanoseconds of a time.
fn nanos(time: Duration) -> u64 {
    perigee_core::clock::nanos(time)
}

/// Whole nanoseconds of a number of them.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast keeps what fits")]
fn whole(nanos: f64) -> u64 {
    nanos as u64
}

/// A moment to 2^-32 ns.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
struct Fine(u128);

impl Fine {
    fn at(nanos: u64) -> Self {
        Self(u128::from(nanos) << 32)
    }

    /// Whole nanoseconds.
    #[inline]
    fn nanos(self) -> u64 {
        u64::try_from(self.0 >> 32).unwrap_or(u64::MAX)
    }

    /// Later by so many nanoseconds.
    #[inline]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast keeps what fits")]
    fn later(self, nanos: f64) -> Self {
        let parts = nanos * FINE;
        // A u128 costs a call; a gap of less than four seconds needs none.
        let parts = if parts < 9.0e18 { u128::from(parts as u64) } else { parts as u128 };
        Self(self.0.saturating_add(parts))
    }

    /// Nanoseconds from here to a later moment.
    #[allow(clippy::cast_precision_loss, reason = "to the nearest number")]
    fn until(self, later: Self) -> f64 {
        later.0.saturating_sub(self.0) as f64 / FINE
    }

    fn shift(&mut self, by: u64) {
        self.0 = self.0.saturating_add(u128::from(by) << 32);
    }
}
