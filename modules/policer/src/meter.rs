//! What colour a packet has: RFC 2697 or RFC 2698, in bits.

use crate::rates::Rates;
use perigee_guest::state::{BadRate, Colour, SingleRate, TwoRate};

/// A meter. Its tokens are bits, so that rates in bits per second need not be multiples of eight.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meter {
    /// All is green.
    None,
    Single(SingleRate),
    Two(TwoRate),
}

impl Meter {
    /// A meter with full buckets.
    pub(crate) fn new(rates: &Rates, now: u64) -> Result<Self, BadRate> {
        let bits = |bytes: u64| bytes.saturating_mul(8);
        if !rates.has_meter() {
            return Ok(Self::None);
        }
        if rates.has_peak() {
            let (committed, peak) = ((rates.cir, bits(rates.cbs)), (rates.pir, bits(rates.pbs)));
            return TwoRate::new(committed, peak, now).map(Self::Two);
        }
        SingleRate::new(rates.cir, bits(rates.cbs), bits(rates.ebs), now).map(Self::Single)
    }

    /// The colour of a packet of so many bytes that had a colour before.
    #[inline]
    pub(crate) fn mark(&mut self, bytes: u64, before: Colour, now: u64) -> Colour {
        match self {
            Self::None => before,
            Self::Single(marker) => marker.mark(bytes * 8, before, now),
            Self::Two(marker) => marker.mark(bytes * 8, before, now),
        }
    }

    /// Bits in its buckets.
    pub(crate) fn tokens(&mut self, now: u64) -> [u64; 2] {
        match self {
            Self::None => [0; 2],
            Self::Single(marker) => marker.tokens(now),
            Self::Two(marker) => marker.tokens(now),
        }
    }

    pub(crate) fn set_tokens(&mut self, tokens: [u64; 2], now: u64) {
        match self {
            Self::None => {}
            Self::Single(marker) => marker.set_tokens(tokens, now),
            Self::Two(marker) => marker.set_tokens(tokens, now),
        }
    }

    /// Has other rates from now on, and the tokens that it had: a change gives nobody a burst. A meter where there was none begins with
    /// full buckets.
    pub(crate) fn change(&mut self, rates: &Rates, now: u64) -> Result<(), BadRate> {
        let had = !matches!(self, Self::None);
        let tokens = self.tokens(now);
        *self = Self::new(rates, now)?;
        if had {
            self.set_tokens(tokens, now);
        }
        Ok(())
    }
}
