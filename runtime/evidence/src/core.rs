//! A core dump as WebAssembly's tool conventions describe it (Coredump.md there): what debuggers for such dumps read. It has
//! the memory without the window, the globals and the frames; locals and operands were in registers, and are missing.

use super::image::Image;
use perigee_wasm::instance::GlobalValue;
use perigee_wasm::trace::Trace;
use wasm_encoder::{
    ConstExpr, CoreDumpInstancesSection, CoreDumpModulesSection, CoreDumpSection, CoreDumpStackSection, DataSection,
    GlobalSection, GlobalType, HeapType, Ieee32, Ieee64, MemorySection, MemoryType, Module, RefType, ValType,
};

/// The dump of one instance of `module`.
pub(crate) fn core_dump(module: &str, image: &Image, globals: &[GlobalValue], trace: &Trace) -> Vec<u8> {
    let mut dump = Module::new();
    dump.section(&CoreDumpSection::new("perigee"));
    let mut modules = CoreDumpModulesSection::new();
    modules.module(module);
    dump.section(&modules);
    let mut instances = CoreDumpInstancesSection::new();
    instances.instance(0, [0], 0..u32::try_from(globals.len()).unwrap_or(0));
    dump.section(&instances);
    let mut stack = CoreDumpStackSection::new("main");
    for frame in &trace.frames {
        stack.frame(0, frame.function, frame.offset, [], []);
    }
    dump.section(&stack);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: image.len.div_ceil(65_536),
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    dump.section(&memories);
    let mut section = GlobalSection::new();
    for value in globals {
        let (val_type, value) = constant(*value);
        section.global(GlobalType { val_type, mutable: true, shared: false }, &value);
    }
    dump.section(&section);
    let mut data = DataSection::new();
    for piece in &image.pieces {
        data.active(0, &ConstExpr::i32_const(piece.at.cast_signed()), piece.bytes.iter().copied());
    }
    dump.section(&data);
    dump.finish()
}

fn constant(value: GlobalValue) -> (ValType, ConstExpr) {
    match value {
        GlobalValue::I32(value) => (ValType::I32, ConstExpr::i32_const(value)),
        GlobalValue::I64(value) => (ValType::I64, ConstExpr::i64_const(value)),
        GlobalValue::F32(bits) => (ValType::F32, ConstExpr::f32_const(Ieee32::new(bits))),
        GlobalValue::F64(bits) => (ValType::F64, ConstExpr::f64_const(Ieee64::new(bits))),
        GlobalValue::V128(value) => (ValType::V128, ConstExpr::v128_const(value.cast_signed())),
        GlobalValue::Reference => (ValType::Ref(RefType::FUNCREF), ConstExpr::ref_null(HeapType::FUNC)),
    }
}
