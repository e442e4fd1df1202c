//! Draws that the module computes itself: what is no whole number has its mathematics there, and gives the same bits here.

use super::CELLS;
use super::code::{Code, word};
use perigee_abi::fields::{Item, cells};
use wasm_encoder::ValType;

/// Parameters of the module's function: where its answer goes, the kind, five arguments, the generator's state.
pub(super) const PARAMETERS: [ValType; 8] = {
    let mut types = [ValType::I64; 8];
    types[0] = ValType::I32;
    types
};
/// Arguments beside the kind and the generator's state.
const ARGS: usize = 5;

/// An argument.
#[derive(Clone, Copy)]
pub(super) enum Arg {
    Number(u64),
    /// The bits of a float in a local.
    Float(u32),
}

/// Pushes an item's index.
pub(super) fn index(code: &mut Code, spec: &Item) {
    let args = [spec.arg_0, spec.arg_1, spec.arg_2, spec.arg_3, spec.arg_4];
    call(code, spec.kind, args.map(Arg::Number));
}

/// Pushes what the module's function answers.
pub(super) fn call(code: &mut Code, kind: u64, args: [Arg; ARGS]) {
    code.settle();
    let (random, to) = (code.random.local(), i32::try_from(cells::CALLED * 8).unwrap_or_default());
    code.emit().local_get(CELLS).i32_const(to).i32_add().i64_const(kind.cast_signed());
    for arg in args {
        match arg {
            Arg::Number(number) => code.constant(number),
            Arg::Float(local) => {
                code.emit().local_get(local).i64_reinterpret_f64();
            }
        }
    }
    code.emit().local_get(random);
    code.call();
    code.emit().local_get(CELLS).i64_load(word(cells::CALLED + 1)).local_set(random);
    code.emit().local_get(CELLS).i64_load(word(cells::CALLED));
}
