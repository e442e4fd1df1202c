//! What a rule does.

use perigee_guest::Counter;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It passes.
    Accept,
    /// It goes without an answer.
    Drop,
    /// It goes, and its sender is told.
    Reject(Answer),
    /// The rules behind decide.
    Next,
}

/// What the sender of a rejected packet is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A reset to TCP, and that the port cannot be reached to all else.
    ByProtocol,
    /// A reset.
    Reset,
    /// ICMP or ICMPv6 "destination unreachable", for this reason.
    Unreachable(Reason),
}

/// Why a destination is unreachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Net,
    Host,
    Port,
    Prohibited,
}

impl Reason {
    /// The code of ICMP's type 3 (RFC 792, RFC 1812 section 5.2.7.1).
    pub(crate) const fn code_v4(self) -> u8 {
        match self {
            Self::Net => 0,
            Self::Host => 1,
            Self::Port => 3,
            Self::Prohibited => 13,
        }
    }

    /// The code of ICMPv6's type 1 (RFC 4443, section 3.1).
    pub(crate) const fn code_v6(self) -> u8 {
        match self {
            Self::Net => 0,
            Self::Prohibited => 1,
            Self::Host => 3,
            Self::Port => 4,
        }
    }
}

/// When a rule with a rate is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Which bucket.
    pub(crate) bucket: u16,
    /// Tokens that a packet takes: as many as the rate's time has seconds.
    pub(crate) tokens: u64,
    /// Met by what is above the rate, not by what keeps to it.
    pub(crate) over: bool,
}

/// A rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) action: Action,
    /// Which prefix its log lines have.
    pub(crate) log: Option<u16>,
    pub(crate) count: Option<Counter>,
    pub(crate) mark: Option<u32>,
    pub(crate) limit: Option<Limit>,
    /// Number of the first pattern behind its own.
    pub(crate) end: u32,
}
