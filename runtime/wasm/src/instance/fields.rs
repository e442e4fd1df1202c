//! Machine code for what a generator varies, in its table.

use super::{Instance, Refusal};
use crate::compile::{Native, revive};
use crate::fields::{FUNCTION, Program};
use crate::module::tell_profile;
use perigee_abi::names;
use perigee_report::ModuleInfo;
use wasmtime::{Extern, Ref};

impl Instance {
    /// Asks a module for the plan of what it varies; nothing where it has none, or nothing to compile.
    ///
    /// # Errors
    /// [`Refusal::No`] says why it cannot be compiled, the others as for any call.
    pub fn plan(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        let Ok(f) = self.instance.get_typed_func::<(), i32>(&mut self.store, names::FIELDS) else { return Ok(None) };
        let answer = self.control_call(|store| f.call(store, ()));
        let answer = answer.map_err(|e| Refusal::Trap(self.trapped(names::FIELDS, &e)))?;
        if answer < 0 {
            return Err(Refusal::No(self.words(answer.unsigned_abs() as usize)));
        }
        let n = self.answer(names::FIELDS, answer)?;
        Ok(Some(self.mailbox.read(n)).filter(|plan| !plan.is_empty()))
    }

    /// Puts what was made of its plan, and compiled, into its table. In profiles it is a function of its module, `of`.
    ///
    /// # Errors
    /// The module exports no table, or its table has no such place.
    pub fn link(&mut self, of: &ModuleInfo, program: &Program, native: &Native) -> Result<(), String> {
        let store = &mut self.store;
        let table = self.instance.get_table(&mut *store, names::TABLE).ok_or_else(|| {
            format!("exports no table \"{}\": link it with --export-table (docs/field-engine.md)", names::TABLE)
        })?;
        let module = revive(store.engine(), native)?;
        tell_profile(&of.name, &of.origin.sha256, &module);
        let said = |e: wasmtime::Error| format!("its compiled fields do not start: {e:#}");
        let imports = [Extern::Memory(self.memory), Extern::Table(table)];
        let imports = &imports[..if program.calls { 2 } else { 1 }];
        let made = wasmtime::Instance::new(&mut *store, &module, imports).map_err(said)?;
        let function = made.get_func(&mut *store, FUNCTION).ok_or("its compiled fields have no function")?;
        table.set(&mut *store, program.slot.into(), Ref::Func(Some(function))).map_err(said)
    }
}
