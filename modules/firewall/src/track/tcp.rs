//! The states of a TCP connection, as somebody between both ends sees them (RFC 9293, section 3.3.2).

/// What has been seen of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A SYN of the side that began.
    SynSent,
    /// A SYN of each side: both begin at once.
    SynSent2,
    /// SYN and ACK of the other side.
    SynReceived,
    Established,
    /// A FIN of one side.
    FinWait,
    /// Acknowledged.
    CloseWait,
    /// A FIN of each side.
    LastAck,
    /// Acknowledged.
    TimeWait,
    /// Reset.
    Closed,
}

/// What a segment means to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segment {
    Syn,
    SynAck,
    Fin,
    Ack,
    Rst,
}

/// What comes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It belongs to the connection, which is in this state now.
    To(State),
    /// It belongs to the connection and changes nothing: the other end will answer it as it should.
    Stay,
    /// The old connection is over and this is a new one.
    Again,
    /// It cannot be.
    Invalid,
}

pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(super) const ACK: u8 = 16;
const URG: u8 = 32;

/// What flags mean; nothing where they contradict each other. PSH, ECE and CWR go with anything.
fn segment(flags: u8) -> Option<Segment> {
    let flags = flags & (FIN | SYN | RST | ACK | URG);
    match flags & !URG {
        SYN => Some(Segment::Syn),
        _ if flags == SYN | ACK => Some(Segment::SynAck),
        _ if flags == RST || flags == RST | ACK => Some(Segment::Rst),
        f if f == FIN | ACK => Some(Segment::Fin),
        ACK => Some(Segment::Ack),
        _ => None,
    }
}

/// The first state of a connection that begins with these flags; nothing where none does. With `loose`, one that began before
/// it was seen is taken up.
pub(super) fn first(flags: u8, loose: bool) -> Option<State> {
    match segment(flags)? {
        Segment::Syn => Some(State::SynSent),
        Segment::Ack if loose => Some(State::Established),
        _ => None,
    }
}

impl State {
    /// What comes of a segment with these flags, of the side that began or of the other one.
    pub(super) fn step(self, flags: u8, is_original: bool) -> Step {
        use State::{CloseWait, Closed, Established, FinWait, LastAck, SynReceived, SynSent, SynSent2, TimeWait};
        let Some(segment) = segment(flags) else { return Step::Invalid };
        match (segment, self) {
            (Segment::Rst, _) => Step::To(Closed),
            // The end that gets a SYN in a connection answers it: with an ACK, or a reset (RFC 5961, section 4).
            (Segment::Syn, TimeWait) => Step::Again,
            (Segment::Syn, Closed) if is_original => Step::Again,
            (Segment::Syn, SynSent) => Step::To(if is_original { SynSent } else { SynSent2 }),
            (Segment::Syn, SynSent2) => Step::To(SynSent2),
            (Segment::Syn, _) if is_original => Step::Stay,
            (Segment::Syn, _) => Step::Invalid,
            (Segment::SynAck, SynSent2) => Step::To(SynReceived),
            (Segment::SynAck, SynReceived) if is_original => Step::To(SynReceived),
            (Segment::SynAck, SynSent) if !is_original => Step::To(SynReceived),
            (Segment::SynAck, _) => {
                if is_original {
                    Step::Invalid
                } else {
                    Step::Stay
                }
            }
            (Segment::Ack, SynSent | SynSent2) => {
                if is_original {
                    Step::Invalid
                } else {
                    Step::Stay
                }
            }
            (Segment::Ack, SynReceived) => Step::To(if is_original { Established } else { SynReceived }),
            (Segment::Ack, FinWait) => Step::To(CloseWait),
            (Segment::Ack, LastAck) => Step::To(TimeWait),
            (Segment::Fin, SynSent | SynSent2) => Step::Invalid,
            (Segment::Fin, SynReceived | Established) => Step::To(FinWait),
            (Segment::Fin, FinWait | CloseWait) => Step::To(LastAck),
            (Segment::Ack | Segment::Fin, same) => Step::To(same),
        }
    }

    /// Whether both sides have not agreed yet.
    pub(super) fn is_opening(self) -> bool {
        matches!(self, Self::SynSent | Self::SynSent2 | Self::SynReceived)
    }

    /// Whether it is over, or soon will be.
    pub(super) fn is_closing(self) -> bool {
        !self.is_opening() && self != Self::Established
    }
}

#[cfg(test)]
mod test {
    use super::*;

    /// Leads a connection through segments: flags, and whether they are of the side that began.
    fn lead(segments: &[(u8, bool)]) -> State {
        let mut state = first(segments[0].0, false).unwrap();
        for (flags, is_original) in &segments[1..] {
            match state.step(*flags, *is_original) {
                Step::To(next) => state = next,
                Step::Stay => {}
                other => panic!("{state:?} {flags:#x}: {other:?}"),
            }
        }
        state
    }

    const OPEN: [(u8, bool); 3] = [(SYN, true), (SYN | ACK, false), (ACK, true)];

    #[test]
    fn a_connection_opens_and_closes() {
        assert_eq!(lead(&OPEN), State::Established);
        let close = [(FIN | ACK, true), (ACK, false), (FIN | ACK, false), (ACK, true)];
        let all: Vec<_> = OPEN.into_iter().chain(close).collect();
        let states = [State::FinWait, State::CloseWait, State::LastAck, State::TimeWait];
        for (count, state) in (4..).zip(states) {
            assert_eq!(lead(&all[..count]), state);
        }
        assert_eq!(State::TimeWait.step(SYN, true), Step::Again);
        assert_eq!(lead(&[OPEN[0], OPEN[1], OPEN[2], (RST, false)]), State::Closed);
    }

    #[test]
    fn both_may_begin_at_once() {
        assert_eq!(lead(&[(SYN, true), (SYN, false), (SYN | ACK, true), (ACK, true)]), State::Established);
    }

    #[test]
    fn what_cannot_be_is_invalid() {
        for flags in [0, SYN | FIN, SYN | RST, FIN, URG, FIN | RST | ACK, SYN | ACK | FIN, 0xff] {
            assert_eq!(State::Established.step(flags, true), Step::Invalid, "{flags:#x}");
            assert_eq!(first(flags, true), None, "{flags:#x}");
        }
        for flags in [ACK, SYN | ACK, FIN | ACK, RST, RST | ACK] {
            assert_eq!(first(flags, false), None, "{flags:#x}");
        }
        assert_eq!(State::SynSent.step(ACK, true), Step::Invalid);
        assert_eq!(State::Established.step(SYN, false), Step::Invalid);
        // A SYN in a connection is for its end to answer.
        assert_eq!(State::Established.step(SYN, true), Step::Stay);
    }
}
