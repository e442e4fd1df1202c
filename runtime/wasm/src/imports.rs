//! What a module may import: the host's own calls, and the functions of WASI.

use super::exports::type_text;
use super::wasi;
use perigee_abi::names;
use perigee_report::text;
use wasmtime::ExternType;

/// The host's own.
const OWN: [&str; 5] = [names::HOST_LOG, names::HOST_COUNTER, names::HOST_TIME, names::HOST_TELL, names::HOST_REGION];

/// Checks that the host offers all that a module imports.
///
/// # Errors
/// The text names the first import that is not offered, or not in this type.
pub(super) fn check(module: &wasmtime::Module) -> Result<(), String> {
    module.imports().try_for_each(|import| check_import(import.module(), import.name(), &import.ty()))
}

fn check_import(from: &str, name: &str, import: &ExternType) -> Result<(), String> {
    match from {
        // Their types are compared when the module is linked.
        names::HOST if OWN.contains(&name) => Ok(()),
        wasi::MODULE => match wasi::check(name, import) {
            Some(Ok(())) => Ok(()),
            Some(Err(wanted)) => {
                Err(format!("imports \"{from}\".\"{name}\" as {}, in WASI it is {wanted}", type_text(import)))
            }
            None => Err(not_offered(from, name)),
        },
        _ => Err(not_offered(from, name)),
    }
}

fn not_offered(from: &str, name: &str) -> String {
    let (from, name) = (text::line(from, text::NAME), text::line(name, text::NAME));
    let known = OWN.map(|n| format!("\"{}\".\"{n}\"", names::HOST));
    format!(
        "imports \"{from}\".\"{name}\", which the host does not offer. It offers {} and the functions of \"{}\" (WASI \
         preview 1, without files and network). A module defines its memory itself, and is a core module, no component \
         (docs/abi.md, \"Imports\")",
        known.join(", "),
        wasi::MODULE
    )
}
