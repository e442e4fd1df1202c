//! What grants and trust domains cost: the same chain, a generator and a stage that passes everything on, where nothing of
//! the kind is set, and where it is.

use crate::ffi::Work;
use crate::lab::{Lab, Setup};
use crate::quiet::{Figures, Samples};
use crate::report::{self, Measurement};
use crate::works::{beside_template, generator_config};
use anyhow::Result;

const BURST: u16 = 64;
/// How the stage is called in results, its trust domain, and what more it is granted. No limit is ever reached, and all
/// packets have the addresses that are granted.
const CASES: [(&str, &str, &str); 5] = [
    ("grant:none", "own", ""),
    ("grant:rate", "own", "packets_per_second = 1000000000000, bits_per_second = 8000000000000"),
    ("domain:next", "next", ""),
    ("grant:source", "checked", "source_ip = [\"0.0.0.0/0\"]"),
    (
        "grant:sources",
        "checked too",
        "source_mac = [\"02:00:00:00:00:01\"], source_ip = [\"10.0.0.0/8\", \"2001:db8::/32\"]",
    ),
];

/// What is told of them: a row, the chain with it and the one without, and how many cycles are aimed at.
const PRICES: [(&str, usize, usize, f64); 4] = [
    ("price:rate", 1, 0, 3.0),
    ("price:domain", 2, 0, 22.0),
    ("price:source", 3, 2, 35.0),
    ("price:sources", 4, 2, 35.0),
];

/// Measures the chains.
pub(crate) fn measure(lab: &mut Lab) -> Result<()> {
    println!("{}", report::head("Grants and trust domains: a generator and a stage, by what the stage is granted"));
    let figures = lab.measure(all)?;
    tell(lab, &figures);
    Ok(())
}

fn all(lab: &mut Lab) -> Result<Vec<Samples>> {
    // Addresses that are granted; the port's own would be another one in each run.
    let config =
        generator_config(Work::Template).replace('{', "{ src = \"10.0.0.1\", src_mac = \"02:00:00:00:00:01\",");
    let mut setup = Setup::new(lab, BURST, "1ms").port("net_null0").module("udp-gen", &config);
    for (name, domain, grants) in CASES {
        setup = setup.granted(name, "pass", domain, grants);
    }
    for (name, _, _) in CASES {
        setup = setup.generate("udp-gen", &[name], "net_null0");
    }
    beside_template(lab, &setup, CASES.len(), BURST)
}

fn tell(lab: &mut Lab, figures: &[Figures]) {
    let what = |variant| ("template", "net_null", BURST, variant);
    let (twin, chains) = (figures[0], &figures[1..]);
    for (figure, (variant, _, _)) in chains.iter().zip(CASES) {
        lab.add(Measurement::new(what(variant), *figure).beside(twin));
    }
    let quiet = chains.iter().map(|f| f.quiet_slices).min().unwrap_or(0);
    for (name, with, without, aim) in PRICES {
        let price = chains[with].cycles - chains[without].cycles;
        lab.add(Measurement::derived(what(name), price, quiet).aim_at(aim));
    }
}
