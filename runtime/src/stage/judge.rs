//! What of a module's word counts: the checks that a run and a trial share.

use perigee_abi::verdict;

/// Shortest packet that may leave a module: an Ethernet header. Some NICs stop at less.
pub(crate) const MIN_LEN: u16 = 14;

/// The bytes from `offset` of a room on lie in it whole, and are enough for a packet that may leave.
#[inline]
pub(crate) fn fits(offset: u32, len: u16, room_len: u16) -> bool {
    u64::from(offset) + u64::from(len) <= u64::from(room_len) && len >= MIN_LEN
}

/// A verdict, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Drop,
    Next,
    Tx(u16),
    Ring(u16),
    Hold,
    Listed,
}

impl Way {
    /// `None` where there is no such verdict, or one that takes no argument has one.
    #[inline]
    pub(crate) fn of(v: u32) -> Option<Self> {
        match verdict::kind(v) {
            verdict::DROP if v == verdict::DROP => Some(Self::Drop),
            verdict::NEXT if v == verdict::NEXT => Some(Self::Next),
            verdict::TX => Some(Self::Tx(verdict::argument(v))),
            verdict::RING => Some(Self::Ring(verdict::argument(v))),
            verdict::HOLD if v == verdict::HOLD => Some(Self::Hold),
            verdict::LISTED if v == verdict::LISTED => Some(Self::Listed),
            _ => None,
        }
    }
}
