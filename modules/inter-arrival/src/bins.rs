//! Which bin a gap is counted in.

use perigee_guest::{Counter, Refusal, Setup, Text};

/// Bins: as many as there are counters left.
pub(crate) const COUNT: usize = 48;

/// The bins, each named after its lowest gap.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bins {
    /// 0, 1, 2, 4, 8 and so on.
    Powers,
    /// Of the same width, from a gap on; the first bin is for all below that, the last one for all above.
    Even { first: u64, width: u64 },
}

impl Bins {
    pub(crate) fn new(first: u64, width: Option<u64>) -> Result<Self, Refusal> {
        match width {
            None if first > 0 => Err(Refusal::new("first_ns needs bin_ns")),
            None => Ok(Self::Powers),
            Some(1..=1_000_000_000) if first <= 1_000_000_000_000 => {
                Ok(Self::Even { first, width: width.unwrap_or(1) })
            }
            Some(_) => Err(Refusal::new("bin_ns: 1 to 1000000000, and first_ns at most 1000000000000")),
        }
    }

    /// The bin of a gap.
    #[inline]
    pub(crate) fn of(&self, gap: u64) -> usize {
        let bin = match *self {
            Self::Powers => gap.checked_ilog2().map_or(0, |log| u64::from(log) + 1),
            Self::Even { first, width } => gap.checked_sub(first).map_or(0, |beyond| beyond / width + 1),
        };
        usize::try_from(bin).unwrap_or(COUNT).min(COUNT - 1)
    }

    /// The lowest gap of a bin.
    pub(crate) fn lowest(&self, bin: usize) -> u64 {
        let bin = bin as u64;
        match *self {
            _ if bin == 0 => 0,
            Self::Powers => 1 << (bin - 1),
            Self::Even { first, width } => first + (bin - 1) * width,
        }
    }

    /// Gives the counters from `first` on their names. Where even bins begin at 0, none lies below the first.
    pub(crate) fn name(&self, setup: &Setup<'_>, first: usize) {
        for bin in 0..COUNT {
            if matches!(self, Self::Even { first: 0, .. }) && bin == 0 {
                continue;
            }
            let mut name = Text::<40>::from(if bin == COUNT - 1 { "gap_ns.from." } else { "gap_ns." });
            name.push_number(self.lowest(bin));
            setup.counter(Counter::at(first + bin), name.as_str());
        }
    }
}
