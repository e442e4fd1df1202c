//! The works beside native twins: C and Rust on the pool and port of the loop that they take turns with, C on ordinary mbufs; and
//! LuaJIT with FFI structs, as MoonGen's scripts are written, on the same pool and port.

use super::ffi::{Lua, name};
use super::{BURST, CASES, Case};
use crate::ffi::Twin;
use crate::lab::Lab;
use crate::plain::Plain;
use crate::quiet::{Figures, SLICE, Samples, Side};
use crate::report::{self, Measurement, Moment};
use crate::rust_twin::RustTwin;
use crate::works::polls;
use anyhow::{Context, Result};
use perigee_runtime::bench::Loop;
use std::sync::Mutex;

/// Bursts before it is measured: LuaJIT compiles what runs often.
const WARM: u32 = 2_000;
/// Rooms of the ordinary pool: as many as the loop's.
const ROOMS: u32 = 2_047;
/// By how many percent medians of a loop's starts may differ.
const APART: f64 = 5.0;

pub(super) fn measure(lab: &mut Lab) -> Result<()> {
    println!(
        "{}",
        report::head("A module beside C, Rust, C on ordinary mbufs, and LuaJIT as MoonGen's scripts have it")
    );
    let script = lab.root.join("benches/moongen.lua");
    let script = std::fs::read_to_string(&script).with_context(|| format!("{}", script.display()))?;
    let is_here = Lua::new(&script);
    if let Err(why) = &is_here {
        println!("LuaJIT is not here, so its rows are missing: {why:#}");
    }
    let script = is_here.is_ok().then_some(script.as_str());
    let mut apart = Vec::new();
    for case in &CASES {
        let figures = lab.measure(|lab| one(lab, case, script))?;
        apart.extend(figures[0].starts_apart);
        tell(lab, case, &figures);
    }
    if !apart.is_empty() {
        let what = "cycles of the works' modules, their slowest start above their fastest";
        let moment = Moment::new(what, "%", apart).aim_of_worst(APART);
        println!("{}", moment.line());
        lab.moments.push(moment);
    }
    Ok(())
}

fn tell(lab: &mut Lab, case: &Case, figures: &[Figures]) {
    let [module, c, rust, plain, ref lua @ ..] = *figures else { return };
    let row = |variant| Measurement::new((case.name, "net_null", BURST, variant), module);
    let (times, more) = case.beside_c;
    lab.add(row("module : c").beside(c).aim(times, more));
    lab.add(row("module : rust").beside(rust).twin_in("rust").aim(times, more));
    lab.add(row("module : c, mbufs").beside(plain).twin_in("c, mbufs"));
    if let [lua] = lua {
        lab.add(row("module : luajit").beside(*lua).twin_in("luajit").aim(case.beside_lua, 0.0));
    }
}

fn one(lab: &mut Lab, case: &Case, script: Option<&str>) -> Result<Vec<Samples>> {
    let mut on = case.setup(lab).start(&lab.root)?;
    let plain = Plain::open(&lab.new_device("net_null_plain"), ROOMS)?;
    let mut lua = script.map(Lua::new).transpose()?;
    let work = name(case.name)?;
    if let Some(lua) = &mut lua {
        lua.run(&mut on, 0, &work, WARM)?;
    }
    let mut twins = [(); 2].map(|()| Twin::new(case.work, BURST, 0));
    let [twin, ordinary] = &mut twins;
    let mut rust = RustTwin::new(case.work, BURST, 0);
    let bursts = SLICE / u32::from(BURST);
    // A side cannot fail; what does is told behind the comparison.
    let failed = Mutex::new(None);
    let mut sides: Vec<Side<'_, Loop>> = vec![
        Box::new(|on: &mut Loop| polls(on, 0, bursts)),
        Box::new(|on| twin.run(on, 0, bursts)),
        Box::new(|on| rust.run(on, 0, bursts)),
        Box::new(|_| ordinary.run_plain(&plain, bursts)),
    ];
    if let Some(lua) = &mut lua {
        sides.push(Box::new(|on| {
            lua.run(on, 0, &work, bursts).unwrap_or_else(|why| {
                *failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(why);
                0
            })
        }));
    }
    let samples = lab.compare(&mut on, sides);
    if let Some(why) = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(why);
    }
    let samples = samples?;
    drop(lua);
    plain.close()?;
    lab.finish(on)?;
    Ok(samples)
}
