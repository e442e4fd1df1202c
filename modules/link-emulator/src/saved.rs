//! The state that goes from an instance to the one that takes its place: what is under way, and how the line is.
//!
//! Little-endian: the time when the line is free (picoseconds), the last packet's time (nanoseconds), whether the line is bad;
//! then each packet that is under way. When this layout changes, `state_version` in `module!` is counted up.

use crate::LinkEmulator;
use crate::flight::Flying;
use perigee_guest::{Buffer, Held, Refusal};

const HEAD: usize = 17;
/// Time, flags, and the words of [`Held`].
const EACH: usize = 8 + 1 + 28;
const TWICE: u8 = 1;
const LATE: u8 = 2;

pub(crate) fn save(link: &LinkEmulator, state: &mut Buffer<'_>) -> Result<(), Refusal> {
    state.push(&link.line.free_at.to_le_bytes())?;
    state.push(&link.line.last_due.to_le_bytes())?;
    state.push(&[link.line.is_bad.into()])?;
    for (flying, is_late) in link.flight.iter() {
        let flags = if flying.twice { TWICE } else { 0 } | if is_late { LATE } else { 0 };
        state.push(&flying.due.to_le_bytes())?;
        state.push(&[flags])?;
        for word in flying.held.to_words() {
            state.push(&word.to_le_bytes())?;
        }
    }
    Ok(())
}

pub(crate) fn restore(link: &mut LinkEmulator, state: &[u8]) -> Result<(), Refusal> {
    let bad = || Refusal::new("the state is not one that this module saves");
    let (head, rest) = state.split_first_chunk::<HEAD>().ok_or_else(bad)?;
    let (each, odd) = rest.as_chunks::<EACH>();
    if !odd.is_empty() || each.iter().any(|bytes| bytes[8] > TWICE | LATE) {
        return Err(bad());
    }
    link.flight.make_room(each.len())?;
    link.line.free_at = number(head, 0);
    link.line.last_due = number(head, 8);
    link.line.is_bad = head[16] != 0;
    for bytes in each {
        let word = |at: usize| u32::from_le_bytes(bytes[at..].first_chunk().copied().unwrap_or_default());
        let words = core::array::from_fn(|index| word(9 + 4 * index));
        let flying = Flying { due: number(bytes, 0), twice: bytes[8] & TWICE != 0, held: Held::from_words(words) };
        link.flight.add(flying, bytes[8] & LATE != 0);
    }
    Ok(())
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..].first_chunk().copied().unwrap_or_default())
}
