//! Instructions, counted exactly: the same number on every run of the same binary, however noisy the machine is.

use crate::ffi::{self, Twin};
use crate::lab::{Lab, apart};
use crate::pieces::{BURST, CHAINS, NOP, load, setup};
use crate::report::{self, Instructions};
use crate::sdk;
use anyhow::{Result, ensure};
use perigee_runtime::bench::Loop;

/// Longer than all takes: a tick or a deadline in the middle would be counted too.
const TICK: &str = "10s";

/// What was counted.
#[derive(Default)]
struct Counts(Vec<Instructions>);

impl Counts {
    /// Counts one piece of the work on a burst.
    fn add(&mut self, (work, piece): (&str, &str), mut run: impl FnMut()) -> Result<()> {
        let empty = ffi::count_steps(|| {})?;
        // The first time may bind a shared library's function.
        run();
        let counts = [ffi::count_steps(&mut run)?, ffi::count_steps(&mut run)?];
        ensure!(counts[0] == counts[1], "{work} {piece} takes {counts:?} instructions");
        let instructions = counts[0] - empty;
        self.0.push(Instructions {
            work: work.to_owned(),
            burst: BURST,
            piece: piece.to_owned(),
            burst_instructions: instructions,
            per_packet: report::round(instructions as f64 / f64::from(BURST)),
        });
        Ok(())
    }
}

/// Counts the pieces of each work.
pub(crate) fn count(lab: &mut Lab) -> Result<Vec<Instructions>> {
    println!("\nInstructions of one burst of {BURST}, and by packet");
    let mut counts = Counts::default();
    apart(|| pieces(lab, &mut counts))?;
    for case in &sdk::CASES {
        sdk::compare(lab, case)?;
        apart(|| beside_raw(lab, case, &mut counts))?;
    }
    for i in &counts.0 {
        println!("{:<13} {:<14} {:>7} {:>8.2}", i.work, i.piece, i.burst_instructions, i.per_packet);
    }
    Ok(counts.0)
}

fn pieces(lab: &mut Lab, counts: &mut Counts) -> Result<()> {
    let mut on = setup(lab, TICK).start(&lab.root)?;
    load(&mut on)?;
    let n = usize::from(BURST);
    counts.add(("nothing", "crossing"), || on.call(NOP, n))?;
    for (chain, (work, name)) in CHAINS.into_iter().enumerate() {
        let mut twin = Twin::new(work, BURST, 0);
        counts.add((name, "publish"), || on.publish(chain))?;
        counts.add((name, "call"), || on.call(chain, n))?;
        counts.add((name, "collect"), || on.collect(chain))?;
        counts.add((name, "twin's kernel"), || {
            twin.kernel(&mut on, chain, 1);
        })?;
    }
    (0..=NOP).for_each(|chain| on.unload(chain));
    lab.finish(on)
}

/// The call of udp-gen, and of the module that does the same on raw pointers.
fn beside_raw(lab: &mut Lab, case: &sdk::Case, counts: &mut Counts) -> Result<()> {
    let mut on: Loop = sdk::setup(lab, case, TICK).start(&lab.root)?;
    sdk::load(&mut on)?;
    for (chain, piece) in [(sdk::SDK, "SDK's call"), (sdk::RAW, "raw call")] {
        counts.add((case.name, piece), || on.call(chain, sdk::BURST.into()))?;
    }
    sdk::unload(&mut on);
    lab.finish(on)
}
