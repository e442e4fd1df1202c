//! The guest SDK beside raw pointers: udp-gen, and the same work by a module that does without the SDK. First that both make
//! the same packets, byte for byte, then what each takes.

use crate::ffi;
use crate::lab::{Lab, Setup, apart};
use crate::quiet::{SLICE, Samples, Side};
use crate::report::{self, Measurement};
use anyhow::{Result, ensure};
use perigee_runtime::bench::Loop;

pub(crate) const BURST: u16 = 64;
/// Numbers of the chains: udp-gen, its twin on raw pointers, a module that does nothing.
pub(crate) const SDK: usize = 0;
pub(crate) const RAW: usize = 1;
const NOP: usize = 2;
/// Bursts to compare packets by: fewer than a turn of an unrolled loop makes, such that leave a rest, whole ones.
const COMPARED: [u16; 8] = [1, 2, 7, 64, 63, 33, 8, 64];

/// A work by its name, and what each module is told: udp-gen two of its keys, the module on raw pointers its mode.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    vary: &'static str,
    checksum: &'static str,
    raw: &'static str,
}

impl Case {
    /// For udp-gen. The source address is said, because net_null's own is another one each time.
    fn sdk(&self) -> String {
        let Self { vary, checksum, .. } = self;
        format!("{{ src_mac = \"02:00:00:00:00:01\", vary = \"{vary}\", checksum = \"{checksum}\" }}")
    }

    /// For the module on raw pointers.
    fn raw(&self) -> String {
        format!("\"{}\"", self.raw)
    }
}

pub(crate) const CASES: [Case; 3] = [
    Case { name: "template", vary: "none", checksum: "none", raw: "template" },
    Case { name: "two-fields", vary: "two-fields", checksum: "none", raw: "two-fields" },
    Case { name: "two-fields+ip", vary: "two-fields", checksum: "software", raw: "two-fields-checksum" },
];

/// Measures all cases.
pub(crate) fn measure(lab: &mut Lab) -> Result<()> {
    println!("{}", report::head("The SDK beside raw pointers (the twin), both in WebAssembly: cycles per packet"));
    for case in &CASES {
        compare(lab, case)?;
        let figures = lab.measure(|lab| one(lab, case))?;
        let [sdk, raw, crossing] = figures[..] else { continue };
        let measured = |variant, figures| Measurement::new((case.name, "net_null", BURST, variant), figures);
        lab.add(measured("call", sdk).beside(raw).twin_in("raw"));
        lab.add(measured("call:raw", raw));
        lab.add(measured("crossing", crossing));
        let quiet = sdk.quiet_slices.min(raw.quiet_slices);
        let guest = Measurement::derived((case.name, "net_null", BURST, "guest"), sdk.cycles - crossing.cycles, quiet);
        lab.add(guest.beside_cycles(raw.cycles - crossing.cycles).twin_in("raw"));
    }
    Ok(())
}

/// Both modules with a case's work, in one run.
pub(crate) fn setup(lab: &Lab, case: &Case, tick: &str) -> Setup {
    let (sdk, raw) = (format!("udp-gen:{}", case.name), format!("raw-udp-gen:{}", case.name));
    Setup::new(lab, BURST, tick)
        .port("net_null0")
        .port("net_null1")
        .module(&sdk, &case.sdk())
        .module(&raw, &case.raw())
        .own_module("nop")
        .generate(&sdk, &[], "net_null0")
        .generate(&raw, &[], "net_null0")
        .receive("net_null1", &["nop"])
}

/// Loads a burst into each chain.
pub(crate) fn load(on: &mut Loop) -> Result<()> {
    for chain in [SDK, RAW, NOP] {
        let n = on.load(chain, BURST.into());
        ensure!(n == usize::from(BURST), "chain {chain} got {n} packets");
        // Verdicts are there from now on.
        on.call(chain, n);
    }
    Ok(())
}

/// Frees what [`load`] loaded.
pub(crate) fn unload(on: &mut Loop) {
    [SDK, RAW, NOP].into_iter().for_each(|chain| on.unload(chain));
}

/// Fails where the modules do not make the same packets of the same seed. Seeds differ by a module's place in the
/// configuration, so each has a run of its own.
pub(crate) fn compare(lab: &mut Lab, case: &Case) -> Result<()> {
    let mut by = |module: &str, config: &str| {
        apart(|| {
            let setup = Setup::new(lab, BURST, "10s").port("net_null0").module(module, config);
            packets(lab, &setup.generate(module, &[], "net_null0"))
        })
    };
    let (by_sdk, by_raw) = (by("udp-gen", &case.sdk())?, by("raw-udp-gen", &case.raw())?);
    for (burst, (sdk, raw)) in by_sdk.iter().zip(&by_raw).enumerate() {
        let at = sdk.iter().zip(raw).position(|(sdk, raw)| sdk != raw);
        ensure!(sdk == raw, "{}: burst {burst} differs from raw pointers' at byte {at:?}", case.name);
    }
    Ok(())
}

/// The packets of each burst.
fn packets(lab: &mut Lab, setup: &Setup) -> Result<Vec<Vec<u8>>> {
    let mut on = setup.start(&lab.root)?;
    let mut all = Vec::new();
    for burst in COMPARED {
        let n = on.load(0, burst.into());
        on.call(0, n);
        // Lengths and verdicts are taken over here: what has another verdict is gone.
        on.collect(0);
        let (bytes, sent) = ffi::packets(&mut on, 0)?;
        ensure!(n == usize::from(burst) && sent == n && !bytes.is_empty(), "{sent} of {burst} packets were sent");
        all.push(bytes);
        on.unload(0);
    }
    lab.finish(on)?;
    Ok(all)
}

fn one(lab: &mut Lab, case: &Case) -> Result<Vec<Samples>> {
    let mut on = setup(lab, case, "1ms").start(&lab.root)?;
    load(&mut on)?;
    let times = SLICE / u32::from(BURST);
    let call = |chain: usize| -> Side<'_, Loop> {
        Box::new(move |on| {
            (0..times).for_each(|_| on.call(chain, BURST.into()));
            u64::from(times) * u64::from(BURST)
        })
    };
    let samples = lab.compare(&mut on, vec![call(SDK), call(RAW), call(NOP)])?;
    unload(&mut on);
    lab.finish(on)?;
    Ok(samples)
}
