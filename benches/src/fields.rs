//! The field engine as machine code, beside modules that know what varies when they are compiled, and beside itself interpreted: the
//! same two random fields, with and without checksums, in packets of one length, of a mix of sizes, and of two streams.

use crate::lab::{Lab, Setup};
use crate::quiet::{SLICE, Samples, Side};
use crate::report::{self, Measurement};
use crate::works::polls;
use anyhow::Result;
use perigee_runtime::bench::Loop;

const BURST: u16 = 64;
/// What stream-gen may take, of the other module's cycles.
const AIM: f64 = 1.15;
/// Numbers of the chains: the module by hand, stream-gen as machine code, stream-gen interpreted.
const CHAINS: [usize; 3] = [0, 1, 2];

/// A work by its name, the module that does it by hand, and what both are told.
struct Case {
    name: &'static str,
    by_hand: &'static str,
    told: &'static str,
    /// The template's UDP checksum: 0 is none.
    udp_sum: &'static str,
    checksums: &'static str,
    /// What is said beside the template and its fields: sizes. Of several streams, what the second one is.
    sizes: &'static str,
    second: Option<&'static str>,
}

const CASES: [Case; 5] = [
    Case { told: "vary = \"two-fields\", checksum = \"none\"", udp_sum: "0000", checksums: "none", ..CASE },
    Case { name: "two-fields+ip", told: "vary = \"two-fields\", checksum = \"software\"", udp_sum: "0000", ..CASE },
    Case {
        name: "two-fields+ip+udp",
        told: "vary = \"two-fields\", checksum = \"software\", udp_checksum = true",
        ..CASE
    },
    Case {
        name: "sizes",
        by_hand: "by-hand",
        told: "mix = \"sizes\"",
        sizes: ", sizes = { imix = \"simple\" }",
        ..CASE
    },
    Case {
        name: "streams",
        by_hand: "by-hand",
        told: "mix = \"streams\"",
        second: Some(
            "020000000002 020000000001 0800 4500002e0000000040060000 0a000000 0a010001 8000005000000000000000005002ffff00000000\
             000000000000",
        ),
        ..CASE
    },
];

/// What cases have in common.
const CASE: Case = Case {
    name: "two-fields",
    by_hand: "udp-gen",
    told: "",
    udp_sum: "ffff",
    checksums: "software",
    sizes: "",
    second: None,
};

impl Case {
    /// The packets of udp-gen with its defaults: 256 addresses from 10.0.0.0 on, ports from 32,768 on.
    fn stream_gen(&self, compile: bool) -> String {
        let Self { udp_sum, checksums, sizes, .. } = self;
        let vary = |transport: &str| {
            format!(
                "vary = [{{ field = \"ipv4.source\", draw = \"random\", from = \"10.0.0.0\", to = \"10.0.0.255\" }}, \
                 {{ field = \"{transport}.source_port\", draw = \"random\", from = 32768, to = 65535 }}]"
            )
        };
        let first = format!(
            "packet = \"020000000002 020000000001 0800 4500002e0000000040110000 0a000000 0a010001 80000009001a{udp_sum} \
             000000000000000000000000000000000000\", {}{sizes}",
            vary("udp")
        );
        let packets = match self.second {
            None => first,
            Some(second) => format!(
                "streams = [{{ weight = 3, {first} }}, {{ weight = 1, packet = \"{second}\", {} }}]",
                vary("tcp")
            ),
        };
        format!("{{ compile = {compile}, checksums = \"{checksums}\", {packets} }}")
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
    println!("{}", report::head("Fields as machine code, beside a module by hand (the twin): cycles per packet"));
    for case in &CASES {
        for (name, way) in [("loop", Way::Loop), ("call", Way::Call)] {
            let figures = lab.measure(|lab| one(lab, case, way))?;
            let [by_hand, code, interpreted] = figures[..] else { continue };
            let measured = |variant: &str, figures| {
                Measurement::new((case.name, "net_null", BURST, variant), figures).beside(by_hand).twin_in(case.by_hand)
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
        .module(case.by_hand, &format!("{{ {} }}", case.told))
        .module("stream-gen:compiled", &case.stream_gen(true))
        .module("stream-gen:interpreted", &case.stream_gen(false))
        .generate(case.by_hand, &[], &device)
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
