//! What one more stage costs, and one hop over a ring between two chains of an lcore.

use crate::ffi::{Twin, Work};
use crate::lab::{Lab, Setup};
use crate::quiet::{Figures, SLICE, Samples, Side};
use crate::report::{self, Measurement};
use crate::works::{generator_config, polls};
use anyhow::{Result, ensure};
use perigee_runtime::bench::Loop;

const BURST: u16 = 64;
/// A generator, then so many stages: chains of 1, 2, 4 and 8 modules.
const STAGES: [(&str, usize); 4] = [("stage:+0", 0), ("stage:+1", 1), ("stage:+3", 3), ("stage:+7", 7)];
/// Numbers of the chains on both ends of the ring.
const TO_RING: usize = 4;
const FROM_RING: usize = 5;
/// And of those whose calls are measured alone: the stage's, and that of a module that does nothing.
const PASS: usize = 6;
const NOP: usize = 7;
/// What one more stage may cost beside the guest's own loop, and one hop over a ring.
const STAGE: f64 = 3.0;
const HOP: f64 = 3.5;

/// Measures chains of different length.
pub(crate) fn measure(lab: &mut Lab) -> Result<()> {
    println!(
        "{}",
        report::head("Longer ways: stages that pass everything on, and a ring to another chain of the lcore")
    );
    let figures = lab.measure(all)?;
    tell(lab, &figures);
    Ok(())
}

fn all(lab: &mut Lab) -> Result<Vec<Samples>> {
    let mut setup = Setup::new(lab, BURST, "1ms")
        .port("net_null0")
        .ring("hop")
        .module("udp-gen", generator_config(Work::Template))
        .own_module("pass")
        .own_module("to-ring")
        .own_module("nop");
    for (_, stages) in STAGES {
        setup = setup.generate("udp-gen", &vec!["pass"; stages], "net_null0");
    }
    let setup = setup.generate("udp-gen", &["to-ring"], "net_null0").behind_ring("hop", "net_null0");
    let setup = setup.port("net_null1").receive("net_null1", &["pass"]);
    let mut on = setup.port("net_null2").receive("net_null2", &["nop"]).start(&lab.root)?;
    for chain in [PASS, NOP] {
        ensure!(on.load(chain, BURST.into()) == usize::from(BURST), "a chain has no packets");
    }
    let times = SLICE / u32::from(BURST);
    let mut twin = Twin::new(Work::Template, BURST, 0);
    let mut sides: Vec<Side<'_, Loop>> = vec![Box::new(|on| twin.run(on, 0, times))];
    for chain in 0..STAGES.len() {
        sides.push(Box::new(move |on| polls(on, chain, times)));
    }
    sides.push(Box::new(|on| {
        let there_and_back = |_| {
            on.poll(TO_RING);
            on.poll(FROM_RING) as u64
        };
        (0..times).map(there_and_back).sum()
    }));
    for chain in [PASS, NOP] {
        sides.push(Box::new(move |on| {
            (0..times).for_each(|_| on.call(chain, BURST.into()));
            u64::from(times) * u64::from(BURST)
        }));
    }
    let samples = lab.compare(&mut on, sides)?;
    [PASS, NOP].into_iter().for_each(|chain| on.unload(chain));
    lab.finish(on)?;
    Ok(samples)
}

fn tell(lab: &mut Lab, figures: &[Figures]) {
    let what = |variant| ("template", "net_null", BURST, variant);
    let (twin, chains) = (figures[0], &figures[1..]);
    for (figure, (variant, _)) in chains.iter().zip(STAGES) {
        lab.add(Measurement::new(what(variant), *figure).beside(twin));
    }
    let (hop, own) = (chains[TO_RING], chains[PASS - 1].cycles - chains[NOP - 1].cycles);
    lab.add(Measurement::new(what("ring:+1"), hop).beside(twin));
    let quiet = chains.iter().map(|f| f.quiet_slices).min().unwrap_or(0);
    let (_, more) = STAGES[STAGES.len() - 1];
    let each = (chains[STAGES.len() - 1].cycles - chains[0].cycles) / more as f64;
    lab.add(Measurement::derived(what("price:stage"), each, quiet));
    lab.add(Measurement::derived(what("price:stage's loop"), own, quiet));
    lab.add(Measurement::derived(what("price:stage beside it"), each - own, quiet).aim_at(STAGE));
    lab.add(Measurement::derived(what("price:ring"), hop.cycles - chains[1].cycles, quiet).aim_at(HOP));
}
