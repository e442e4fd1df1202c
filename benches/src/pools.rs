//! What the window's pool costs: the same loop in C on three layouts of mbufs.

use crate::ffi::{Layout, Pool, Twin, Work};
use crate::lab::{Lab, Setup};
use crate::quiet::{SLICE, Samples, Side};
use crate::report::{self, Measurement};
use anyhow::{Result, ensure};
use perigee_runtime::bench::Loop;

const BURST: u16 = 64;
const SIZE: u32 = 2_047;
/// Of a room for an MTU of 1,500 bytes, as the runtime lays them out.
const ROOM: u16 = 2_240;
const LAYOUTS: [(Layout, &str); 3] =
    [(Layout::Plain, "pool:plain"), (Layout::HeadersOnly, "pool:headers-only"), (Layout::External, "pool:extbuf")];

/// Measures both generators' work on all layouts.
pub(crate) fn measure(lab: &mut Lab) -> Result<()> {
    println!("{}", report::head("The window's pool (headers-only) beside others: the same C loop on each"));
    for (work, name) in [(Work::Template, "template"), (Work::TwoFields, "two-fields")] {
        let figures = lab.measure(|lab| one(lab, work))?;
        for (figure, (_, variant)) in figures.iter().zip(LAYOUTS) {
            lab.add(Measurement::new((name, "net_null", BURST, variant), *figure).beside(figures[0]));
        }
    }
    Ok(())
}

fn one(lab: &mut Lab, work: Work) -> Result<Vec<Samples>> {
    let setup = Setup::new(lab, BURST, "1ms").port("net_null0").own_module("nop").receive("net_null0", &["nop"]);
    let mut on = setup.start(&lab.root)?;
    let pools = LAYOUTS.iter().map(|(layout, _)| Pool::new(*layout, SIZE, ROOM)).collect::<Result<Vec<_>>>()?;
    let times = SLICE / u32::from(BURST);
    let sides = pools.iter().map(|pool| {
        let mut twin = Twin::new(work, BURST, 0);
        let side: Side<'_, Loop> = Box::new(move |on| twin.run_on(pool, on, times));
        side
    });
    let samples = lab.compare(&mut on, sides.collect())?;
    lab.finish(on)?;
    ensure!(pools.iter().all(Pool::is_full), "packets did not come back to the pools");
    Ok(samples)
}
