//! What measuring costs on the data path: probes written into each packet and read from it, and a look at packets that are none.

use crate::lab::{Lab, Setup};
use crate::quiet::{Figures, Samples};
use crate::report::{self, Measurement};
use crate::works::beside_template_by;
use anyhow::Result;
use perigee_runtime::bench::Loop;

const BURST: u16 = 64;
const WORK: &str = "one-field";

/// A name, the port, and the chains that are polled in turn: the first one's packets count.
type Case = (&'static str, &'static str, &'static [usize]);

/// A stream without probes and with them; both, with the chain that receives them, which listens for the second; a port that nobody
/// listens at and one where somebody does.
const CASES: [Case; 6] = [
    ("stream", "net_null", &[0]),
    ("stream:probes", "net_null", &[1]),
    ("both-ends", "net_ring", &[2, 4]),
    ("both-ends:probes", "net_ring", &[3, 5]),
    ("sink", "net_null", &[6]),
    ("sink:listens", "net_null", &[7]),
];
/// All packets are due, each with a time of its own.
const STREAM: &str = "rate = \"999 Tbit/s\"";
/// Frames of 60 bytes, the shortest, of a type that is free for experiments (IEEE 802): a probe has room behind Ethernet's header. A number is
/// drawn for each, as generators do, which so have the beginning of each frame at hand.
const FRAMES: &str = "{ checksums = \"none\", packet = \"020000000002 020000000001 88b5 \
    00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\", \
    vary = [{ offset = 14, bits = 32, draw = \"random\" }] }";

/// Measures the chains.
pub(crate) fn measure(lab: &mut Lab) -> Result<()> {
    println!("{}", report::head("Measuring: probes in all packets of a stream, and packets that are none"));
    let figures = lab.measure(all)?;
    tell(lab, &figures);
    Ok(())
}

fn all(lab: &mut Lab) -> Result<Vec<Samples>> {
    let probes = |listener| format!("{STREAM}\nprobes = {{ received_by = [\"{listener}\"] }}");
    let [plain, probed] = [(); 2].map(|()| lab.new_device("net_ring"));
    let ports = ["net_null0", "net_null1", "net_null2", &plain, &probed];
    let setup = ports.iter().fold(Setup::new(lab, BURST, "1ms"), |setup, port| setup.port(port));
    let setup = setup
        .module("stream-gen", FRAMES)
        .generate("stream-gen", &[], "net_null0")
        .stream("chain0", STREAM)
        .generate("stream-gen", &[], "net_null0")
        .stream("chain1", &probes("chain7"))
        .generate("stream-gen", &[], &plain)
        .stream("chain2", STREAM)
        .generate("stream-gen", &[], &probed)
        .stream("chain3", &probes("chain5"))
        .forward(&plain, "net_null1")
        .forward(&probed, "net_null1")
        .receive("net_null1", &[])
        .receive("net_null2", &[]);
    beside_template_by(lab, &setup, CASES.len(), BURST, |on: &mut Loop, case, times| {
        let (_, _, chains) = CASES[case];
        (0..times).map(|_| chains.iter().map(|chain| on.poll(*chain) as u64).fold(0, u64::max)).sum()
    })
}

fn tell(lab: &mut Lab, figures: &[Figures]) {
    let (twin, chains) = (figures[0], &figures[1..]);
    for (figure, (variant, port, _)) in chains.iter().zip(CASES) {
        lab.add(Measurement::new((WORK, port, BURST, variant), *figure).beside(twin));
    }
    let quiet = chains.iter().map(|f| f.quiet_slices).min().unwrap_or(0);
    for (name, port, with, without) in
        [("price:stamp", "net_null", 1, 0), ("price:probe", "net_ring", 3, 2), ("price:no probe", "net_null", 5, 4)]
    {
        let price = chains[with].cycles - chains[without].cycles;
        lab.add(Measurement::derived((WORK, port, BURST, name), price, quiet));
    }
}
