//! Machine code for what a generator varies: a module's plan becomes a small module of its own, which works on the other's memory
//! (docs/field-engine.md, "Compiled").
//!
//! A plan is a stranger's word. It is checked as far as it must be for the translation to have an end and a sense; what the code
//! does at run time it does in the sandbox of the module whose plan it is.

mod code;
mod draw;
mod item;
mod plan;
mod sums;
#[cfg(test)]
mod tests;
mod write;

use code::Code;
use perigee_abi::fields::{DONE, cells};
use perigee_abi::{PacketDesc, names};
use plan::Plan;
use std::mem::offset_of;
use wasm_encoder::{
    BlockType, CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    MemoryType, Module, NameMap, NameSection, TypeSection, ValType,
};

/// Name of the function that is made.
pub const FUNCTION: &str = "fields";
/// Module and name under which it imports the memory that it works on.
pub const IMPORT: (&str, &str) = ("perigee", names::MEMORY);

/// What a plan was made into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// A module in binary.
    pub wasm: Vec<u8>,
    /// Where its function goes in the table of the module whose plan it was.
    pub slot: u32,
}

/// Makes a module of a plan: it imports a memory, and exports one function.
///
/// # Errors
/// The plan breaks the ABI: in what.
pub fn compile(plan: &[u8]) -> Result<Program, String> {
    let plan = Plan::read(plan)?;
    Ok(Program { slot: plan.slot, wasm: module(&function(&plan)) })
}

/// Parameters of the function.
const DESCS: u32 = 0;
const COUNT: u32 = 1;
const CELLS: u32 = 2;
const VERDICT: u32 = 3;
const PARAMETERS: [ValType; 4] = [ValType::I32; 4];

/// Fields of a descriptor.
const DESC: u64 = size_of::<PacketDesc>() as u64;
const AT_ADDR: u64 = offset_of!(PacketDesc, addr) as u64;
const AT_VERDICT: u64 = offset_of!(PacketDesc, verdict) as u64;
const AT_TX_FLAGS: u64 = offset_of!(PacketDesc, tx_flags) as u64;
const AT_L2_LEN: u64 = offset_of!(PacketDesc, l2_len) as u64;
const AT_L3_LEN: u64 = offset_of!(PacketDesc, l3_len) as u64;

/// Items and sums up to which a turn of the loop varies two packets: half as many turns, and draws that wait for each other half as often.
const SHORT: usize = 6;

/// The loop over the packets. State is in locals meanwhile.
fn function(plan: &Plan) -> Function {
    let mut code = Code::new(plan.items.len());
    let mut items: Vec<_> = plan.items.iter().map(|spec| item::State::new(&mut code, spec)).collect();
    for (number, state) in items.iter_mut().enumerate() {
        state.is_watched = plan.items.iter().any(|item| item.carry == number as u64 + 1);
    }
    code.load_cell(cells::RANDOM, code.random.local());
    for (number, state) in items.iter().enumerate() {
        state.each_cell(|cell, local| code.load_cell_of(number, cell, local));
    }
    let is_short = plan.items.len() + plan.sums.len() <= SHORT;
    let each = if is_short { 2 } else { 1 };
    if is_short {
        code.emit().local_get(COUNT).i32_const(1).i32_and().if_(BlockType::Empty);
        turn(&mut code, plan, &items, 1);
        code.emit().end();
    }
    // Where turns have two packets, an odd one is done.
    code.emit()
        .local_get(COUNT)
        .i32_const(each)
        .i32_div_u()
        .local_tee(COUNT)
        .if_(BlockType::Empty)
        .loop_(BlockType::Empty);
    turn(&mut code, plan, &items, each);
    code.emit().local_get(COUNT).i32_const(1).i32_sub().local_tee(COUNT).br_if(0).end().end();
    code.store_cell(cells::RANDOM, code.random.local());
    for (number, state) in items.iter().enumerate() {
        state.each_cell(|cell, local| code.store_cell_of(number, cell, local));
    }
    code.emit().i32_const(DONE.cast_signed()).end();
    code.into_function()
}

/// Varies so many packets, and goes on to the next ones.
fn turn(code: &mut Code, plan: &Plan, items: &[item::State], packets: i32) {
    for number in 0..u64::from(packets.unsigned_abs()) {
        packet(code, plan, items, number * DESC);
    }
    code.settle();
    let len = i32::try_from(DESC).unwrap_or_default() * packets;
    code.emit().local_get(DESCS).i32_const(len).i32_add().local_set(DESCS);
}

/// Varies the packet whose descriptor lies so far behind the first one.
fn packet(code: &mut Code, plan: &Plan, items: &[item::State], desc: u64) {
    let addr = code.local(ValType::I32);
    code.emit().local_get(DESCS).i32_load(code::at(desc + AT_ADDR)).local_set(addr);
    let mut written = write::Written::new(addr);
    for (number, spec) in plan.items.iter().enumerate() {
        item::draw(code, plan, number, items);
        item::value(code, plan, spec, &items[number], &mut written);
    }
    plan.sums.iter().for_each(|sum| sums::write(code, sum, &mut written));
    if plan.tx_flags != 0 {
        code.emit().local_get(DESCS).i32_const(plan.tx_flags.cast_signed()).i32_store(code::at(desc + AT_TX_FLAGS));
        code.emit().local_get(DESCS).i32_const(plan.l2_len.into()).i32_store8(code::at(desc + AT_L2_LEN));
        code.emit().local_get(DESCS).i32_const(plan.l3_len.into()).i32_store8(code::at(desc + AT_L3_LEN));
    }
    code.emit().local_get(DESCS).local_get(VERDICT).i32_store(code::at(desc + AT_VERDICT));
}

fn module(function: &Function) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function(PARAMETERS, [ValType::I32]);
    let mut imports = ImportSection::new();
    let memory = MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None };
    imports.import(IMPORT.0, IMPORT.1, EntityType::Memory(memory));
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut exports = ExportSection::new();
    exports.export(FUNCTION, ExportKind::Func, 0);
    let mut code = CodeSection::new();
    code.function(function);
    // A trace through it says what it is.
    let (mut names, mut map) = (NameSection::new(), NameMap::new());
    map.append(0, "compiled fields");
    names.module("compiled fields");
    names.functions(&map);
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&exports).section(&code).section(&names);
    module.finish()
}
