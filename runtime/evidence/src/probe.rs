//! A module made ready to be looked into: its globals are exported, under names that no tool makes, so that the host reaches
//! them. Nothing else changes; the code is the same, byte by byte.

use perigee_report::Error;
use perigee_wasm::compile;
use perigee_wasm::instance::global_export;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use wasm_encoder::{ExportKind, ExportSection, RawSection, Section};
use wasmparser::{ExternalKind, Operator, Parser, Payload, TypeRef};

/// What is kept of a module for evidence.
#[derive(Clone)]
pub struct Probe {
    /// The module, binary, as it was before.
    pub wasm: Arc<[u8]>,
    /// SHA-256 of it.
    pub digest: [u8; 32],
    /// By how much the code lies further behind in the module that is compiled.
    pub shift: u64,
    /// Why a state of it cannot be written down and restored: an instruction changes tables or segments.
    pub unsnapshotable: Option<&'static str>,
}

/// Prepares a module, binary or text. Returns what shall be compiled.
///
/// # Errors
/// It is no module, or exports such a name itself.
pub fn prepare(name: &str, bytes: &[u8]) -> Result<(Vec<u8>, Probe), Error> {
    let refuse = |what: String| Error::Module { name: name.to_owned(), what };
    let wasm = compile::binary(bytes).map_err(refuse)?;
    let invalid = |e: wasmparser::BinaryReaderError| refuse(compile::invalid(&e));
    let (out, shift) = export_globals(&wasm).map_err(invalid)?;
    let unsnapshotable = find_unsnapshotable(&wasm).map_err(invalid)?;
    let probe = Probe { digest: Sha256::digest(&wasm).into(), wasm: Arc::from(wasm.as_ref()), shift, unsnapshotable };
    Ok((out, probe))
}

fn export_globals(wasm: &[u8]) -> Result<(Vec<u8>, u64), wasmparser::BinaryReaderError> {
    let mut module = wasm_encoder::Module::new();
    let (mut imported, mut defined, mut shift) = (0, 0, 0);
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        match &payload {
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    imported += u32::from(matches!(import?.ty, TypeRef::Global(_)));
                }
            }
            Payload::GlobalSection(globals) => defined = globals.count(),
            Payload::ExportSection(exports) => {
                let mut section = ExportSection::new();
                for export in exports.clone() {
                    let export = export?;
                    section.export(export.name, kind(export.kind), export.index);
                }
                let before = encoded_len(&section);
                for i in 0..defined {
                    section.export(&global_export(i as usize), ExportKind::Global, imported + i);
                }
                shift = encoded_len(&section).saturating_sub(before);
                module.section(&section);
                continue;
            }
            _ => {}
        }
        if let Some((id, range)) = payload.as_section() {
            let bounds = range.start..range.end;
            module.section(&RawSection { id, data: wasm.get(bounds).unwrap_or_default() });
        }
    }
    Ok((module.finish(), shift))
}

fn encoded_len(section: &ExportSection) -> u64 {
    let mut bytes = Vec::new();
    section.append_to(&mut bytes);
    bytes.len() as u64
}

fn kind(kind: ExternalKind) -> ExportKind {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Global => ExportKind::Global,
        ExternalKind::Tag => ExportKind::Tag,
    }
}

/// The first instruction whose effect is in no memory and no global of numbers.
fn find_unsnapshotable(wasm: &[u8]) -> Result<Option<&'static str>, wasmparser::BinaryReaderError> {
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::GlobalSection(globals) => {
                for global in globals {
                    let ty = global?.ty;
                    if ty.mutable && ty.content_type.is_reference_type() {
                        return Ok(Some("a mutable global that is a reference"));
                    }
                }
            }
            Payload::CodeSectionEntry(body) => {
                for operator in body.get_operators_reader()? {
                    let found = match operator? {
                        Operator::TableSet { .. } => "table.set",
                        Operator::TableGrow { .. } => "table.grow",
                        Operator::TableCopy { .. } => "table.copy",
                        Operator::TableFill { .. } => "table.fill",
                        Operator::TableInit { .. } => "table.init",
                        Operator::ElemDrop { .. } => "elem.drop",
                        Operator::DataDrop { .. } => "data.drop",
                        _ => continue,
                    };
                    return Ok(Some(found));
                }
            }
            _ => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn all_globals_are_exported_and_the_code_stays() {
        let text = r#"(module (global (mut i32) (i32.const 7)) (global (export "g") i64 (i64.const 8))
            (func (export "f") (result i32) global.get 0 drop unreachable))"#;
        let (out, probe) = prepare("m", text.as_bytes()).expect("a module");
        let code = |wasm: &[u8]| {
            let parts = Parser::new(0).parse_all(wasm).map(|p| p.expect("valid"));
            let code = parts.filter_map(|p| match p {
                Payload::CodeSectionEntry(body) => Some((body.range().start as u64, body.as_bytes().to_vec())),
                _ => None,
            });
            code.collect::<Vec<_>>()
        };
        let (old, new) = (code(&probe.wasm), code(&out));
        assert_eq!(old.len(), 1);
        assert_eq!(old[0].1, new[0].1);
        assert_eq!(new[0].0 - old[0].0, probe.shift);
        let exports = |wasm: &[u8]| {
            let parts = Parser::new(0).parse_all(wasm).map(|p| p.expect("valid"));
            let names = parts.filter_map(|p| match p {
                Payload::ExportSection(e) => Some(e.into_iter().map(|e| e.expect("valid").name.to_owned())),
                _ => None,
            });
            names.flatten().collect::<Vec<_>>()
        };
        assert_eq!(exports(&out), ["g", "f", &global_export(0), &global_export(1)]);
        assert!(probe.unsnapshotable.is_none());
        wasmparser::validate(&out).expect("valid");
    }

    #[test]
    fn what_no_snapshot_has_is_found() {
        for (body, found) in [
            ("(table.set 0 (i32.const 0) (ref.null func))", Some("table.set")),
            ("(data.drop 0)", Some("data.drop")),
            ("(memory.init 0 (i32.const 0) (i32.const 0) (i32.const 0))", None),
        ] {
            let text = format!(r#"(module (memory 1) (table 1 funcref) (data "x") (func {body}))"#);
            assert_eq!(prepare("m", text.as_bytes()).expect("a module").1.unsnapshotable, found, "{body}");
        }
    }
}
