//! What a module exports must be what the ABI asks for, by kind and type.

use super::limits::Limits;
use perigee_abi::names;
use wasmtime::{ExternType, FuncType, Mutability, ValType};

/// Callbacks with one length or count as parameter and, where `true`, a result.
const CALLBACKS: &[(&str, bool, bool)] = &[
    (names::INIT, true, true),
    (names::PREFILL, true, false),
    (names::GENERATE, true, false),
    (names::PROCESS, true, false),
    (names::TICK, false, false),
    (names::MESSAGE, true, true),
    (names::SAVE, false, true),
    (names::RESTORE, true, true),
    (names::FIELDS, false, true),
];

/// Checks the types of all exports that the ABI names; returns the callbacks that are there.
pub(super) fn check_exports(module: &wasmtime::Module, limits: Limits) -> Result<Vec<String>, String> {
    check_memory(module, limits)?;
    for name in [names::ABI, names::BATCH, names::WINDOW, names::WINDOW_LEN] {
        if module.get_export(name).is_none() {
            return Err(format!(
                "export \"{name}\" is missing: it must be an immutable i32 global or a function () -> i32 (docs/abi.md, \
                 \"Exports\"); modules made with an SDK have it"
            ));
        }
    }
    let optional =
        [names::MAILBOX, names::MAILBOX_LEN, names::SPARES, names::STATE_VERSION, names::STATE, names::STATE_LEN];
    for name in [names::ABI, names::BATCH, names::WINDOW, names::WINDOW_LEN].into_iter().chain(optional) {
        if let Some(export) = module.get_export(name) {
            check_number(name, &export)?;
        }
    }
    let mut callbacks = Vec::new();
    for &(name, parameter, result) in CALLBACKS {
        if let Some(export) = module.get_export(name) {
            check_callback(name, &export, parameter, result)?;
            callbacks.push(name.to_owned());
        }
    }
    if !callbacks.iter().any(|c| c == names::PROCESS || c == names::GENERATE) {
        return Err("exports neither \"process\" nor \"generate\": it could do nothing with a packet".to_owned());
    }
    Ok(callbacks)
}

fn check_memory(module: &wasmtime::Module, limits: Limits) -> Result<(), String> {
    let Some(ExternType::Memory(memory)) = module.get_export(names::MEMORY) else {
        return Err("exports no memory named \"memory\"".to_owned());
    };
    if memory.is_64() || memory.is_shared() {
        return Err("its memory is 64-bit or shared: a plain 32-bit memory is needed".to_owned());
    }
    let bytes = memory.minimum() * 65_536;
    if bytes > limits.memory {
        return Err(format!(
            "its memory starts with {} MiB, it is granted {} MiB: raise the module's `memory`, or declare a smaller window",
            bytes.div_ceil(1 << 20),
            limits.memory >> 20
        ));
    }
    Ok(())
}

fn check_number(name: &str, export: &ExternType) -> Result<(), String> {
    let good = match export {
        ExternType::Global(g) => g.content().is_i32() && g.mutability() == Mutability::Const,
        ExternType::Func(f) => f.params().len() == 0 && is_i32_result(f),
        _ => false,
    };
    if good {
        return Ok(());
    }
    Err(format!(
        "export \"{name}\" is {}, it must be an immutable i32 global or a function () -> i32",
        type_text(export)
    ))
}

fn is_i32_result(f: &FuncType) -> bool {
    f.results().len() == 1 && f.results().all(|r| r.is_i32())
}

fn check_callback(name: &str, export: &ExternType, parameter: bool, result: bool) -> Result<(), String> {
    let good = export.func().is_some_and(|f| {
        let params = f.params().len() == usize::from(parameter) && f.params().all(|p| p.is_i32());
        let results = if result { is_i32_result(f) } else { f.results().len() == 0 };
        params && results
    });
    if good {
        return Ok(());
    }
    let wanted = format!("({}) -> {}", if parameter { "i32" } else { "" }, if result { "i32" } else { "()" });
    Err(format!("export \"{name}\" is {}, it must be a function {wanted}", type_text(export)))
}

pub(super) fn type_text(t: &ExternType) -> String {
    let list = |types: &mut dyn Iterator<Item = ValType>| types.map(|t| t.to_string()).collect::<Vec<_>>().join(", ");
    match t {
        ExternType::Func(f) => {
            let results = list(&mut f.results());
            let results = if results.is_empty() { "()".to_owned() } else { results };
            format!("a function ({}) -> {results}", list(&mut f.params()))
        }
        ExternType::Global(g) => {
            let kind = if g.mutability() == Mutability::Var { "a mutable" } else { "an immutable" };
            format!("{kind} {} global", g.content())
        }
        ExternType::Memory(_) => "a memory".to_owned(),
        ExternType::Table(_) => "a table".to_owned(),
        ExternType::Tag(_) => "a tag".to_owned(),
    }
}
