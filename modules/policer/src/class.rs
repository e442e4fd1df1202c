//! A class: whose packets are metered together or each for themselves, what becomes of each colour, and how the class leaves.

use crate::rates::Rates;
use crate::shaper::Shaper;
use crate::values::Action;
use perigee_guest::Text;
use perigee_guest::state::Colour;

/// Longest name of a class.
pub(crate) const NAME: usize = 32;

/// What has a meter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Per {
    /// Each prefix of the class.
    Prefix,
    /// Each address in its prefixes.
    Address,
    /// Each flow: addresses, ports and protocol.
    Flow,
}

/// Which bytes of a packet count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// Those of the IP packet, as RFC 2697 and RFC 2698 have it.
    Ip,
    /// Those of the frame, without its check sequence.
    Frame,
    /// What the frame takes on Ethernet: 60 bytes at least, and 24 of preamble, check sequence and gap.
    Wire,
}

impl Counts {
    #[inline]
    pub(crate) fn bytes(self, ip: u64, frame: u64) -> u64 {
        match self {
            Self::Ip => ip,
            Self::Frame => frame,
            Self::Wire => frame.max(60) + 24,
        }
    }
}

/// The colour that a packet had before, by its code point; none is for a meter that is blind to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    /// A bit for each code point that is yellow, and for each that is red.
    pub(crate) yellow: u64,
    pub(crate) red: u64,
}

impl Before {
    /// Drop precedence of assured forwarding (RFC 2597): AFx2 is yellow, AFx3 red.
    pub(crate) const ASSURED: Self =
        Self { yellow: 1 << 12 | 1 << 20 | 1 << 28 | 1 << 36, red: 1 << 14 | 1 << 22 | 1 << 30 | 1 << 38 };

    /// All are green.
    pub(crate) const BLIND: Self = Self { yellow: 0, red: 0 };

    #[inline]
    pub(crate) fn colour(self, dscp: u8) -> Colour {
        let bit = 1_u64 << (dscp & 63);
        match () {
            () if self.red & bit != 0 => Colour::Red,
            () if self.yellow & bit != 0 => Colour::Yellow,
            () => Colour::Green,
        }
    }
}

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

impl Tally {
    #[inline]
    pub(crate) fn add(&mut self, bytes: u64) {
        self.packets += 1;
        self.bytes += bytes;
    }
}

/// A class.
pub(crate) struct Class {
    pub(crate) name: Text<NAME>,
    pub(crate) per: Per,
    pub(crate) counts: Counts,
    pub(crate) before: Before,
    /// By colour.
    pub(crate) actions: [Action; 3],
    /// As the configuration has them, and as they are after messages.
    pub(crate) configured: Rates,
    pub(crate) rates: Rates,
    /// Counts changes of the rates: a meter that was made before the last one takes them over at its next packet.
    pub(crate) edition: u32,
    /// When the rates were changed.
    pub(crate) changed: u64,
    /// The time that the burst of its way out takes.
    pub(crate) burst_ns: u64,
    pub(crate) shaper: Shaper,
    /// Packets by colour, those that passed on, and those for which the queue had no place.
    pub(crate) colours: [Tally; 3],
    pub(crate) passed: Tally,
    pub(crate) overflowed: Tally,
}
