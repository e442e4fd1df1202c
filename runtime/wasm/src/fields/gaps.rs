//! Gaps between packets, as `perigee_guest::vary::Gaps` has them: the same numbers, in the same order.

use super::called::{self, Arg};
use super::code::{Code, at, word};
use super::{AT_TIME, AT_TX_FLAGS, CELLS, DESCS};
use perigee_abi::fields::{Head, cells, gap};
use perigee_abi::tx_flags;
use wasm_encoder::{BlockType, ValType};

/// Asks for the gap between the packet before and this one, which is `len` bytes long: by a flag beside those that are there.
pub(super) fn ask(code: &mut Code, head: &Head, desc: u64, len: u32) {
    if head.gap == gap::NONE {
        return;
    }
    mean(code, head);
    spread(code, head);
    let exact = code.local(ValType::F64);
    code.emit().local_get(CELLS).f64_load(word(cells::GAP_REST)).f64_add().local_set(exact);
    code.emit().local_get(exact).i64_trunc_sat_f64_u();
    let whole = code.set_new();
    // At most 1, even where the gap was longer than its number can say.
    code.emit().local_get(CELLS).local_get(exact).local_get(whole).f64_convert_i64_u().f64_sub();
    code.emit().f64_const(1.0.into()).f64_min().f64_store(word(cells::GAP_REST));
    code.emit().local_get(CELLS).local_get(len).i64_store(word(cells::GAP_BEFORE));
    code.emit().local_get(DESCS).local_get(whole).i64_store(at(desc + AT_TIME));
    code.emit().local_get(DESCS).local_get(DESCS).i32_load(at(desc + AT_TX_FLAGS));
    code.emit().i32_const(tx_flags::GAP.cast_signed()).i32_or().i32_store(at(desc + AT_TX_FLAGS));
}

/// Pushes the mean behind the packet before.
fn mean(code: &mut Code, head: &Head) {
    let float = |bits| f64::from_bits(bits).into();
    code.emit().f64_const(float(head.gap_each)).f64_const(float(head.gap_byte));
    code.emit().local_get(CELLS).i64_load(word(cells::GAP_BEFORE)).i64_const(head.gap_beside.cast_signed()).i64_add();
    code.emit().f64_convert_i64_u().f64_mul().f64_add();
}

/// Makes of the mean on the stack a gap.
fn spread(code: &mut Code, head: &Head) {
    let mean = code.local(ValType::F64);
    match head.gap {
        gap::BURSTS => {
            let (left, saved) = (code.local(ValType::I64), code.local(ValType::F64));
            code.emit().local_set(mean).local_get(CELLS).i64_load(word(cells::GAP_LEFT)).local_set(left);
            code.emit().local_get(CELLS).f64_load(word(cells::GAP_SAVED)).local_set(saved);
            code.emit().local_get(left).i64_eqz().if_(BlockType::Empty);
            code.emit().i64_const(head.gap_kind.cast_signed()).local_set(left);
            code.emit().f64_const(0.0.into()).local_set(saved).end();
            code.emit().local_get(CELLS).local_get(left).i64_const(1).i64_sub().local_tee(left);
            code.emit().i64_store(word(cells::GAP_LEFT));
            code.emit().local_get(CELLS).local_get(saved).local_get(mean).f64_add().local_tee(saved);
            code.emit().f64_store(word(cells::GAP_SAVED));
            code.emit().f64_const(0.0.into()).local_get(saved).local_get(left).i64_eqz().i32_eqz().select();
        }
        gap::CALLED => {
            code.emit().local_set(mean);
            let none = Arg::Number(0);
            called::call(code, head.gap_kind, [Arg::Float(mean), Arg::Number(head.gap_arg), none, none, none]);
            code.emit().f64_reinterpret_i64();
        }
        _ => {}
    }
}
