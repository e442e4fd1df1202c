//! One packet of one stream, from its length to its verdict.

use super::code::{Code, at};
use super::item::{self, State, Turn};
use super::plan::{Packets, Plan};
use super::write::{Word, Written};
use super::{AT_ADDR, AT_L2_LEN, AT_L3_LEN, AT_LEN, AT_TX_FLAGS, AT_VERDICT, DESCS, VERDICT, gaps, sums};
use perigee_abi::fields::Item;
use wasm_encoder::{BlockType, ValType};

/// Bytes that a store of the template, or of zeros behind it, takes.
const WIDE: usize = 16;
/// Stores of zeros in a turn of their loop.
const STORES: usize = 4;

/// Makes the packet whose descriptor lies so far behind the first one. Returns the local with its length.
pub(super) fn make(code: &mut Code, plan: &Plan, packets: &Packets, items: &[State], desc: u64) -> u32 {
    let addr = code.local(ValType::I32);
    code.emit().local_get(DESCS).i32_load(at(desc + AT_ADDR)).local_set(addr);
    let len = length(code, packets, items);
    if !plan.has_one_len() {
        code.emit().local_get(DESCS).local_get(len).i64_store16(at(desc + AT_LEN));
    }
    template(code, packets, addr, len);
    let mut written = Written::new(addr);
    for length in &packets.lengths {
        let local = written.length(code, len, length.less);
        written.store(code, Word { first: length.at, width: 2, local });
    }
    let sized = usize::from(packets.is_sized());
    for (number, (spec, state)) in packets.items.iter().zip(items).enumerate().skip(sized) {
        item::draw(code, Turn { packets, items, number, len });
        if spec.width != 0 {
            let value = item::value(code, spec, state);
            // Not every packet need have the place.
            let len = (spec.first + spec.width > packets.stream.least).then_some(len);
            written.write_item(code, spec, value, item::largest(packets, spec), len);
        }
    }
    sums::write(code, packets, &mut written, len);
    let stream = &packets.stream;
    if stream.tx_flags != 0 {
        let constant = |number: u64| u32::try_from(number).unwrap_or_default().cast_signed();
        code.emit().local_get(DESCS).i32_const(constant(stream.tx_flags)).i32_store(at(desc + AT_TX_FLAGS));
        code.emit().local_get(DESCS).i32_const(constant(stream.l2_len)).i32_store8(at(desc + AT_L2_LEN));
        code.emit().local_get(DESCS).i32_const(constant(stream.l3_len)).i32_store8(at(desc + AT_L3_LEN));
    }
    gaps::ask(code, &plan.head, desc, len);
    code.emit().local_get(DESCS).local_get(VERDICT).i32_store(at(desc + AT_VERDICT));
    len
}

/// The packet's length in a local.
fn length(code: &mut Code, packets: &Packets, items: &[State]) -> u32 {
    let stream = &packets.stream;
    let (Some(spec), Some(state), true) = (packets.items.first(), items.first(), packets.is_sized()) else {
        code.constant(stream.len);
        return code.set_new();
    };
    // Its own length is what is drawn; nobody can ask for it before.
    let len = code.local(ValType::I64);
    item::draw(code, Turn { packets, items, number: 0, len });
    let drawn = item::value(code, spec, state);
    code.emit().local_get(drawn).local_set(len);
    let (least, most) = bounds(packets, spec);
    for (bound, is_least) in [(stream.most, false), (stream.least, true)] {
        if if is_least { least >= bound } else { most <= bound } {
            continue;
        }
        code.emit().local_get(len).i64_const(bound.cast_signed()).local_get(len).i64_const(bound.cast_signed());
        if is_least {
            code.emit().i64_gt_u();
        } else {
            code.emit().i64_lt_u();
        }
        code.emit().select().local_set(len);
    }
    if stream.unit != 1 {
        let (more, unit) = (stream.more.cast_signed(), stream.unit.cast_signed());
        code.emit().local_get(len).local_get(len).i64_const(more).i64_sub().i64_const(unit).i64_rem_u();
        code.emit().i64_sub().local_set(len);
    }
    len
}

/// The least and the largest number that an item draws, as far as they are known.
fn bounds(packets: &Packets, spec: &Item) -> (u64, u64) {
    match item::largest(packets, spec) {
        u64::MAX => (0, u64::MAX),
        largest => (spec.base, largest),
    }
}

/// Writes the template, and zeros behind it: those first, because their last store reaches back.
fn template(code: &mut Code, packets: &Packets, addr: u32, len: u32) {
    let (bytes, stream) = (&packets.template[..], &packets.stream);
    let Some(last) = bytes.len().checked_sub(WIDE) else { return };
    if stream.most > stream.template {
        zeros(code, addr, len, stream.template);
    }
    let zero = code.local(ValType::V128);
    let whole = (0..=last).step_by(WIDE).chain((!bytes.len().is_multiple_of(WIDE)).then_some(last));
    for first in whole {
        let chunk = bytes[first..first + WIDE].try_into().map(i128::from_le_bytes).unwrap_or_default();
        code.emit().local_get(addr);
        if chunk == 0 {
            code.emit().local_get(zero);
        } else {
            code.emit().v128_const(chunk);
        }
        code.emit().v128_store(at(first as u64));
    }
}

/// Writes zeros from `first` to the packet's end, where that is behind it, and maybe before.
fn zeros(code: &mut Code, addr: u32, len: u32, first: u64) {
    let turn = i32::try_from(WIDE * STORES).unwrap_or_default();
    let wide = i32::try_from(WIDE).unwrap_or_default();
    let zero = code.local(ValType::V128);
    let [next, end] = [code.local(ValType::I32), code.local(ValType::I32)];
    code.emit().local_get(len).i64_const(first.cast_signed()).i64_gt_u().if_(BlockType::Empty);
    code.emit().local_get(addr).i32_const(i32::try_from(first).unwrap_or_default()).i32_add().local_set(next);
    code.emit().local_get(addr).local_get(len).i32_wrap_i64().i32_add().local_set(end);
    for (bytes, stores) in [(turn, STORES), (wide, 1)] {
        code.emit().block(BlockType::Empty).loop_(BlockType::Empty);
        code.emit().local_get(end).local_get(next).i32_sub().i32_const(bytes).i32_lt_s().br_if(1);
        for store in 0..stores {
            code.emit().local_get(next).local_get(zero).v128_store(at((store * WIDE) as u64));
        }
        code.emit().local_get(next).i32_const(bytes).i32_add().local_set(next).br(0).end().end();
    }
    // A packet has at least as many bytes as one store takes.
    code.emit().local_get(end).i32_const(wide).i32_sub().local_get(zero).v128_store(at(0)).end();
}
