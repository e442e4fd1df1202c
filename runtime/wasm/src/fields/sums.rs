//! Checksums: what does not change is a constant, and words that were just written are in locals.

use super::code::Code;
use super::plan::Checksum;
use super::write::{Word, Written, load, swapped};

/// Writes a checksum.
pub(super) fn write(code: &mut Code, checksum: &Checksum, written: &mut Written) {
    let mut words = checksum.words.clone();
    code.constant(swapped(checksum.sum.sum, 2));
    for word in written.words.clone() {
        if take(&mut words, &word) {
            add(code, &word);
        }
    }
    for at in words {
        code.emit().local_get(written.addr);
        load(code, at, 2);
        code.emit().i64_add();
    }
    let folded = fold(code);
    code.emit().local_get(folded).i64_const(0xffff).i64_xor();
    if checksum.sum.is_udp != 0 {
        let value = code.set_new();
        code.emit().local_get(value).i64_const(0xffff).local_get(value).i64_eqz().i32_eqz().select();
    }
    let local = code.set_new();
    written.store(code, Word { first: checksum.sum.at, width: 2, local });
}

/// Takes the words out that a larger one consists of. False, and nothing is taken, where it does not consist of them.
fn take(words: &mut Vec<u64>, of: &Word) -> bool {
    let parts: Vec<u64> = (of.first..of.first + of.width).step_by(2).collect();
    let once = |part: &u64| words.iter().filter(|word| *word == part).count() == 1;
    if of.width < 2 || !parts.iter().all(once) {
        return false;
    }
    words.retain(|word| !parts.contains(word));
    true
}

/// Adds a word: what it is above 16 bits counts as much as below, for 2^16 is 1 in such a sum.
fn add(code: &mut Code, word: &Word) {
    if word.width == 8 {
        code.emit().local_get(word.local).i64_const(0xffff_ffff).i64_and().i64_add();
        code.emit().local_get(word.local).i64_const(32).i64_shr_u().i64_add();
    } else {
        code.emit().local_get(word.local).i64_add();
    }
}

/// Folds the sum on the stack to 16 bits: halves are added with their carry by turning the number by half its width.
fn fold(code: &mut Code) -> u32 {
    let sum = code.set_new();
    code.emit().local_get(sum).local_get(sum).i64_const(32).i64_rotl().i64_add().i64_const(32).i64_shr_u();
    code.emit().i32_wrap_i64();
    let narrow = code.local(wasm_encoder::ValType::I32);
    code.emit().local_set(narrow);
    code.emit().local_get(narrow).local_get(narrow).i32_const(16).i32_rotl().i32_add().i32_const(16).i32_shr_u();
    code.emit().i64_extend_i32_u();
    code.set_new()
}
