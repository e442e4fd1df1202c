//! What is counted.

use perigee_guest::{Counter, Setup};

/// What became of a packet: each has one. The numbers are the places of the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Passed by a rule.
    Accepted,
    /// Passed because no rule decided.
    PolicyAccepted,
    /// Passed: of a known connection.
    Established,
    /// Passed: an error about one.
    Related,
    /// Passed: not IP.
    NonIp,
    /// Passed: neighbour discovery.
    Neighbours,
    /// Passed: a later part of a packet whose first one did.
    Followed,
    /// Dropped by a rule.
    Dropped,
    /// Dropped because no rule decided.
    PolicyDropped,
    /// Dropped: neither known nor able to begin a connection.
    Invalid,
    /// Dropped: not IP.
    NonIpDropped,
    /// Dropped: lengths or fields that contradict each other.
    Malformed,
    /// Dropped: a part of a packet whose first one did not pass or has not come.
    Fragment,
    /// Dropped: a part that cannot be of one packet with others.
    FragmentBad,
    /// Dropped: no room for its connection.
    Full,
    /// Dropped: its source begins too many connections.
    Limited,
    /// Answered with a reset.
    Reset,
    /// Answered with "destination unreachable".
    Unreachable,
    /// Rejected, and not answered because it may not be.
    Unanswered,
    /// Rejected, and not answered because there are too many.
    AnswerLimited,
}

impl Cause {
    pub(crate) const ALL: [(Self, &'static str); 20] = [
        (Self::Accepted, "accepted"),
        (Self::PolicyAccepted, "accepted.policy"),
        (Self::Established, "accepted.established"),
        (Self::Related, "accepted.related"),
        (Self::NonIp, "accepted.non_ip"),
        (Self::Neighbours, "accepted.neighbours"),
        (Self::Followed, "accepted.fragments"),
        (Self::Dropped, "dropped"),
        (Self::PolicyDropped, "dropped.policy"),
        (Self::Invalid, "dropped.invalid"),
        (Self::NonIpDropped, "dropped.non_ip"),
        (Self::Malformed, "dropped.malformed"),
        (Self::Fragment, "dropped.fragments"),
        (Self::FragmentBad, "dropped.fragments_bad"),
        (Self::Full, "dropped.full"),
        (Self::Limited, "dropped.new_rate"),
        (Self::Reset, "rejected.reset"),
        (Self::Unreachable, "rejected.unreachable"),
        (Self::Unanswered, "rejected.unanswered"),
        (Self::AnswerLimited, "rejected.limited"),
    ];

    pub(crate) const fn counter(self) -> Counter {
        Counter::at(self as usize)
    }
}

/// Packets that came.
pub(crate) const PACKETS: Counter = Counter::at(20);
/// Connections that began.
pub(crate) const NEW: Counter = Counter::at(21);
/// Connections that were forgotten because their time was over.
pub(crate) const EXPIRED: Counter = Counter::at(22);
/// Connections that nobody had answered, or that were over, and that went for new ones.
pub(crate) const OUSTED: Counter = Counter::at(23);
/// Log lines that were not written because there were too many.
pub(crate) const UNLOGGED: Counter = Counter::at(24);
/// Where the counters begin that rules name, and how many there may be.
pub(crate) const COUNT_FIRST: usize = 25;
pub(crate) const COUNT_MAX: usize = perigee_guest::abi::MAX_COUNTERS - COUNT_FIRST;

/// Gives the counters their names.
pub(crate) fn name(setup: &Setup<'_>) {
    for (cause, name) in Cause::ALL {
        setup.counter(cause.counter(), name);
    }
    let others = [
        (PACKETS, "packets"),
        (NEW, "connections.new"),
        (EXPIRED, "connections.expired"),
        (OUSTED, "connections.ousted"),
        (UNLOGGED, "log.limited"),
    ];
    for (counter, name) in others {
        setup.counter(counter, name);
    }
}
