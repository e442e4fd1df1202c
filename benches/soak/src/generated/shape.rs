//! Makes a module that fits the ABI of one that wasm-smith has made: areas in its memory, and callbacks that call its functions
//! and write what they return over descriptors.

use super::splitmix;
use crate::hostile::PAGES;
use anyhow::{Context, Result, bail};
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, Instruction, MemArg, MemoryType, TypeSection,
    ValType,
};
use wasmparser::{FuncType, Parser, Payload};

/// Where the areas lie: at the front, where random addresses go.
const BATCH: u32 = 64;
const BATCH_LEN: u32 = 38_528;
const MAILBOX: u32 = 40_960;
const WINDOW: u32 = 65_536;
const WINDOW_LEN: u32 = 69_206_016;

/// Callbacks with their parameters and results, by the position of their type.
const CALLBACKS: [(&str, usize); 5] = [("process", 1), ("tick", 3), ("message", 2), ("save", 0), ("restore", 2)];

/// What wasm-smith may make: everything that the engine takes, no imports.
pub(super) fn config(seed: u64) -> wasm_smith::Config {
    wasm_smith::Config {
        // Half of them avoid most traps, and so live longer.
        disallow_traps: seed.is_multiple_of(2),
        min_types: 1,
        min_funcs: 4,
        max_funcs: 12,
        max_instructions: 200,
        min_memories: 1,
        max_memories: 1,
        max_memory32_bytes: 4 << 20,
        min_exports: 1,
        max_imports: 0,
        max_tables: 4,
        max_table_elements: 10_000,
        bulk_memory_enabled: true,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        // The engine is built without the types of references but to functions.
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        extended_const_enabled: true,
        generate_custom_sections: true,
        // Random addresses mostly lie in the first 4 MiB.
        memory_offset_choices: wasm_smith::MemoryOffsetChoices(90, 9, 1),
        ..wasm_smith::Config::default()
    }
}

/// What is known of the module before it is changed.
#[derive(Default)]
struct Facts {
    /// The types of its functions, by number of the type.
    types: Vec<FuncType>,
    /// The type of each function.
    functions: Vec<u32>,
}

/// The module with areas and callbacks.
pub(super) fn wrap(wasm: &[u8], seed: u64) -> Result<Vec<u8>> {
    let mut facts = Facts::default();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::TypeSection(section) => {
                for group in section {
                    for sub in group?.into_types() {
                        let wasmparser::CompositeInnerType::Func(f) = sub.composite_type.inner else {
                            bail!("no function")
                        };
                        facts.types.push(f);
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for index in section {
                    facts.functions.push(index?);
                }
            }
            _ => {}
        }
    }
    let mut module = wasm_encoder::Module::new();
    let mut wrapper = Wrapper { facts, seed };
    wrapper.parse_core_module(&mut module, Parser::new(0), wasm).ok().context("the module cannot be written anew")?;
    Ok(module.finish())
}

struct Wrapper {
    facts: Facts,
    seed: u64,
}

/// A number that is exported.
struct Number(&'static str, u32);

fn numbers() -> [Number; 6] {
    [
        Number("perigee_abi", perigee_abi::ABI_VERSION),
        Number("perigee_batch", BATCH),
        Number("perigee_window", WINDOW),
        Number("perigee_window_len", WINDOW_LEN),
        Number("perigee_mailbox", MAILBOX),
        Number("perigee_mailbox_len", 4_096),
    ]
}

impl Wrapper {
    fn random(&mut self) -> u64 {
        self.seed = splitmix(self.seed);
        self.seed
    }

    /// A number below `n`.
    fn below(&mut self, n: u32) -> u32 {
        u32::try_from(self.random() % u64::from(n.max(1))).unwrap_or(0)
    }

    /// A callback: calls functions of the module, each with the parameter and random numbers, and writes the results over the
    /// batch area.
    fn callback(&mut self, has_parameter: bool, has_result: bool) -> Function {
        let mut body = Function::new([(1, ValType::I32)]);
        let local = u32::from(has_parameter);
        for _ in 0..3 {
            let index = self.below(u32::try_from(self.facts.functions.len()).unwrap_or(1));
            let of = self.facts.functions[index as usize] as usize;
            let (params, results) = (self.facts.types[of].params().to_vec(), self.facts.types[of].results().to_vec());
            for param in params {
                let number = self.random();
                body.instruction(&argument(param, number, has_parameter));
            }
            body.instruction(&Instruction::Call(index));
            // The last result lies on top.
            for result in results.iter().rev() {
                if *result != wasmparser::ValType::I32 {
                    body.instruction(&Instruction::Drop);
                    continue;
                }
                body.instruction(&Instruction::LocalSet(local));
                let at = BATCH + self.below(BATCH_LEN / 4 - 1) * 4;
                body.instruction(&Instruction::I32Const(at.cast_signed()));
                body.instruction(&Instruction::LocalGet(local));
                body.instruction(&Instruction::I32Store(memory()));
            }
        }
        // Some packets go on, and some lists are read.
        let (verdict, count) = (self.below(7), if self.below(4) == 0 { self.below(300) } else { 0 });
        for (at, value) in [(BATCH + 1_664 + 8 + 64 * self.below(4), verdict), (BATCH + 24, count)] {
            body.instruction(&Instruction::I32Const(at.cast_signed()));
            body.instruction(&Instruction::I32Const(value.cast_signed()));
            body.instruction(&Instruction::I32Store(memory()));
        }
        if has_result {
            body.instruction(&Instruction::LocalGet(local));
        }
        body.instruction(&Instruction::End);
        body
    }

    fn first_own(&self) -> u32 {
        u32::try_from(self.facts.functions.len()).unwrap_or(0)
    }

    fn first_type(&self) -> u32 {
        u32::try_from(self.facts.types.len()).unwrap_or(0)
    }
}

/// Memory 0, at a multiple of four.
fn memory() -> MemArg {
    MemArg { offset: 0, align: 2, memory_index: 0 }
}

/// An argument of that type.
#[allow(clippy::cast_possible_truncation, reason = "takes a random number apart")]
fn argument(of: wasmparser::ValType, number: u64, has_parameter: bool) -> Instruction<'static> {
    match of {
        wasmparser::ValType::I32 if has_parameter && number.is_multiple_of(2) => Instruction::LocalGet(0),
        wasmparser::ValType::I32 => Instruction::I32Const(number as i32),
        wasmparser::ValType::I64 => Instruction::I64Const(number.cast_signed()),
        wasmparser::ValType::F32 => Instruction::F32Const(f32::from_bits(number as u32).into()),
        wasmparser::ValType::F64 => Instruction::F64Const(f64::from_bits(number).into()),
        wasmparser::ValType::V128 => Instruction::V128Const(i128::from(number.cast_signed())),
        wasmparser::ValType::Ref(of) if of.is_func_ref() => Instruction::RefNull(wasm_encoder::HeapType::FUNC),
        wasmparser::ValType::Ref(_) => Instruction::RefNull(wasm_encoder::HeapType::EXTERN),
    }
}

impl Reencode for Wrapper {
    type Error = std::convert::Infallible;

    fn memory_type(&mut self, _: wasmparser::MemoryType) -> Result<MemoryType, Error<Self::Error>> {
        let minimum = PAGES.into();
        Ok(MemoryType { minimum, maximum: None, memory64: false, shared: false, page_size_log2: None })
    }

    fn parse_type_section(
        &mut self,
        types: &mut TypeSection,
        section: wasmparser::TypeSectionReader<'_>,
    ) -> Result<(), Error<Self::Error>> {
        utils::parse_type_section(self, types, section)?;
        types.ty().function([], [ValType::I32]);
        types.ty().function([ValType::I32], []);
        types.ty().function([ValType::I32], [ValType::I32]);
        types.ty().function([], []);
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Result<(), Error<Self::Error>> {
        utils::parse_function_section(self, functions, section)?;
        let first = self.first_type();
        for _ in numbers() {
            functions.function(first);
        }
        for (_, of) in CALLBACKS {
            functions.function(first + u32::try_from(of).unwrap_or(0));
        }
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        _: wasmparser::ExportSectionReader<'_>,
    ) -> Result<(), Error<Self::Error>> {
        exports.export("memory", ExportKind::Memory, 0);
        let names = numbers().map(|number| number.0);
        for (name, index) in names.into_iter().chain(CALLBACKS.map(|(name, _)| name)).zip(self.first_own()..) {
            exports.export(name, ExportKind::Func, index);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: wasmparser::CodeSectionReader<'_>,
    ) -> Result<(), Error<Self::Error>> {
        utils::parse_code_section(self, code, section)?;
        for Number(_, value) in numbers() {
            let mut body = Function::new([]);
            body.instruction(&Instruction::I32Const(value.cast_signed()));
            body.instruction(&Instruction::End);
            code.function(&body);
        }
        for (_, of) in CALLBACKS {
            let body = self.callback(matches!(of, 1 | 2), matches!(of, 0 | 2));
            code.function(&body);
        }
        Ok(())
    }
}
