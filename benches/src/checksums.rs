//! The guest SDK's checksums over whole packets, beside DPDK's: first that both say the same, then what each costs.

use crate::ffi::{Twin, Work};
use crate::lab::{Lab, Setup};
use crate::quiet::{SLICE, Samples, Side};
use crate::report::{self, Measurement};
use anyhow::{Result, ensure};
use perigee_runtime::bench::Loop;

const BURST: u16 = 64;
/// What a checksum takes, and packets of how many bytes.
const CASES: [(Work, &str, u16); 4] =
    [(Work::Sum, "sum", 64), (Work::Sum, "sum", 512), (Work::Sum, "sum", 1_500), (Work::Crc32c, "crc32c", 1_500)];
/// Behind what is summed: the checksum.
const PLACE: u16 = 4;
/// Bytes left out at the start, so that data begins at other addresses than packets do.
const SKIPS: [u8; 4] = [0, 1, 2, 7];
/// Numbers of the chains: one for each of [`SKIPS`], the first of which is measured, then one that does nothing.
const MEASURED: usize = 0;
const NOP: usize = SKIPS.len();

/// Measures all cases.
pub(crate) fn measure(lab: &mut Lab) -> Result<()> {
    println!("{}", report::head("Checksums by a module beside DPDK's in C: cycles per packet, and per byte"));
    for (work, name, len) in CASES {
        let figures = lab.measure(|lab| one(lab, work, name, len))?;
        let [call, crossing, kernel] = figures[..] else { continue };
        let what = format!("{name}-{len}");
        let measured = |variant, figures| Measurement::new((&what, "net_null", BURST, variant), figures);
        lab.add(measured("call", call).beside(kernel));
        let quiet = call.quiet_slices.min(kernel.quiet_slices);
        let per_byte = |cycles: f64| cycles / f64::from(len);
        let guest = per_byte(call.cycles - crossing.cycles);
        let per_byte = (guest, per_byte(kernel.cycles));
        let derived = Measurement::derived((&what, "net_null", BURST, "guest:byte"), per_byte.0, quiet);
        lab.add(derived.beside_cycles(per_byte.1));
    }
    Ok(())
}

fn setup(lab: &Lab, name: &str, len: u16) -> Setup {
    let mut setup = Setup::new(lab, BURST, "1ms");
    for (chain, skip) in SKIPS.iter().enumerate() {
        let module = format!("checksums:{skip}");
        let port = format!("net_null{chain}");
        setup = setup
            .port_with(&port, &format!(",size={}", len + PLACE))
            .module(&module, &format!("{{ work = \"{name}\", skip = {skip} }}"))
            .receive(&port, &[&module]);
    }
    setup.port("net_null9").own_module("nop").receive("net_null9", &["nop"])
}

fn one(lab: &mut Lab, work: Work, name: &str, len: u16) -> Result<Vec<Samples>> {
    let mut on = setup(lab, name, len).start(&lab.root)?;
    for chain in 0..=NOP {
        let n = on.load(chain, BURST.into());
        ensure!(n == usize::from(BURST), "chain {chain} got {n} packets");
        // Verdicts are there from now on.
        on.call(chain, n);
    }
    for (chain, skip) in SKIPS.into_iter().enumerate() {
        compare(&mut on, chain, Twin::skipping(work, BURST, skip))?;
    }
    let samples = time(lab, &mut on, work, len)?;
    (0..=NOP).for_each(|chain| on.unload(chain));
    lab.finish(on)?;
    Ok(samples)
}

/// Checksums of random packets of each length, by the module and by C.
fn compare(on: &mut Loop, chain: usize, mut twin: Twin) -> Result<()> {
    for len in (PLACE..1_984).step_by(BURST.into()) {
        twin.fill_random(on, chain, len, 1);
        on.publish(chain);
        on.call(chain, BURST.into());
        let by_module = Twin::results(on, chain);
        twin.kernel(on, chain, 1);
        let by_c = Twin::results(on, chain);
        ensure!(by_module == by_c, "chain {chain}: checksums of packets of {len} bytes and more are not those of C");
    }
    Ok(())
}

fn time(lab: &Lab, on: &mut Loop, work: Work, len: u16) -> Result<Vec<Samples>> {
    let mut twin = Twin::new(work, BURST, 0);
    twin.fill_random(on, MEASURED, len + PLACE, 0);
    on.publish(MEASURED);
    let times = SLICE / u32::from(BURST);
    let packets = u64::from(times) * u64::from(BURST);
    let call = |chain: usize| -> Side<'_, Loop> {
        Box::new(move |on| {
            (0..times).for_each(|_| on.call(chain, BURST.into()));
            packets
        })
    };
    lab.compare(on, vec![call(MEASURED), call(NOP), Box::new(|on| twin.kernel(on, MEASURED, times))])
}
