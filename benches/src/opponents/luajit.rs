//! LuaJIT with FFI structs, as MoonGen's scripts are written, on the ports and pools of the loop that it takes turns with.

use super::ffi::{Lua, name};
use super::{BURST, CASES, Case};
use crate::ffi::Twin;
use crate::lab::Lab;
use crate::quiet::{SLICE, Samples, Side};
use crate::report::{self, Measurement};
use crate::works::polls;
use anyhow::{Context, Result};
use perigee_runtime::bench::Loop;
use std::sync::Mutex;

/// Bursts before it is measured: LuaJIT compiles what runs often.
const WARM: u32 = 2_000;

pub(super) fn measure(lab: &mut Lab) -> Result<()> {
    println!("{}", report::head("LuaJIT as MoonGen's scripts have it, and C: a module beside each"));
    let script = lab.root.join("benches/moongen.lua");
    let script = std::fs::read_to_string(&script).with_context(|| format!("{}", script.display()))?;
    if let Err(why) = Lua::new(&script) {
        println!("LuaJIT is not here, so its rows are missing: {why:#}");
        return Ok(());
    }
    for case in &CASES {
        let figures = lab.measure(|lab| one(lab, case, &script))?;
        let [module, twin, lua] = figures[..] else { continue };
        let row = |variant| Measurement::new((case.name, "net_null", BURST, variant), module);
        let (times, more) = case.beside_c;
        lab.add(row("module : c").beside(twin).aim(times, more));
        lab.add(row("module : luajit").beside(lua).twin_in("luajit").aim(case.beside_lua, 0.0));
    }
    Ok(())
}

fn one(lab: &mut Lab, case: &Case, script: &str) -> Result<Vec<Samples>> {
    let mut on = case.setup(lab).start(&lab.root)?;
    let mut lua = Lua::new(script)?;
    let (mut twin, work) = (Twin::new(case.work, BURST, 0), name(case.name)?);
    lua.run(&mut on, 0, &work, WARM)?;
    let bursts = SLICE / u32::from(BURST);
    // A side cannot fail; what does is told behind the comparison.
    let failed = Mutex::new(None);
    let sides: Vec<Side<'_, Loop>> = vec![
        Box::new(|on: &mut Loop| polls(on, 0, bursts)),
        Box::new(|on| twin.run(on, 0, bursts)),
        Box::new(|on| {
            lua.run(on, 0, &work, bursts).unwrap_or_else(|why| {
                *failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(why);
                0
            })
        }),
    ];
    let samples = lab.compare(&mut on, sides);
    if let Some(why) = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(why);
    }
    let samples = samples?;
    drop(lua);
    lab.finish(on)?;
    Ok(samples)
}
