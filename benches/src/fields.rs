//! The field engine as machine code, beside udp-gen, which knows its two fields when it is compiled, and beside itself interpreted:
//! the same two random fields, with and without checksums.

use crate::lab::{Lab, Setup};
use crate::quiet::{SLICE, Samples, Side};
use crate::report::{self, Measurement};
use crate::works::polls;
use anyhow::Result;
use perigee_runtime::bench::Loop;

const BURST: u16 = 64;
/// What stream-gen may take, of udp-gen's cycles.
const AIM: f64 = 1.15;
/// Numbers of the chains: udp-gen, stream-gen as machine code, stream-gen interpreted.
const CHAINS: [usize; 3] = [0, 1, 2];

/// A work by its name, and what the modules are told of checksums.
struct Case {
    name: &'static str,
    udp_gen: &'static str,
    /// The template's UDP checksum: 0 is none.
    udp_sum: &'static str,
    checksums: &'static str,
}

const CASES: [Case; 3] = [
    Case { name: "two-fields", udp_gen: "checksum = \"none\"", udp_sum: "0000", checksums: "none" },
    Case { name: "two-fields+ip", udp_gen: "checksum = \"software\"", udp_sum: "0000", checksums: "software" },
    Case {
        name: "two-fields+ip+udp",
        udp_gen: "checksum = \"software\", udp_checksum = true",
        udp_sum: "ffff",
        checksums: "software",
    },
];

impl Case {
    /// The packets of udp-gen with its defaults: 256 addresses from 10.0.0.0 on, ports from 32,768 on.
    fn stream_gen(&self, compile: bool) -> String {
        let Self { udp_sum, checksums, .. } = self;
        format!(
            "{{ compile = {compile}, checksums = \"{checksums}\", packet = \"020000000002 020000000001 0800 4500002e00000000\
             40110000 0a000000 0a010001 80000009001a{udp_sum} 000000000000000000000000000000000000\", vary = [\
             {{ field = \"ipv4.source\", draw = \"random\", from = \"10.0.0.0\", to = \"10.0.0.255\" }}, \
             {{ field = \"udp.source_port\", draw = \"random\", from = 32768, to = 65535 }}] }}"
        )
    }
}

/// What is measured of each of [`CHAINS`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Whole bursts, from the pool to the port.
    Loop,
    /// The call into the module alone, again and again in the same rooms.
    Call,
}

/// Measures all cases.
pub(crate) fn measure(lab: &mut Lab) -> Result<()> {
    println!("{}", report::head("Fields as machine code, beside udp-gen (the twin): cycles per packet"));
    for case in &CASES {
        for (name, way) in [("loop", Way::Loop), ("call", Way::Call)] {
            let figures = lab.measure(|lab| one(lab, case, way))?;
            let [udp_gen, code, interpreted] = figures[..] else { continue };
            let measured = |variant: &str, figures| {
                Measurement::new((case.name, "net_null", BURST, variant), figures).beside(udp_gen).twin_in("udp-gen")
            };
            lab.add(measured(&format!("compiled:{name}"), code).aim(AIM, 0.0));
            lab.add(measured(&format!("interpreted:{name}"), interpreted));
        }
    }
    Ok(())
}

fn one(lab: &mut Lab, case: &Case, way: Way) -> Result<Vec<Samples>> {
    let device = lab.new_device("net_null");
    let mut on = Setup::new(lab, BURST, "1ms")
        .port(&device)
        .module("udp-gen", &format!("{{ vary = \"two-fields\", {} }}", case.udp_gen))
        .module("stream-gen:compiled", &case.stream_gen(true))
        .module("stream-gen:interpreted", &case.stream_gen(false))
        .generate("udp-gen", &[], &device)
        .generate("stream-gen:compiled", &[], &device)
        .generate("stream-gen:interpreted", &[], &device)
        .start(&lab.root)?;
    let bursts = SLICE / u32::from(BURST);
    if way == Way::Loop {
        let side = |chain| -> Side<'_, Loop> { Box::new(move |on| polls(on, chain, bursts)) };
        let samples = lab.compare(&mut on, CHAINS.map(side).into())?;
        lab.finish(on)?;
        return Ok(samples);
    }
    for chain in CHAINS {
        on.load(chain, BURST.into());
    }
    let side = |chain| -> Side<'_, Loop> {
        Box::new(move |on| {
            (0..bursts).for_each(|_| on.call(chain, BURST.into()));
            u64::from(bursts) * u64::from(BURST)
        })
    };
    let samples = lab.compare(&mut on, CHAINS.map(side).into())?;
    CHAINS.into_iter().for_each(|chain| on.unload(chain));
    lab.finish(on)?;
    Ok(samples)
}
