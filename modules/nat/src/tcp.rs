//! What a translator has to know of a TCP connection: whether it is opening, open or closing (RFC 5382, section 4; the states
//! of RFC 6146, section 3.5.2, which has written them down).

use crate::table::Class;
use perigee_guest::wire::Tcp;

/// Who has sent a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Inside,
    Outside,
}

/// A SYN from inside, and from outside; a FIN from inside, and from outside.
const SYN: [u32; 2] = [1, 2];
const FIN: [u32; 2] = [4, 8];
/// Broken off by a RST.
const RST: u32 = 16;
/// It was found open: its beginning was not seen.
const FOUND: u32 = 32;
const BOTH_SYN: u32 = SYN[0] | SYN[1];
const BOTH_FIN: u32 = FIN[0] | FIN[1];

/// The flags of a session that begins with a segment that is no SYN.
pub(crate) const FOUND_OPEN: u32 = FOUND;

/// The flags and the class of a session after a segment.
///
/// A session is open when both have sent a SYN, in either order or at once, and one of them has acknowledged it by a segment
/// without SYN: so forged sources cannot open one. A RST does not end it, for it may be forged: it lives on if data follow.
pub(crate) fn after(flags: u32, class: Class, from: From, segment: &Tcp) -> (u32, Class) {
    let side = from as usize;
    if segment.rst() {
        return (flags | RST, if class == Class::HalfOpen { class } else { Class::Closing });
    }
    if segment.syn() {
        // A new connection with the ports of one that has ended.
        if class == Class::Closing {
            return (SYN[side], Class::HalfOpen);
        }
        return (flags | SYN[side], class);
    }
    let mut flags = flags & !RST;
    if segment.fin() {
        flags |= FIN[side];
    }
    if flags & BOTH_FIN == BOTH_FIN {
        return (flags, Class::Closing);
    }
    let is_answered = flags & FOUND != 0 && from == From::Outside;
    let is_open = class != Class::HalfOpen || flags & BOTH_SYN == BOTH_SYN || is_answered;
    (flags, if is_open && (segment.ack() || class != Class::HalfOpen) { Class::Established } else { Class::HalfOpen })
}

#[cfg(test)]
mod test {
    use super::From::{Inside, Outside};
    use super::*;

    /// The class after segments such as "S" (SYN), "SA", "A", "F" (FIN and ACK), "R", from inside or outside.
    fn class(segments: &[(From, &str)]) -> Class {
        let mut state = (0, Class::HalfOpen);
        for (from, bits) in segments {
            let mut tcp = Tcp::default();
            tcp.set_syn(bits.contains('S'));
            tcp.set_ack(bits.contains('A') || bits.contains('F'));
            tcp.set_fin(bits.contains('F'));
            tcp.set_rst(bits.contains('R'));
            state = after(state.0, state.1, *from, &tcp);
        }
        state.1
    }

    const OPEN: [(From, &str); 3] = [(Inside, "S"), (Outside, "SA"), (Inside, "A")];

    fn then(rest: &[(From, &str)]) -> Class {
        class(&[&OPEN[..], rest].concat())
    }

    #[test]
    fn three_segments_open_it() {
        assert_eq!(class(&OPEN[..1]), Class::HalfOpen);
        assert_eq!(class(&OPEN[..2]), Class::HalfOpen);
        assert_eq!(class(&OPEN), Class::Established);
        assert_eq!(class(&[(Inside, "S"), (Inside, "A")]), Class::HalfOpen, "nobody has answered");
    }

    #[test]
    fn both_may_begin_at_once() {
        let begin = [(Inside, "S"), (Outside, "S"), (Inside, "SA"), (Outside, "SA")];
        assert_eq!(class(&begin), Class::HalfOpen);
        assert_eq!(class(&[&begin[..], &[(Inside, "A")]].concat()), Class::Established);
    }

    #[test]
    fn it_closes_when_both_have_closed() {
        assert_eq!(then(&[(Inside, "F"), (Outside, "A")]), Class::Established);
        assert_eq!(then(&[(Inside, "F"), (Outside, "F")]), Class::Closing);
        assert_eq!(then(&[(Inside, "F"), (Outside, "F"), (Inside, "A")]), Class::Closing);
        assert_eq!(then(&[(Inside, "F"), (Outside, "F"), (Inside, "S")]), Class::HalfOpen, "the ports are used again");
    }

    #[test]
    fn a_forged_rst_does_not_end_it() {
        assert_eq!(then(&[(Outside, "R")]), Class::Closing);
        assert_eq!(then(&[(Outside, "R"), (Inside, "A")]), Class::Established);
    }
}
