//! Whole loops: the same work by a module and by C, on the same port and pool, at several bursts.

use crate::ffi::{Twin, Work};
use crate::lab::{Lab, Setup};
use crate::quiet::{Figures, SLICE, Samples, Side};
use crate::report::{self, Measurement};
use anyhow::{Result, ensure};
use perigee_runtime::bench::Loop;

pub(crate) const BURSTS: [u16; 6] = [1, 8, 32, 64, 128, 256];
/// What a burst may cost beside its packets, in cycles.
const OF_BURST: f64 = 80.0;
/// Packets that circle in a ring port.
const IN_RING: u32 = 512;

/// A work, as it is called in results, its port, and what the module is.
pub(crate) struct Case {
    pub(crate) work: Work,
    pub(crate) name: &'static str,
    driver: &'static str,
}

pub(crate) const CASES: [Case; 4] = [
    Case { work: Work::Template, name: "template", driver: "net_null" },
    Case { work: Work::TwoFields, name: "two-fields", driver: "net_null" },
    Case { work: Work::MacSwap, name: "mac-swap", driver: "net_null" },
    Case { work: Work::MacSwap, name: "mac-swap", driver: "net_ring" },
];

/// What udp-gen is told for a work. Checksums are left alone, as the twin does.
pub(crate) fn generator_config(work: Work) -> &'static str {
    match work {
        Work::Template => "{ vary = \"none\", checksum = \"none\" }",
        _ => "{ vary = \"two-fields\", checksum = \"none\" }",
    }
}

/// Lets the chains of a loop take turns with the template's twin on the first one's pool: the samples of the twin, then of each chain.
pub(crate) fn beside_template(lab: &mut Lab, setup: &Setup, chains: usize, burst: u16) -> Result<Vec<Samples>> {
    beside_template_by(lab, setup, chains, burst, polls)
}

/// As [`beside_template`], where `poll` gets a slice's packets of a chain.
pub(crate) fn beside_template_by(
    lab: &mut Lab,
    setup: &Setup,
    chains: usize,
    burst: u16,
    poll: impl Fn(&mut Loop, usize, u32) -> u64 + Copy,
) -> Result<Vec<Samples>> {
    let mut on = setup.start(&lab.root)?;
    let times = SLICE / u32::from(burst);
    let mut twin = Twin::new(Work::Template, burst, 0);
    let mut sides: Vec<Side<'_, Loop>> = vec![Box::new(|on| twin.run(on, 0, times))];
    for chain in 0..chains {
        sides.push(Box::new(move |on| poll(on, chain, times)));
    }
    let samples = lab.compare(&mut on, sides)?;
    lab.finish(on)?;
    Ok(samples)
}

/// The chain that does a case's work on port 0.
fn setup(lab: &mut Lab, case: &Case, burst: u16) -> Setup {
    let device = lab.new_device(case.driver);
    let setup = Setup::new(lab, burst, "1ms").port(&device);
    match case.work {
        Work::Template | Work::TwoFields => {
            setup.module("udp-gen", generator_config(case.work)).generate("udp-gen", &[], &device)
        }
        _ => setup.module("reflector", "").receive(&device, &["reflector"]),
    }
}

/// Measures all cases.
pub(crate) fn measure(lab: &mut Lab, bursts: &[u16]) -> Result<()> {
    println!("{}", report::head("Whole loops, a module beside C: cycles per packet"));
    for case in &CASES {
        for &burst in bursts {
            let figures = lab.measure(|lab| one(lab, case, burst))?;
            let row = Measurement::new((case.name, case.driver, burst, "wasm"), figures[0]).beside(figures[1]);
            lab.add(case.aim(row, burst));
            if case.work == Work::Template && burst <= 8 {
                let more = (figures[0].cycles - figures[1].cycles) * f64::from(burst);
                let what = (case.name, case.driver, burst, "price:burst");
                lab.add(Measurement::derived(what, more, quiet_of(&figures)).aim_at(OF_BURST));
            }
        }
    }
    Ok(())
}

fn quiet_of(figures: &[Figures]) -> usize {
    figures.iter().map(|figures| figures.quiet_slices).min().unwrap_or(0)
}

impl Case {
    /// What is aimed at beside C, where something is.
    fn aim(&self, row: Measurement, burst: u16) -> Measurement {
        match (self.work, self.driver, burst) {
            (Work::Template, _, 64) => row.aim(1.05, 1.5),
            (Work::TwoFields, _, 64) => row.aim(0.95, 0.0),
            (Work::TwoFields, _, 8) => row.aim(1.10, 0.0),
            (Work::MacSwap, "net_null", 64) => row.aim(1.15, 0.0),
            (Work::MacSwap, "net_ring", 64) => row.aim(1.0, 4.0),
            _ => row,
        }
    }
}

fn one(lab: &mut Lab, case: &Case, burst: u16) -> Result<Vec<Samples>> {
    let mut on = setup(lab, case, burst).start(&lab.root)?;
    let mut twin = Twin::new(case.work, burst, 0);
    let circles = case.driver == "net_ring";
    if circles {
        twin.fill(&mut on, IN_RING)?;
    }
    let bursts = SLICE / u32::from(burst);
    let samples = lab.compare(
        &mut on,
        vec![Box::new(|on: &mut Loop| polls(on, 0, bursts)), Box::new(|on| twin.run(on, 0, bursts))],
    )?;
    if circles {
        let left = twin.drain(&mut on);
        ensure!(left == u64::from(IN_RING), "{left} of {IN_RING} packets are still in the ring port");
    }
    lab.finish(on)?;
    Ok(samples)
}

/// Polls a chain so many times; returns the packets.
pub(crate) fn polls(on: &mut Loop, chain: usize, times: u32) -> u64 {
    (0..times).map(|_| on.poll(chain) as u64).sum()
}
