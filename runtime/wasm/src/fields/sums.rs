//! Checksums: what does not change is a constant, and words that were just written are in locals.

use super::code::{Code, at as place};
use super::crc;
use super::plan::{Checksum, Packets};
use super::write::{Word, Written, load, swapped};
use perigee_abi::fields::{open, sum};
use wasm_encoder::{BlockType, ValType};

/// Writes a stream's checksums. `len` is the local with the packet's length.
pub(super) fn write(code: &mut Code, packets: &Packets, written: &mut Written, len: u32) {
    if packets.sums.is_empty() {
        return;
    }
    let constant = |code: &mut Code, written: &mut Written| {
        packets.sums.iter().for_each(|checksum| with_constants(code, checksum, written, len));
    };
    if !packets.can_be_short() {
        constant(code, written);
        return;
    }
    // A packet that ends inside of what the constants count is gone through, as by the interpreter.
    let mut short = written.clone();
    short.keep(packets.stream.least);
    code.emit().local_get(len).i64_const(packets.stream.full.cast_signed()).i64_ge_u().if_(BlockType::Empty);
    constant(code, written);
    code.emit().else_();
    for checksum in &packets.sums {
        if checksum.sum.open != open::CLOSED {
            whole(code, checksum, &mut short, len);
        } else {
            with_constants(code, checksum, &mut short, len);
        }
    }
    code.emit().end();
}

fn with_constants(code: &mut Code, checksum: &Checksum, written: &mut Written, len: u32) {
    if checksum.sum.kind == sum::CRC32C {
        crc::write(code, checksum, written);
        return;
    }
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
    add_length(code, checksum, written, len);
    finish(code, checksum, written);
}

/// Adds the length of what a sum covers to the number on the stack, where it is one of those that have it.
fn add_length(code: &mut Code, checksum: &Checksum, written: &mut Written, len: u32) {
    if checksum.sum.open != open::WITH_LENGTH {
        return;
    }
    let length = written.length(code, len, checksum.sum.from);
    code.emit().local_get(length).i64_add();
}

/// Writes an open sum of a packet whose bytes are all looked at.
fn whole(code: &mut Code, checksum: &Checksum, written: &mut Written, len: u32) {
    let (sum, addr) = (&checksum.sum, written.addr);
    let [from, end] = [code.local(ValType::I32), code.local(ValType::I32)];
    let total = code.local(ValType::I64);
    code.emit().local_get(addr).i64_const(0).i64_store16(place(sum.at));
    code.constant(swapped(sum.before, 2));
    for at in checksum.words.iter().filter(|at| **at < sum.from) {
        code.emit().local_get(addr);
        load(code, *at, 2);
        code.emit().i64_add();
    }
    add_length(code, checksum, written, len);
    code.emit().local_set(total);
    let first = i32::try_from(sum.from).unwrap_or_default();
    code.emit().local_get(addr).i32_const(first).i32_add().local_set(from);
    code.emit().local_get(addr).local_get(len).i32_wrap_i64().i32_add().local_set(end);
    // Four bytes at a time, as long as there are four.
    code.emit().block(BlockType::Empty).loop_(BlockType::Empty);
    code.emit().local_get(end).local_get(from).i32_sub().i32_const(4).i32_lt_u().br_if(1);
    code.emit().local_get(total).local_get(from).i64_load32_u(place(0)).i64_add().local_set(total);
    code.emit().local_get(from).i32_const(4).i32_add().local_set(from).br(0).end().end();
    code.emit().local_get(end).local_get(from).i32_sub().i32_const(2).i32_ge_u().if_(BlockType::Empty);
    code.emit().local_get(total).local_get(from).i64_load16_u(place(0)).i64_add().local_set(total);
    code.emit().local_get(from).i32_const(2).i32_add().local_set(from).end();
    // The last byte of an odd number is the upper one of its word: the first in memory.
    code.emit().local_get(end).local_get(from).i32_ne().if_(BlockType::Empty);
    code.emit().local_get(total).local_get(from).i64_load8_u(place(0)).i64_add().local_set(total).end();
    code.emit().local_get(total);
    finish(code, checksum, written);
}

/// Writes what the sum on the stack comes to.
fn finish(code: &mut Code, checksum: &Checksum, written: &mut Written) {
    let folded = fold(code);
    code.emit().local_get(folded).i64_const(0xffff).i64_xor();
    if checksum.sum.kind == sum::UDP {
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
    let narrow = code.local(ValType::I32);
    code.emit().local_set(narrow);
    code.emit().local_get(narrow).local_get(narrow).i32_const(16).i32_rotl().i32_add().i32_const(16).i32_shr_u();
    code.emit().i64_extend_i32_u();
    code.set_new()
}
