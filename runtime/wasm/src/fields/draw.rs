//! Draws, as `perigee_guest::vary` has them: the same numbers, in the same order.

use super::code::{Code, Generator};
use super::item::State;
use perigee_abi::fields::{Item, scale};
use wasm_encoder::{BlockType, ValType};

/// Moves an index on by the number that `values` pushes. Returns a local with the number of rounds that end before it.
pub(super) fn skip(code: &mut Code, spec: &Item, state: &State, values: impl Fn(&mut Code)) -> u32 {
    let (last, index) = (spec.last.cast_signed(), state.index);
    let rounds = code.local(ValType::I64);
    code.emit().i64_const(last).local_get(index).i64_sub();
    let left = code.set_new();
    values(code);
    code.emit().local_get(left).i64_le_u().if_(BlockType::Empty);
    code.emit().local_get(index);
    values(code);
    code.emit().i64_add().local_set(index).i64_const(0).local_set(rounds).else_();
    if spec.stays != 0 {
        code.emit().i64_const(last).local_set(index).i64_const(1).local_set(rounds).end();
        return rounds;
    }
    values(code);
    code.emit().local_get(left).i64_sub().i64_const(1).i64_sub().local_set(index);
    code.emit().i64_const(1).local_set(rounds);
    // Of all 2^64 numbers nothing is left to divide.
    if spec.last != u64::MAX {
        code.emit().local_get(index).i64_const(last).i64_gt_u().if_(BlockType::Empty);
        code.emit()
            .local_get(index)
            .i64_const(last.wrapping_add(1))
            .i64_div_u()
            .i64_const(1)
            .i64_add()
            .local_set(rounds);
        code.emit().local_get(index).i64_const(last.wrapping_add(1)).i64_rem_u().local_set(index).end();
    }
    code.emit().end();
    rounds
}

/// Pushes a random index.
pub(super) fn uniform(code: &mut Code, spec: &Item, random: &mut Generator) {
    match spec.scale {
        scale::BITS => {
            random.next(code);
            match spec.count {
                0 => {
                    code.emit().drop().i64_const(0);
                }
                bits => {
                    code.emit().i64_const(64 - bits.cast_signed()).i64_shr_u();
                }
            }
        }
        scale::NARROW => narrow(code, spec.count, random),
        _ => wide(code, spec.count, random),
    }
}

/// Lemire's way; the remainder of 2^32 is known.
fn narrow(code: &mut Code, count: u64, random: &mut Generator) {
    let product = code.local(ValType::I64);
    let least = (1_u64 << 32) % count;
    let is_again = least != 0;
    if is_again {
        random.settle(code);
        code.emit().loop_(BlockType::Empty);
    }
    random.next(code);
    code.emit().i64_const(32).i64_shr_u().i64_const(count.cast_signed()).i64_mul().local_set(product);
    if is_again {
        random.settle(code);
        code.emit().local_get(product).i64_const(0xffff_ffff).i64_and();
        code.emit().i64_const(least.cast_signed()).i64_lt_u().br_if(0).end();
    }
    code.emit().local_get(product).i64_const(32).i64_shr_u();
}

/// The upper halves of two draws are joined; a product of 128 bits is made of four.
fn wide(code: &mut Code, count: u64, random: &mut Generator) {
    const LOW: i64 = 0xffff_ffff;
    let least = if count == 0 { 0 } else { count.wrapping_neg() % count };
    let is_again = least != 0;
    if is_again {
        random.settle(code);
        code.emit().loop_(BlockType::Empty);
    }
    random.next(code);
    code.emit().i64_const(32).i64_shr_u();
    let upper = code.set_new();
    random.next(code);
    code.emit().i64_const(32).i64_shr_u();
    let lower = code.set_new();
    if is_again {
        random.settle(code);
        code.emit().local_get(upper).i64_const(32).i64_shl().local_get(lower).i64_or();
        code.emit().i64_const(count.cast_signed()).i64_mul();
        code.emit().i64_const(least.cast_signed()).i64_lt_u().br_if(0).end();
    }
    if count == 0 {
        code.emit().local_get(upper).i64_const(32).i64_shl().local_get(lower).i64_or();
        return;
    }
    let (high, low) = ((count >> 32).cast_signed(), (count & 0xffff_ffff).cast_signed());
    let mut times = |half: u32, by: i64| {
        code.emit().local_get(half).i64_const(by).i64_mul();
        code.set_new()
    };
    let (both_low, both_high) = (times(lower, low), times(upper, high));
    let (one, other) = (times(upper, low), times(lower, high));
    code.emit().local_get(both_low).i64_const(32).i64_shr_u();
    code.emit().local_get(one).i64_const(LOW).i64_and().i64_add();
    code.emit().local_get(other).i64_const(LOW).i64_and().i64_add().i64_const(32).i64_shr_u();
    code.emit().local_get(one).i64_const(32).i64_shr_u().i64_add();
    code.emit().local_get(other).i64_const(32).i64_shr_u().i64_add().local_get(both_high).i64_add();
}

/// Pushes an index by weights: Walker's alias method.
pub(super) fn weighted(code: &mut Code, table: u64, len: u64) {
    code.next_random();
    code.emit().i64_const(32).i64_shr_u().i64_const(len.cast_signed()).i64_mul();
    let product = code.set_new();
    code.emit().local_get(product).i64_const(32).i64_shr_u();
    let index = code.set_new();
    code.emit().local_get(index);
    code.load_pool(table);
    let entry = code.set_new();
    code.emit().local_get(index).local_get(entry).i64_const(0xffff).i64_and();
    code.emit().local_get(product).i64_const(0xffff_ffff).i64_and();
    code.emit().local_get(entry).i64_const(16).i64_shr_u().i64_lt_u().select();
}

/// Pushes the index that a shuffle has in the place of `index`.
pub(super) fn shuffle(code: &mut Code, spec: &Item, index: u32) {
    code.emit().loop_(BlockType::Empty);
    for key in [spec.key_0, spec.key_1, spec.key_2] {
        code.emit().local_get(index).i64_const((key | 1).cast_signed()).i64_mul();
        code.emit().i64_const((key >> 32).cast_signed()).i64_add();
        code.emit().i64_const(spec.index_mask.cast_signed()).i64_and().local_tee(index);
        code.emit().local_get(index).i64_const(spec.half.cast_signed()).i64_shr_u().i64_xor().local_set(index);
    }
    code.emit().local_get(index).i64_const(spec.last.cast_signed()).i64_gt_u().br_if(0).end();
    code.emit().local_get(index);
}

/// Pushes the random index that belongs to a place in the round.
pub(super) fn repeatable(code: &mut Code, spec: &Item, place: u32) {
    let state = code.local(ValType::I64);
    code.emit().local_get(place).i64_const(spec.seed.cast_signed()).i64_add();
    code.emit().i64_const(0x9e37_79b9_7f4a_7c15_u64.cast_signed()).i64_add().local_set(state);
    for (bits, factor) in [(30, 0xbf58_476d_1ce4_e5b9_u64), (27, 0x94d0_49bb_1331_11eb)] {
        code.emit().local_get(state).local_get(state).i64_const(bits).i64_shr_u().i64_xor();
        code.emit().i64_const(factor.cast_signed()).i64_mul().local_set(state);
    }
    code.emit().local_get(state).local_get(state).i64_const(31).i64_shr_u().i64_xor().local_set(state);
    uniform(code, spec, &mut Generator::new(state));
}
