//! Instructions, locals, and the state of the random generator while code is made.

use super::{CALLED_TYPE, CELLS, PARAMETERS};
use perigee_abi::fields::cells;
use wasm_encoder::{Function, InstructionSink, MemArg, ValType};

/// Knuth's constants, as `Lcg64` of the guest SDK has them.
const FACTOR: u64 = 6_364_136_223_846_793_005;
const ADDEND: u64 = 1_442_695_040_888_963_407;

/// A function in the making.
pub(super) struct Code {
    bytes: Vec<u8>,
    locals: Vec<ValType>,
    /// The instance's generator.
    pub(super) random: Generator,
    /// Items of the plan: the pool lies behind their cells.
    items: usize,
    /// Place of the module's own function in its table, and whether it is called.
    called: u32,
    calls: bool,
}

/// A generator whose state is in a local, or so many draws behind: a draw is computed from the last state that was written down,
/// so that draws of one packet do not wait for each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Generator {
    local: u32,
    factor: u64,
    addend: u64,
}

impl Generator {
    pub(super) fn new(local: u32) -> Self {
        Self { local, factor: 1, addend: 0 }
    }

    pub(super) fn local(self) -> u32 {
        self.local
    }

    /// Pushes the next 64 bits.
    pub(super) fn next(&mut self, code: &mut Code) {
        self.factor = self.factor.wrapping_mul(FACTOR);
        self.addend = self.addend.wrapping_mul(FACTOR).wrapping_add(ADDEND);
        self.push(code);
    }

    fn push(self, code: &mut Code) {
        code.emit().local_get(self.local).i64_const(self.factor.cast_signed()).i64_mul();
        code.emit().i64_const(self.addend.cast_signed()).i64_add();
    }

    /// Writes the state down.
    pub(super) fn settle(&mut self, code: &mut Code) {
        if self.factor != 1 || self.addend != 0 {
            self.push(code);
            code.emit().local_set(self.local);
            *self = Self::new(self.local);
        }
    }
}

impl Code {
    pub(super) fn new(items: usize, called: u32) -> Self {
        let random = Generator::new(0);
        let mut code = Self { bytes: Vec::new(), locals: Vec::new(), random, items, called, calls: false };
        code.random = Generator::new(code.local(ValType::I64));
        code
    }

    /// Where instructions go.
    pub(super) fn emit(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.bytes)
    }

    /// A new local.
    pub(super) fn local(&mut self, of: ValType) -> u32 {
        self.locals.push(of);
        u32::try_from(PARAMETERS.len() + self.locals.len() - 1).unwrap_or(u32::MAX)
    }

    /// A new local with what is on the stack, of 64 bits.
    pub(super) fn set_new(&mut self) -> u32 {
        let local = self.local(ValType::I64);
        self.emit().local_set(local);
        local
    }

    /// Writes the generator's state down: before code that is not run each time.
    pub(super) fn settle(&mut self) {
        let mut random = self.random;
        random.settle(self);
        self.random = random;
    }

    /// Pushes the generator's next 64 bits.
    pub(super) fn next_random(&mut self) {
        let mut random = self.random;
        random.next(self);
        self.random = random;
    }

    pub(super) fn load_cell(&mut self, cell: usize, local: u32) {
        self.emit().local_get(CELLS).i64_load(word(cell)).local_set(local);
    }

    pub(super) fn store_cell(&mut self, cell: usize, local: u32) {
        self.emit().local_get(CELLS).local_get(local).i64_store(word(cell));
    }

    pub(super) fn load_cell_of(&mut self, item: usize, cell: usize, local: u32) {
        self.load_cell(cells::pool(item) + cell, local);
    }

    pub(super) fn store_cell_of(&mut self, item: usize, cell: usize, local: u32) {
        self.store_cell(cells::pool(item) + cell, local);
    }

    /// Turns the index on the stack into the word of the pool that lies so far behind `first`.
    pub(super) fn load_pool(&mut self, first: u64) {
        let at = word(cells::pool(self.items) + usize::try_from(first).unwrap_or(usize::MAX));
        self.emit().i32_wrap_i64().i32_const(3).i32_shl().local_get(CELLS).i32_add().i64_load(at);
    }

    /// Calls the module's own function: its parameters are on the stack.
    pub(super) fn call(&mut self) {
        self.calls = true;
        let called = self.called.cast_signed();
        self.emit().i32_const(called).call_indirect(0, CALLED_TYPE);
    }

    /// Whether the module's own function is called.
    pub(super) fn calls(&self) -> bool {
        self.calls
    }

    pub(super) fn constant(&mut self, number: u64) {
        self.emit().i64_const(number.cast_signed());
    }

    pub(super) fn into_function(self) -> Function {
        let mut function = Function::new_with_locals_types(self.locals);
        function.raw(self.bytes);
        function
    }
}

/// A place in memory, so far behind the address on the stack. Nothing is said of its alignment.
pub(super) fn at(offset: u64) -> MemArg {
    MemArg { offset, align: 0, memory_index: 0 }
}

/// A word that lies so many words behind the address on the stack.
pub(super) fn word(number: usize) -> MemArg {
    at(number as u64 * 8)
}
