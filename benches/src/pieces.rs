//! A burst taken apart: what its way through one module costs, piece by piece, beside the twin's kernel on the same mbufs.

use crate::ffi::{Twin, Work};
use crate::lab::{Lab, Setup};
use crate::opponents::EPOCHS;
use crate::quiet::{Figures, SLICE, Samples, Side};
use crate::report::{self, Measurement};
use crate::works::{generator_config, polls};
use anyhow::{Result, ensure};
use perigee_runtime::bench::Loop;

pub(crate) const BURST: u16 = 64;
/// The works, by their chains' numbers; the chain behind them has a module that does nothing.
pub(crate) const CHAINS: [(Work, &str); 3] =
    [(Work::Template, "template"), (Work::TwoFields, "two-fields"), (Work::MacSwap, "mac-swap")];
pub(crate) const NOP: usize = 3;
/// And one behind that, whose verdicts are of two kinds.
pub(crate) const MIXED: usize = 4;

/// What publish, crossing and collect may take of a packet; and what safety may, of the whole of this work.
const BOUNDARY: f64 = 3.0;
const SAFETY: f64 = 0.05;
const SAFE: &str = "two-fields";

/// Chains for all works, one with an empty module, and one with mixed verdicts.
pub(crate) fn setup(lab: &Lab, tick: &str) -> Setup {
    Setup::new(lab, BURST, tick)
        .port("net_null0")
        .port("net_null1")
        .port("net_null2")
        .port("net_null3")
        .module("udp-gen:template", generator_config(Work::Template))
        .module("udp-gen:two-fields", generator_config(Work::TwoFields))
        .module("reflector", "")
        .own_module("nop")
        .own_module("mixed")
        .generate("udp-gen:template", &[], "net_null0")
        .generate("udp-gen:two-fields", &[], "net_null0")
        .receive("net_null1", &["reflector"])
        .receive("net_null2", &["nop"])
        .receive("net_null3", &["mixed"])
}

/// Loads a burst into each chain.
pub(crate) fn load(on: &mut Loop) -> Result<()> {
    for chain in 0..=NOP {
        let n = on.load(chain, BURST.into());
        ensure!(n == usize::from(BURST), "chain {chain} got {n} packets");
        // Verdicts are there from now on.
        on.call(chain, n);
    }
    Ok(())
}

/// What looks at the epoch cost that work, where the other decisions were measured before.
fn epochs(lab: &Lab) -> Option<f64> {
    let row = lab.results.iter().find(|row| row.part == "opponents" && row.work == SAFE && row.variant == EPOCHS)?;
    Some((row.cycles - row.twin_cycles?).max(0.0))
}

/// Measures the pieces of each work.
pub(crate) fn measure(lab: &mut Lab) -> Result<()> {
    println!("{}", report::head("A burst taken apart"));
    for (chain, (work, name)) in CHAINS.into_iter().enumerate() {
        let figures = lab.measure(|lab| one(lab, chain, work))?;
        tell(lab, name, &pieces(figures)?);
    }
    Ok(())
}

/// The figures of one work.
struct Pieces {
    poll: Figures,
    twin: Figures,
    shared: Figures,
    publish: Figures,
    call: Figures,
    crossing: Figures,
    collect: Figures,
    kernel: Figures,
}

fn one(lab: &mut Lab, chain: usize, work: Work) -> Result<Vec<Samples>> {
    let mut on = setup(lab, "1ms").start(&lab.root)?;
    load(&mut on)?;
    let samples = take_apart(lab, &mut on, chain, work)?;
    (0..=NOP).for_each(|chain| on.unload(chain));
    lab.finish(on)?;
    Ok(samples)
}

fn take_apart(lab: &Lab, on: &mut Loop, chain: usize, work: Work) -> Result<Vec<Samples>> {
    let times = SLICE / u32::from(BURST);
    let packets = u64::from(times) * u64::from(BURST);
    let repeat = |mut piece: Box<dyn FnMut(&mut Loop)>| -> Side<'_, Loop> {
        Box::new(move |on| {
            (0..times).for_each(|_| piece(on));
            packets
        })
    };
    let receives = work == Work::MacSwap;
    let new = |work| Twin::new(work, BURST, usize::from(receives));
    let (mut twin, mut kernel, mut bare) = (new(work), new(work), new(Work::Nothing));
    let n = usize::from(BURST);
    lab.compare(
        on,
        vec![
            Box::new(|on: &mut Loop| polls(on, chain, times)),
            Box::new(|on| twin.run(on, chain, times)),
            Box::new(|on| if receives { bare.run(on, chain, times) } else { bare.floor(on, chain, times) }),
            repeat(Box::new(move |on| on.publish(chain))),
            repeat(Box::new(move |on| on.call(chain, n))),
            repeat(Box::new(move |on| on.call(NOP, n))),
            repeat(Box::new(move |on| on.collect(chain))),
            Box::new(|on| kernel.kernel(on, chain, times)),
        ],
    )
}

/// Names the sides of [`take_apart`].
fn pieces(figures: Vec<Figures>) -> Result<Pieces> {
    let [poll, twin, shared, publish, call, crossing, collect, kernel] =
        <[Figures; 8]>::try_from(figures).map_err(|_| anyhow::anyhow!("eight sides have eight figures"))?;
    Ok(Pieces { poll, twin, shared, publish, call, crossing, collect, kernel })
}

fn tell(lab: &mut Lab, name: &str, p: &Pieces) {
    let measured = |variant, figures| Measurement::new((name, "net_null", BURST, variant), figures);
    let quiet = p.publish.quiet_slices.min(p.call.quiet_slices).min(p.collect.quiet_slices);
    let derived = |variant, cycles: f64| Measurement::derived((name, "net_null", BURST, variant), cycles, quiet);
    let boundary = p.crossing.cycles + p.publish.cycles + p.collect.cycles;
    let guest = p.call.cycles - p.crossing.cycles;
    let rest = p.poll.cycles - p.shared.cycles - boundary - guest;
    let twin_rest = p.twin.cycles - p.shared.cycles - p.kernel.cycles;
    lab.add(measured("all", p.poll).beside(p.twin));
    lab.add(measured("piece:driver+pool", p.shared).beside(p.shared));
    lab.add(measured("piece:publish", p.publish));
    lab.add(measured("piece:crossing", p.crossing));
    lab.add(measured("piece:collect", p.collect));
    lab.add(derived("sum:boundary", boundary).aim_at(BOUNDARY));
    if name == SAFE
        && let Some(epochs) = epochs(lab)
    {
        lab.add(derived("sum:safety", p.collect.cycles + epochs).aim_at(p.poll.cycles * SAFETY));
    }
    lab.add(derived("piece:guest", guest).beside(p.kernel));
    lab.add(derived("piece:rest", rest).beside_cycles(twin_rest));
}
