//! Instructions, counted exactly: the same number on every run of the same binary, however noisy the machine is.

use crate::ffi::{self, Twin};
use crate::lab::{Lab, apart};
use crate::pieces::{BURST, CHAINS, NOP, load, setup};
use crate::report::{self, Instructions};
use anyhow::{Result, ensure};
use perigee_runtime::bench::Loop;

/// Counts the pieces of each work.
pub(crate) fn count(lab: &mut Lab) -> Result<Vec<Instructions>> {
    println!("\nInstructions of one burst of {BURST}, and by packet");
    let mut all = Vec::new();
    apart(|| pieces(lab, &mut all))?;
    for i in &all {
        println!("{:<11} {:<14} {:>7} {:>8.2}", i.work, i.piece, i.burst_instructions, i.per_packet);
    }
    Ok(all)
}

fn pieces(lab: &mut Lab, all: &mut Vec<Instructions>) -> Result<()> {
    // A tick or a deadline in the middle would be counted too.
    let mut on = setup(lab, "10s").start(&lab.root)?;
    load(&mut on)?;
    let n = usize::from(BURST);
    let empty = ffi::count_steps(|| {})?;
    let mut add = |work: &str, piece: &str, on: &mut Loop, run: &mut dyn FnMut(&mut Loop)| -> Result<()> {
        // The first time may bind a shared library's function.
        run(on);
        let counts = [ffi::count_steps(|| run(on))?, ffi::count_steps(|| run(on))?];
        ensure!(counts[0] == counts[1], "{work} {piece} takes {counts:?} instructions");
        let instructions = counts[0] - empty;
        all.push(Instructions {
            work: work.to_owned(),
            burst: BURST,
            piece: piece.to_owned(),
            burst_instructions: instructions,
            per_packet: report::round(instructions as f64 / f64::from(BURST)),
        });
        Ok(())
    };
    add("nothing", "crossing", &mut on, &mut |on| on.call(NOP, n))?;
    for (chain, (work, name)) in CHAINS.into_iter().enumerate() {
        let mut twin = Twin::new(work, BURST, 0);
        add(name, "publish", &mut on, &mut |on| on.publish(chain))?;
        add(name, "call", &mut on, &mut |on| on.call(chain, n))?;
        add(name, "collect", &mut on, &mut |on| on.collect(chain))?;
        add(name, "twin's kernel", &mut on, &mut |on| {
            twin.kernel(on, chain, 1);
        })?;
    }
    (0..=NOP).for_each(|chain| on.unload(chain));
    lab.finish(on)
}
