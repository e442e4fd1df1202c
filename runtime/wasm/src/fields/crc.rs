//! The CRC32c of a packet of a known length: it is linear, so each bit that may change adds a constant of its own.

use super::code::{Code, at};
use super::plan::Checksum;
use super::write::{Word, Written};
use wasm_encoder::ValType;

/// Castagnoli's polynomial, turned round (RFC 9260, appendix A).
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// Writes a CRC.
pub(super) fn write(code: &mut Code, checksum: &Checksum, written: &mut Written) {
    let mut words = checksum.words.clone();
    words.sort_unstable();
    let columns = columns(&words, checksum.sum.end);
    let all = code.local(ValType::V128);
    code.emit().v128_const(0).local_set(all);
    for (first, columns) in words.into_iter().zip(columns) {
        let word = code.local(ValType::V128);
        code.emit().local_get(written.addr).i32_load(at(first)).i32x4_splat().local_set(word);
        for (lanes, bit) in columns.chunks_exact(4).zip((0..32).step_by(4)) {
            let bits = [1_u32 << bit, 2 << bit, 4 << bit, 8 << bit];
            // The constants of those bits that are not 0.
            code.emit().local_get(all).v128_const(vector(lanes)).local_get(word).v128_const(vector(&bits)).v128_and();
            code.emit().v128_const(0).i32x4_eq().v128_andnot().v128_xor().local_set(all);
        }
    }
    code.emit().i32_const(u32::try_from(checksum.sum.sum).unwrap_or_default().cast_signed());
    for lane in 0..4 {
        code.emit().local_get(all).i32x4_extract_lane(lane).i32_xor();
    }
    code.emit().i64_extend_i32_u();
    let local = code.set_new();
    written.store(code, Word { first: checksum.sum.at, width: 4, local });
}

fn vector(lanes: &[u32]) -> i128 {
    lanes.iter().rev().fold(0, |vector, &lane| vector << 32 | i128::from(lane))
}

/// What each bit of 32-bit words at these places, in their order, adds to the CRC of what ends at `end`.
fn columns(words: &[u64], end: u64) -> Vec<[u32; 32]> {
    let step = |state: u32| state >> 1 ^ if state & 1 == 0 { 0 } else { POLYNOMIAL };
    let (mut state, mut steps) = (1, 0);
    let mut all = Vec::new();
    for first in words.iter().rev() {
        // The lowest bit of a word goes first, and is taken through all bits to the end; the others follow it.
        let mut of_it = [0; 32];
        for (bit, column) in (0_u32..32).zip(&mut of_it).rev() {
            let wanted = 8 * end.saturating_sub(*first) - u64::from(bit);
            while steps < wanted {
                state = step(state);
                steps += 1;
            }
            *column = state;
        }
        all.push(of_it);
    }
    all.reverse();
    all
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn bits_add_up_to_the_crc_of_a_library() {
        // The CRC of 123456789 is 0xe3069283 (the check value of CRC-32/ISCSI); padded to words it is that of three of them.
        let crc = |bytes: &[u8]| {
            let mut state = !0_u32;
            for byte in bytes {
                state ^= u32::from(*byte);
                (0..8).for_each(|_| state = state >> 1 ^ if state & 1 == 0 { 0 } else { POLYNOMIAL });
            }
            !state
        };
        assert_eq!(crc(b"123456789"), 0xe306_9283);
        let mut bytes = *b"what varies, and what does not";
        let end = bytes.len() as u64;
        let words = [1, 9, 20, 26];
        let columns = columns(&words, end);
        let before = crc(&bytes);
        let mut delta = 0;
        for (&first, columns) in words.iter().zip(&columns) {
            let place = &mut bytes[usize::try_from(first).expect("small")..][..4];
            let change = 0x9e37_79b9_u32.wrapping_mul(u32::try_from(first).expect("small") + 1);
            place.iter_mut().zip(change.to_le_bytes()).for_each(|(byte, change)| *byte ^= change);
            (0..32).filter(|bit| change >> bit & 1 != 0).for_each(|bit| delta ^= columns[bit]);
        }
        assert_eq!(crc(&bytes), before ^ delta);
    }
}
