//! From a module's bytes to native code: parsing, counting, compiling. All of it works on bytes that nobody has checked, so a
//! run does it in a child process (`perigee-load`).

use super::source;
use perigee_report::text;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Display;
use std::hash::{Hash, Hasher};
use wasmparser::{Parser, Payload};
use wasmtime::Engine;

/// Native code, as the engine reads it again.
#[derive(Clone, PartialEq, Eq)]
pub struct Native {
    /// The engine's own format.
    pub code: Vec<u8>,
    /// Bytes of the binary module that it was made of.
    pub wasm_len: u64,
}

impl std::fmt::Debug for Native {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes of code", self.code.len())
    }
}

/// Most of each thing that one module may have. The largest modules known to work, from Go's compiler, have a tenth.
const MOST: &[(&str, u64)] = &[
    ("types", 10_000),
    ("imports", 1_000),
    ("functions", 50_000),
    ("tables", 10),
    ("memories", 1),
    ("globals", 10_000),
    ("exports", 5_000),
    ("element segments", 10_000),
    ("data segments", 50_000),
];
/// Most locals of one function, and bytes of its code.
const MOST_LOCALS: u64 = 10_000;
const MOST_BODY: usize = 1 << 20;

/// Compiles a module from its bytes, binary or text.
///
/// # Errors
/// The text says what is wrong with the module.
pub fn translate(engine: &Engine, bytes: &[u8]) -> Result<Native, String> {
    let wasm = binary(bytes)?;
    if Parser::is_component(&wasm) {
        return Err("is a component: a core module is needed (docs/abi.md, \"Imports\")".to_owned());
    }
    check_counts(&wasm)?;
    let code =
        engine.precompile_module(&wasm).map_err(|e| format!("does not compile: {}", report(&format_args!("{e:#}"))))?;
    Ok(Native { code, wasm_len: u64::try_from(wasm.len()).unwrap_or(u64::MAX) })
}

/// A module as binary, whether it came as binary or as text.
///
/// # Errors
/// It is neither: where and why.
pub fn binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    wat::parse_bytes(bytes).map_err(|e| format!("not a WebAssembly module: {}", source::told(&e, bytes)))
}

/// Why the bytes are no module.
pub fn invalid(error: &wasmparser::BinaryReaderError) -> String {
    format!("not a WebAssembly module: {}", report(error))
}

/// What a library says of a module, with the module's own names in it.
fn report(error: &dyn Display) -> String {
    text::line(&error, text::REPORT)
}

/// Reads no more than the heads of the sections: what costs more than its bytes is refused before anybody works on it.
fn check_counts(wasm: &[u8]) -> Result<(), String> {
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|e| invalid(&e))?;
        let (what, count) = match &payload {
            Payload::TypeSection(s) => {
                // A group counts as one in the section's head, and may have any number of types.
                let groups = s.clone().into_iter().map(|group| group.map_or(0, |group| group.types().len()));
                ("types", u32::try_from(groups.sum::<usize>()).unwrap_or(u32::MAX))
            }
            Payload::ImportSection(s) => {
                ("imports", u32::try_from(s.clone().into_imports().count()).unwrap_or(u32::MAX))
            }
            Payload::FunctionSection(s) => ("functions", s.count()),
            Payload::TableSection(s) => ("tables", s.count()),
            Payload::MemorySection(s) => ("memories", s.count()),
            Payload::GlobalSection(s) => ("globals", s.count()),
            Payload::ExportSection(s) => ("exports", s.count()),
            Payload::ElementSection(s) => ("element segments", s.count()),
            Payload::DataSection(s) => ("data segments", s.count()),
            Payload::CodeSectionEntry(body) => {
                check_body(body)?;
                continue;
            }
            _ => continue,
        };
        check(what, count.into())?;
    }
    Ok(())
}

fn check(what: &str, count: u64) -> Result<(), String> {
    let most = MOST.iter().find(|(name, _)| *name == what).map_or(u64::MAX, |(_, most)| *most);
    if count <= most { Ok(()) } else { Err(format!("has {count} {what}, at most {most} are taken")) }
}

fn check_body(body: &wasmparser::FunctionBody<'_>) -> Result<(), String> {
    let len = body.as_bytes().len();
    if len > MOST_BODY {
        return Err(format!("has a function of {len} bytes, at most {MOST_BODY} are taken: split it"));
    }
    let wrong = |e: wasmparser::BinaryReaderError| invalid(&e);
    let mut locals = 0_u64;
    for group in body.get_locals_reader().map_err(wrong)? {
        locals = locals.saturating_add(group.map_err(wrong)?.0.into());
    }
    if locals > MOST_LOCALS {
        return Err(format!("has a function with {locals} locals, at most {MOST_LOCALS} are taken"));
    }
    Ok(())
}

/// What decides whether an engine can run code that another one has made: its version, settings and target, as a digest.
pub fn engine_digest(engine: &Engine) -> [u8; 32] {
    /// Feeds a digest with what a hash would be made of.
    struct Feed(Sha256);

    impl Hasher for Feed {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            0
        }
    }

    let mut feed = Feed(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut feed);
    feed.0.finalize().into()
}

/// The code as a module of this engine.
///
/// # Errors
/// Where the code was made by another version of the engine or with other settings.
#[allow(
    unsafe_code,
    reason = "native code is trusted: it comes from our compiler, or from a cache that only we can write"
)]
pub fn revive(engine: &Engine, native: &Native) -> Result<wasmtime::Module, String> {
    // SAFETY:
    // - the bytes were made by `translate`, in this process or in the compile server that it started, and came back through
    //   a socket that no other process has, or through a file whose authentication code was right.
    let module = unsafe { wasmtime::Module::deserialize(engine, &native.code) };
    module.map_err(|e| format!("its compiled code does not fit this engine: {}", report(&format_args!("{e:#}"))))
}

#[cfg(test)]
mod test {
    use super::*;

    fn refused(text: &str) -> String {
        let (engine, _ticker) = crate::engine::new().expect("an engine");
        translate(&engine, text.as_bytes()).expect_err("it is too much of something")
    }

    #[test]
    fn too_much_of_anything_is_refused_by_its_name() {
        let many = |item: &str, n: usize| format!("(module {})", item.repeat(n));
        let names = |n: usize| (0..n).map(|i| format!("(export \"e{i}\" (func 0))")).collect::<String>();
        let types = (0..10_001).map(|_| "(type (func (param i32 i64)))").collect::<String>();
        for (text, said) in [
            (format!("(module (rec {types}))"), "types"),
            (format!("(module {types})"), "10001 types, at most 10000"),
            (many("(import \"a\" \"b\" (func))", 1_001), "1001 imports, at most 1000"),
            (many("(func)", 50_001), "50001 functions"),
            (many("(table 1 funcref)", 11), "11 tables, at most 10"),
            (many("(memory 1)", 2), "2 memories, at most 1"),
            (many("(global i32 (i32.const 1))", 10_001), "10001 globals"),
            (format!("(module (func) {})", names(5_001)), "5001 exports"),
            (many("(elem func)", 10_001), "10001 element segments"),
            (format!("(module (memory 1) {})", "(data \"\")".repeat(50_001)), "50001 data segments"),
            (format!("(module (func (local {})))", "i32 ".repeat(10_001)), "10001 locals"),
            (many(&format!("(func {})", "(drop (i32.const 1))".repeat(400_000)), 1), "function of"),
        ] {
            let what = refused(&text);
            assert!(what.contains(said), "{said}: {what}");
        }
    }

    #[test]
    fn code_of_one_engine_runs_in_its_twin() {
        let ((one, _), (other, _)) = (crate::engine::new().expect("one"), crate::engine::new().expect("two"));
        assert_eq!(engine_digest(&one), engine_digest(&other));
        let native = translate(&one, b"(module (func (export \"f\")))").expect("compiles");
        assert_eq!(revive(&other, &native).expect("is read").exports().count(), 1);
    }
}
