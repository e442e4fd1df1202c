//! What pacing costs when all of a burst is due: the same generator without a stream, with a constant rate, and with patterns that
//! have a time for each packet.

use crate::ffi::Work;
use crate::lab::{Lab, Setup};
use crate::quiet::{Figures, Samples};
use crate::report::{self, Measurement};
use crate::works::{beside_template, generator_config};
use anyhow::Result;

const BURST: u16 = 64;
/// How a chain is called in results, and its stream. All rates are beyond what any machine sends: every packet is due.
const CASES: [(&str, &str); 4] = [
    ("pace:none", ""),
    ("pace:constant", "rate = \"1 Tpps\""),
    ("pace:bits", "rate = \"999 Tbit/s\""),
    ("pace:poisson", "rate = \"1 Tpps\"\npattern = \"poisson\""),
];

/// Measures the chains.
pub(crate) fn measure(lab: &mut Lab) -> Result<()> {
    println!("{}", report::head("Pacing: a generator whose packets are all due, by what its stream says"));
    let figures = lab.measure(all)?;
    tell(lab, &figures);
    Ok(())
}

fn all(lab: &mut Lab) -> Result<Vec<Samples>> {
    let mut setup = Setup::new(lab, BURST, "1ms").port("net_null0").module("udp-gen", generator_config(Work::Template));
    for (chain, (_, stream)) in CASES.iter().enumerate() {
        setup = setup.generate("udp-gen", &[], "net_null0");
        if !stream.is_empty() {
            setup = setup.stream(&format!("chain{chain}"), stream);
        }
    }
    beside_template(lab, &setup, CASES.len(), BURST)
}

fn tell(lab: &mut Lab, figures: &[Figures]) {
    let what = |variant| ("template", "net_null", BURST, variant);
    let (twin, chains) = (figures[0], &figures[1..]);
    for (figure, (variant, _)) in chains.iter().zip(CASES) {
        lab.add(Measurement::new(what(variant), *figure).beside(twin));
    }
    let quiet = chains.iter().map(|f| f.quiet_slices).min().unwrap_or(0);
    for (with, name) in [(1, "price:constant"), (2, "price:bits"), (3, "price:poisson")] {
        lab.add(Measurement::derived(what(name), chains[with].cycles - chains[0].cycles, quiet));
    }
}
