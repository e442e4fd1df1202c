//! Markers of three colours.

use super::bucket::{BURST_MAX, BadRate, Flow, Level};

/// What a marker says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colour {
    /// Within the committed rate and burst.
    Green,
    /// Beyond it, within the excess burst or the peak rate.
    Yellow,
    /// Beyond that.
    Red,
}

/// The single rate three colour marker (RFC 2697).
///
/// ```
/// use perigee_guest::state::{Colour, SingleRate};
///
/// // 125,000 bytes per second, bursts of 1,500 bytes, and of 3,000 more after a pause.
/// let mut marker = SingleRate::new(125_000, 1_500, 3_000, 0)?;
/// let colours = [0; 4].map(|now| marker.mark(1_500, Colour::Green, now));
/// assert_eq!(colours, [Colour::Green, Colour::Yellow, Colour::Yellow, Colour::Red]);
/// # Ok::<(), perigee_guest::state::BadRate>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SingleRate {
    flow: Flow,
    committed: Level,
    excess: Level,
}

impl SingleRate {
    /// A marker with full buckets: `rate` (CIR) in bytes per second, `burst` (CBS) and `excess` (EBS) in bytes.
    ///
    /// # Errors
    ///
    /// Both bursts are 0, or together more than 18,446,744,073 bytes.
    pub const fn new(rate: u64, burst: u64, excess: u64, now: u64) -> Result<Self, BadRate> {
        let together = burst.saturating_add(excess);
        if together == 0 || together > BURST_MAX {
            return Err(BadRate);
        }
        let flow = Flow::new(rate, together, now);
        Ok(Self { flow, committed: Level::full(burst), excess: Level::full(excess) })
    }

    /// The colour of a packet of so many bytes that had a colour before. [`Colour::Green`] for all is the mode that the
    /// RFC calls colour-blind.
    #[inline]
    pub fn mark(&mut self, bytes: u64, before: Colour, now: u64) -> Colour {
        let parts = self.flow.since(now);
        // What the committed burst does not take goes into the excess burst.
        let rest = self.committed.put(parts);
        self.excess.put(rest);
        if before == Colour::Green && self.committed.has(bytes) {
            self.committed.take(bytes);
            return Colour::Green;
        }
        if before <= Colour::Yellow && self.excess.has(bytes) {
            self.excess.take(bytes);
            return Colour::Yellow;
        }
        Colour::Red
    }

    /// Bytes in the committed and in the excess bucket.
    pub fn tokens(&mut self, now: u64) -> [u64; 2] {
        let rest = self.committed.put(self.flow.since(now));
        self.excess.put(rest);
        [self.committed.tokens(), self.excess.tokens()]
    }

    /// Has so many bytes in its buckets from now on, or as many as fit: those of a marker that it takes the place of.
    pub fn set_tokens(&mut self, [committed, excess]: [u64; 2], now: u64) {
        self.flow.since(now);
        self.committed.set_tokens(committed);
        self.excess.set_tokens(excess);
    }
}

/// The two rate three colour marker (RFC 2698).
///
/// ```
/// use perigee_guest::state::{Colour, TwoRate};
///
/// // Committed 125,000 bytes per second, peak 250,000; bursts of 1,500 and 3,000 bytes.
/// let mut marker = TwoRate::new((125_000, 1_500), (250_000, 3_000), 0)?;
/// let colours = [0; 3].map(|now| marker.mark(1_500, Colour::Green, now));
/// assert_eq!(colours, [Colour::Green, Colour::Yellow, Colour::Red]);
/// # Ok::<(), perigee_guest::state::BadRate>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TwoRate {
    committed_flow: Flow,
    committed: Level,
    peak_flow: Flow,
    peak: Level,
}

impl TwoRate {
    /// A marker with full buckets: rate and burst of what is committed (CIR, CBS) and of the peak (PIR, PBS), in bytes
    /// per second and bytes.
    ///
    /// # Errors
    ///
    /// A burst is 0 or more than 18,446,744,073 bytes, or the peak's rate is below the committed one.
    pub const fn new(committed: (u64, u64), peak: (u64, u64), now: u64) -> Result<Self, BadRate> {
        if committed.1 == 0 || committed.1 > BURST_MAX || peak.1 == 0 || peak.1 > BURST_MAX || peak.0 < committed.0 {
            return Err(BadRate);
        }
        Ok(Self {
            committed_flow: Flow::new(committed.0, committed.1, now),
            committed: Level::full(committed.1),
            peak_flow: Flow::new(peak.0, peak.1, now),
            peak: Level::full(peak.1),
        })
    }

    /// The colour of a packet of so many bytes that had a colour before. [`Colour::Green`] for all is the mode that the
    /// RFC calls colour-blind.
    #[inline]
    pub fn mark(&mut self, bytes: u64, before: Colour, now: u64) -> Colour {
        let parts = self.committed_flow.since(now);
        self.committed.put(parts);
        let parts = self.peak_flow.since(now);
        self.peak.put(parts);
        if before == Colour::Red || !self.peak.has(bytes) {
            return Colour::Red;
        }
        self.peak.take(bytes);
        if before == Colour::Yellow || !self.committed.has(bytes) {
            return Colour::Yellow;
        }
        self.committed.take(bytes);
        Colour::Green
    }

    /// Bytes in the committed and in the peak bucket.
    pub fn tokens(&mut self, now: u64) -> [u64; 2] {
        self.committed.put(self.committed_flow.since(now));
        self.peak.put(self.peak_flow.since(now));
        [self.committed.tokens(), self.peak.tokens()]
    }

    /// Has so many bytes in its buckets from now on, or as many as fit: those of a marker that it takes the place of.
    pub fn set_tokens(&mut self, [committed, peak]: [u64; 2], now: u64) {
        self.committed_flow.since(now);
        self.peak_flow.since(now);
        self.committed.set_tokens(committed);
        self.peak.set_tokens(peak);
    }
}
