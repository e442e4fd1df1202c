//! Machine code for what a generator varies: a module's plan becomes a small module of its own, which works on the other's memory
//! (docs/field-engine.md, "Compiled").
//!
//! A plan is a stranger's word. It is checked as far as it must be for the translation to have an end and a sense; what the code
//! does at run time it does in the sandbox of the module whose plan it is.

mod called;
mod code;
mod crc;
mod draw;
mod gaps;
mod item;
mod packet;
mod plan;
mod sums;
#[cfg(test)]
mod tests;
mod write;

use code::Code;
use item::State;
use perigee_abi::fields::{DONE, cells};
use perigee_abi::{PacketDesc, names};
use plan::{Packets, Plan};
use std::mem::offset_of;
use wasm_encoder::{
    BlockType, CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    MemoryType, Module, NameMap, NameSection, RefType, TableType, TypeSection, ValType,
};

/// Name of the function that is made.
pub const FUNCTION: &str = "fields";
/// Module and name under which it imports the memory that it works on.
pub const IMPORT: (&str, &str) = ("perigee", names::MEMORY);

/// What a plan was made into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// A module in binary. It imports a memory, and where [`Self::calls`] a table of functions behind it.
    pub wasm: Vec<u8>,
    /// Where its function goes in the table of the module whose plan it was.
    pub slot: u32,
    /// Whether it calls a function of that table.
    pub calls: bool,
}

/// Makes a module of a plan: it exports one function.
///
/// # Errors
/// The plan breaks the ABI: in what.
pub fn compile(plan: &[u8]) -> Result<Program, String> {
    let plan = Plan::read(plan)?;
    let (function, calls) = function(&plan);
    Ok(Program { slot: plan.slot, wasm: module(&function, calls), calls })
}

/// Parameters of the function.
const DESCS: u32 = 0;
const COUNT: u32 = 1;
const CELLS: u32 = 2;
const VERDICT: u32 = 3;
const PARAMETERS: [ValType; 4] = [ValType::I32; 4];
/// Number of the type of the module's own function.
const CALLED_TYPE: u32 = 1;

/// Fields of a descriptor.
const DESC: u64 = size_of::<PacketDesc>() as u64;
const AT_ADDR: u64 = offset_of!(PacketDesc, addr) as u64;
const AT_LEN: u64 = offset_of!(PacketDesc, len) as u64;
const AT_VERDICT: u64 = offset_of!(PacketDesc, verdict) as u64;
const AT_TX_FLAGS: u64 = offset_of!(PacketDesc, tx_flags) as u64;
const AT_L2_LEN: u64 = offset_of!(PacketDesc, l2_len) as u64;
const AT_L3_LEN: u64 = offset_of!(PacketDesc, l3_len) as u64;
const AT_TIME: u64 = offset_of!(PacketDesc, time) as u64;

/// The loop over the packets; whether it calls the module. The random generator's state is in a local meanwhile, and so is that of the
/// items of a single stream. Those of several are fetched for each packet: nobody keeps that many in registers.
fn function(plan: &Plan) -> (Function, bool) {
    let mut code = Code::new(plan.items, u32::try_from(plan.head.called).unwrap_or(u32::MAX));
    let streams: Vec<Vec<State>> = plan.streams.iter().map(|packets| states(&mut code, packets)).collect();
    let bytes = code.local(ValType::I64);
    code.load_cell(cells::RANDOM, code.random.local());
    let only = match (&plan.streams[..], &streams[..]) {
        ([packets], [items]) if !plan.has_choice() => Some((packets, items)),
        _ => None,
    };
    let each = if only.is_some_and(|(packets, _)| packets.is_short()) { 2 } else { 1 };
    if let Some((packets, items)) = only {
        load(&mut code, packets, items);
    }
    let turn = |code: &mut Code, packets: i32| turn(code, plan, &streams, bytes, packets);
    if each == 2 {
        code.emit().local_get(COUNT).i32_const(1).i32_and().if_(BlockType::Empty);
        turn(&mut code, 1);
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
    turn(&mut code, each);
    code.emit().local_get(COUNT).i32_const(1).i32_sub().local_tee(COUNT).br_if(0).end().end();
    code.store_cell(cells::RANDOM, code.random.local());
    if !plan.has_one_len() {
        code.store_cell(cells::BYTES, bytes);
    }
    if let Some((packets, items)) = only {
        store(&mut code, packets, items);
    }
    code.emit().i32_const(DONE.cast_signed()).end();
    let calls = code.calls();
    (code.into_function(), calls)
}

fn states(code: &mut Code, packets: &Packets) -> Vec<State> {
    let mut items: Vec<_> = packets.items.iter().map(|spec| State::new(code, spec)).collect();
    for (number, state) in items.iter_mut().enumerate() {
        state.is_watched = packets.items.iter().any(|item| item.carry == number as u64 + 1);
    }
    items
}

fn load(code: &mut Code, packets: &Packets, items: &[State]) {
    for (number, state) in items.iter().enumerate() {
        state.each_cell(|cell, local| code.load_cell_of(packets.first + number, cell, local));
    }
}

fn store(code: &mut Code, packets: &Packets, items: &[State]) {
    for (number, state) in items.iter().enumerate() {
        state.each_cell(|cell, local| code.store_cell_of(packets.first + number, cell, local));
    }
}

/// Makes so many packets, adds up their `bytes`, and goes on to the next ones.
fn turn(code: &mut Code, plan: &Plan, streams: &[Vec<State>], bytes: u32, packets: i32) {
    for number in 0..u64::from(packets.unsigned_abs()) {
        let desc = number * DESC;
        let add = |code: &mut Code, len: u32| {
            // Where all are as long, the module knows it.
            if !plan.has_one_len() {
                code.emit().local_get(bytes).local_get(len).i64_add().local_set(bytes);
            }
        };
        if let ([packets], [items], false) = (&plan.streams[..], streams, plan.has_choice()) {
            let len = packet::make(code, plan, packets, items, desc);
            add(code, len);
            continue;
        }
        choose(code, plan, |code, number| {
            let (packets, items) = (&plan.streams[number], &streams[number]);
            load(code, packets, items);
            let len = packet::make(code, plan, packets, items, desc);
            add(code, len);
            store(code, packets, items);
        });
    }
    code.settle();
    let len = i32::try_from(DESC).unwrap_or_default() * packets;
    code.emit().local_get(DESCS).i32_const(len).i32_add().local_set(DESCS);
}

/// Chooses a stream by weights: `each` makes the code of each.
fn choose(code: &mut Code, plan: &Plan, mut each: impl FnMut(&mut Code, usize)) {
    draw::weighted(code, 0, plan.head.choice);
    code.emit().i32_wrap_i64();
    let chosen = code.local(ValType::I32);
    code.emit().local_set(chosen);
    code.settle();
    let count = u32::try_from(plan.streams.len()).unwrap_or(1);
    (0..=count).for_each(|_| {
        code.emit().block(BlockType::Empty);
    });
    code.emit().local_get(chosen).br_table(0..count, count - 1).end();
    for number in 0..count {
        each(code, number as usize);
        code.settle();
        code.emit().br(count - 1 - number).end();
    }
}

fn module(function: &Function, calls: bool) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function(PARAMETERS, [ValType::I32]);
    types.ty().function(called::PARAMETERS, []);
    let mut imports = ImportSection::new();
    let memory = MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None };
    imports.import(IMPORT.0, IMPORT.1, EntityType::Memory(memory));
    if calls {
        let element_type = RefType::FUNCREF;
        let table = TableType { element_type, table64: false, minimum: 1, maximum: None, shared: false };
        imports.import(IMPORT.0, names::TABLE, EntityType::Table(table));
    }
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
