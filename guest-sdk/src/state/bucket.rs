//! Token buckets.

use core::fmt;

/// Parts of a token: with a rate in tokens per second, a nanosecond brings as many of them as the rate says.
const PARTS: u64 = 1_000_000_000;

/// Largest bucket: what parts of a token can be counted in 64 bits.
pub(super) const BURST_MAX: u64 = u64::MAX / PARTS;

/// A rate or a burst that a bucket cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRate;

impl BadRate {
    /// What is wrong.
    #[must_use]
    pub const fn text(self) -> &'static str {
        "a burst is 1 to 18446744073 units, and a peak rate is not below the committed one"
    }
}

impl fmt::Display for BadRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for BadRate {}

/// Grows with time at a rate, and is taken from. What is counted is parts of a token, so nothing is rounded: over any
/// time exactly what the rate says comes in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    /// Parts that there are.
    parts: u64,
    /// Parts that there can be.
    full: u64,
}

impl Level {
    /// A full one; `burst` is at most [`BURST_MAX`].
    pub(super) const fn full(burst: u64) -> Self {
        let full = burst.saturating_mul(PARTS);
        Self { parts: full, full }
    }

    /// Puts parts in. Those that do not fit come back.
    #[inline]
    pub(super) fn put(&mut self, parts: u64) -> u64 {
        let fits = parts.min(self.full - self.parts);
        self.parts += fits;
        parts - fits
    }

    /// Whether there are so many tokens.
    #[inline]
    pub(super) fn has(&self, tokens: u64) -> bool {
        tokens.checked_mul(PARTS).is_some_and(|parts| parts <= self.parts)
    }

    /// Takes tokens that are there.
    #[inline]
    pub(super) fn take(&mut self, tokens: u64) {
        self.parts = self.parts.saturating_sub(tokens.saturating_mul(PARTS));
    }

    /// Whole tokens that there are.
    pub(super) const fn tokens(&self) -> u64 {
        self.parts / PARTS
    }

    /// Has so many tokens, or as many as fit.
    pub(super) fn set_tokens(&mut self, tokens: u64) {
        self.parts = tokens.saturating_mul(PARTS).min(self.full);
    }
}

/// How much a rate has brought since it was asked last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    rate: u64,
    /// The longest time, in nanoseconds, whose parts are no more than what it feeds can hold.
    fill: u64,
    last: u64,
}

impl Flow {
    /// A rate in tokens per second that feeds what `burst` tokens fill.
    pub(super) const fn new(rate: u64, burst: u64, now: u64) -> Self {
        let fill = match burst.saturating_mul(PARTS).checked_div(rate) {
            Some(fill) => fill,
            None => u64::MAX,
        };
        Self { rate, fill, last: now }
    }

    /// Parts since the last call. What is more than everything can hold is not counted further, so the product is at
    /// most that.
    #[inline]
    pub(super) fn since(&mut self, now: u64) -> u64 {
        let now = now.max(self.last);
        let time = now - self.last;
        self.last = now;
        if time > self.fill { u64::MAX } else { time * self.rate }
    }
}

/// Lets pass what a rate and a burst allow.
///
/// What a token is, is up to the caller: a packet, a byte, a bit. Over any time `t` the tokens that were taken are at
/// most `burst + rate * t`; under load they are less than one packet short of it, whatever the sizes are. Nothing is
/// rounded, so nothing drifts: a bucket that is asked each nanosecond gives as much as one that is asked once.
///
/// ```
/// use perigee_guest::state::{MILLISECOND, TokenBucket};
///
/// // A megabit per second, bursts of 3,000 bytes.
/// let mut bucket = TokenBucket::new(1_000_000, 3_000 * 8, 0)?;
/// let mut pass = |bytes: u64, now| bucket.take(bytes * 8, now);
/// assert!(pass(1_500, 0) && pass(1_500, 0) && !pass(1_500, 0));
/// assert!(!pass(1_500, 12 * MILLISECOND - 1) && pass(1_500, 12 * MILLISECOND));
/// # Ok::<(), perigee_guest::state::BadRate>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    level: Level,
    flow: Flow,
}

impl TokenBucket {
    /// A full bucket for `burst` tokens (1 to 18,446,744,073), into which `rate` tokens come each second. With a rate
    /// of 0 the first burst passes and nothing after it. With bits for tokens the largest burst is 2.3 gigabytes.
    ///
    /// # Errors
    ///
    /// The burst is 0 or too large.
    pub const fn new(rate: u64, burst: u64, now: u64) -> Result<Self, BadRate> {
        if burst == 0 || burst > BURST_MAX {
            return Err(BadRate);
        }
        Ok(Self { level: Level::full(burst), flow: Flow::new(rate, burst, now) })
    }

    /// Takes tokens: all of them, or none where there are not so many.
    #[inline]
    pub fn take(&mut self, tokens: u64, now: u64) -> bool {
        let parts = self.flow.since(now);
        self.level.put(parts);
        let enough = self.level.has(tokens);
        if enough {
            self.level.take(tokens);
        }
        enough
    }

    /// Whole tokens that there are.
    pub fn tokens(&mut self, now: u64) -> u64 {
        let parts = self.flow.since(now);
        self.level.put(parts);
        self.level.tokens()
    }
}
