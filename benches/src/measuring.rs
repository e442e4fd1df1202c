//! What measuring costs on the data path: probes written into each packet, and a look at packets that are none.

use crate::ffi::Work;
use crate::lab::{Lab, Setup};
use crate::quiet::{Figures, Samples};
use crate::report::{self, Measurement};
use crate::works::{beside_template, generator_config};
use anyhow::Result;

const BURST: u16 = 64;
/// In the order of the chains: a stream without probes and with them, a port that nobody listens at and one where somebody does.
const CASES: [&str; 4] = ["stream", "stream:probes", "sink", "sink:listens"];
/// All packets are due, each with a time of its own.
const STREAM: &str = "rate = \"999 Tbit/s\"";

/// Measures the chains.
pub(crate) fn measure(lab: &mut Lab) -> Result<()> {
    println!("{}", report::head("Measuring: probes in all packets of a stream, and packets that are none"));
    let figures = lab.measure(all)?;
    tell(lab, &figures);
    Ok(())
}

fn all(lab: &mut Lab) -> Result<Vec<Samples>> {
    // Long enough for a probe behind UDP's header.
    let config = generator_config(Work::Template).replacen('{', "{ size = 80,", 1);
    let setup = Setup::new(lab, BURST, "1ms")
        .port("net_null0")
        .port("net_null1")
        .port("net_null2")
        .module("udp-gen", &config)
        .generate("udp-gen", &[], "net_null0")
        .stream("chain0", STREAM)
        .generate("udp-gen", &[], "net_null0")
        .stream("chain1", &format!("{STREAM}\nprobes = {{ received_by = [\"chain3\"] }}"))
        .receive("net_null1", &[])
        .receive("net_null2", &[]);
    beside_template(lab, &setup, CASES.len(), BURST)
}

fn tell(lab: &mut Lab, figures: &[Figures]) {
    let what = |variant| ("template", "net_null", BURST, variant);
    let (twin, chains) = (figures[0], &figures[1..]);
    for (figure, variant) in chains.iter().zip(CASES) {
        lab.add(Measurement::new(what(variant), *figure).beside(twin));
    }
    let quiet = chains.iter().map(|f| f.quiet_slices).min().unwrap_or(0);
    for (name, with, without) in [("price:probe", 1, 0), ("price:no probe", 3, 2)] {
        lab.add(Measurement::derived(what(name), chains[with].cycles - chains[without].cycles, quiet));
    }
}
