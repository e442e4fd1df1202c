//! An L3 forwarder in eBPF, by rbpf's machine code and by DPDK's, beside the router's fast path: the guest's part of a call, on
//! packets that are there. Each call gets packets as they came; what it takes to write them anew is measured alone and left out.

mod program;
mod table;

use super::bpf::RBPF;
use super::ffi::{DpdkBpf, Rbpf, restore};
use crate::functions::OWN;
use crate::functions::router::{COLD, HOT, config, draw, flows, teach};
use crate::lab::{Lab, Setup};
use crate::natives::{Native, Route};
use crate::quiet::{Figures, SLICE, Samples, Side};
use crate::report::{self, Measurement};
use anyhow::{Result, ensure};
use perigee_guest::wire::checksum;
use perigee_runtime::bench::Loop;
use table::Tables;

const BURST: u16 = 64;
const N: usize = BURST as usize;
/// As many prefixes as the router's row for a hundred thousand has.
const ROUTES: u32 = 100_000;
const QUICK: u32 = 10_000;
/// Numbers of the chains: the router, and a module that does nothing.
const ROUTER: usize = 0;
const NOP: usize = 2;
/// Sides that go through the destinations.
const SIDES: usize = 4;
/// Bursts of each kind whose packets are compared.
const COMPARED: usize = 64;

pub(super) fn measure(lab: &mut Lab, quick: bool) -> Result<()> {
    println!("{}", report::head("eBPF: an L3 forwarder on packets that are there, beside the router's fast path"));
    let (name, number) = if quick { ("route-10k", QUICK) } else { ("route-100k", ROUTES) };
    let routes = draw(number);
    let tables = Tables::new(&routes)?;
    for (count, far) in [(HOT.next_multiple_of(N), "hot"), (COLD, "cold")] {
        let figures = lab.measure(|lab| one(lab, &routes, &tables, count))?;
        tell(lab, name, far, &figures);
    }
    Ok(())
}

fn tell(lab: &mut Lab, name: &str, far: &str, figures: &[Figures]) {
    let [writing, router, crossing, dpdk, ref rest @ ..] = *figures else { return };
    let quiet = figures.iter().map(|figures| figures.quiet_slices).min().unwrap_or(0);
    let guest = router.cycles - writing.cycles - crossing.cycles;
    let row = |by: &str| Measurement::derived((name, "memory", BURST, &format!("guest {far} : {by}")), guest, quiet);
    let part = |figures: Figures| figures.cycles - writing.cycles;
    if let [rbpf] = *rest {
        lab.add(row("rbpf").beside_cycles(part(rbpf)).twin_in("rbpf").aim(1.0, 0.0));
    }
    lab.add(row("rte_bpf").beside_cycles(part(dpdk)).twin_in("rte_bpf"));
}

/// Packets as they come: the first one, and what is different in each.
struct Packets {
    frame: [u8; 60],
    changes: Vec<u64>,
    at: usize,
}

impl Packets {
    /// To `count` destinations: a multiple of a burst.
    fn new(routes: &[Route], count: usize) -> Self {
        let mut frame = [0; 60];
        frame[..6].copy_from_slice(&OWN[0]);
        frame[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 0x99]);
        frame[12..34].copy_from_slice(&[8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 77, 0, 9, 0, 0, 0, 0]);
        frame[34..42].copy_from_slice(&[4, 0, 0, 9, 0, 26, 0, 0]);
        // As few destinations as the router's row has, again and again.
        let drawn = flows(routes, if count == COLD { COLD } else { HOT });
        let change = |flow: &crate::natives::Flow| {
            let to = flow.destination();
            let mut header = frame[14..34].to_vec();
            header[16..].copy_from_slice(&to.to_ne_bytes());
            let sum = checksum::finish(checksum::sum(&header));
            u64::from(to) | u64::from(sum.to_be()) << 32
        };
        let changes = drawn.iter().cycle().take(count).map(change).collect();
        Self { frame, changes, at: 0 }
    }

    /// Writes the next burst of packets.
    fn write(&mut self, on: &mut Loop) -> u64 {
        let changes = &self.changes[self.at..];
        self.at = (self.at + N) % self.changes.len();
        restore(on, ROUTER, &self.frame, changes)
    }
}

fn one(lab: &mut Lab, routes: &[Route], tables: &Tables, count: usize) -> Result<Vec<Samples>> {
    let ports = [lab.new_device("net_ring"), lab.new_device("net_ring"), lab.new_device("net_null")];
    let setup = Setup::new(lab, BURST, "1ms").between([&ports[0], &ports[1]], "router", &config());
    let setup = setup.port(&ports[2]).own_module("nop").receive(&ports[2], &["nop"]);
    let mut on = setup.start(&lab.root)?;
    teach(&mut on, routes)?;
    let mut first = Native::new(None, OWN[0], BURST);
    first.set_flows(&flows(routes, HOT));
    first.feed(&mut on, BURST.into())?;
    for chain in [ROUTER, NOP] {
        ensure!(on.load(chain, N) == N, "a chain has no packets");
        on.call(chain, N);
    }
    let words = program::forwarder(tables);
    let dpdk = DpdkBpf::new(&words, &tables.all())?;
    // Why it is not here, the MAC swap has said.
    let rbpf = Rbpf::new(&lab.root.join(RBPF), &words, &tables.all()).ok();
    let mut packets = Packets::new(routes, count);
    verify(&mut on, &mut packets, &dpdk, rbpf.as_ref())?;
    let samples = compare(lab, &mut on, &packets, &dpdk, rbpf.as_ref())?;
    [ROUTER, NOP].into_iter().for_each(|chain| on.unload(chain));
    lab.finish(on)?;
    Ok(samples)
}

/// All of them make the same of the same packets.
fn verify(on: &mut Loop, packets: &mut Packets, dpdk: &DpdkBpf<'_>, rbpf: Option<&Rbpf<'_>>) -> Result<()> {
    for _ in 0..COMPARED {
        let at = packets.at;
        let mut made = Vec::new();
        for side in 0..4 {
            packets.at = at;
            packets.write(on);
            match (side, rbpf) {
                (0, _) => on.call(ROUTER, N),
                (1, _) => _ = dpdk.each(on, ROUTER, 1),
                (2, Some(rbpf)) => _ = rbpf.each(on, ROUTER, 1),
                // Untouched, to compare with.
                (3, _) => {}
                _ => continue,
            }
            made.push(crate::ffi::packets(on, ROUTER)?);
        }
        let untouched = made.pop();
        let is_same = made.iter().all(|other| *other == made[0]) && Some(&made[0]) != untouched.as_ref();
        ensure!(is_same, "the programs do not forward what the router forwards");
    }
    Ok(())
}

fn compare(
    lab: &Lab,
    on: &mut Loop,
    packets: &Packets,
    dpdk: &DpdkBpf<'_>,
    rbpf: Option<&Rbpf<'_>>,
) -> Result<Vec<Samples>> {
    let times = SLICE / u32::from(BURST);
    // Each side goes through all destinations by itself, and from another one on: two programs read the same tables, and what one has just
    // read would be in the cache for the other.
    let mut begun = 0;
    let mut repeat = |mut piece: Box<dyn FnMut(&mut Loop)>| -> Side<'_, Loop> {
        let at = packets.changes.len() / N * begun / SIDES * N;
        begun += 1;
        let mut packets = Packets { frame: packets.frame, changes: packets.changes.clone(), at };
        Box::new(move |on| {
            (0..times)
                .map(|_| {
                    let n = packets.write(on);
                    piece(on);
                    n
                })
                .sum()
        })
    };
    let mut sides: Vec<Side<'_, Loop>> = vec![
        repeat(Box::new(|_| {})),
        repeat(Box::new(|on| on.call(ROUTER, N))),
        Box::new(|on| {
            (0..times).for_each(|_| on.call(NOP, N));
            u64::from(times) * u64::from(BURST)
        }),
        repeat(Box::new(|on| _ = dpdk.each(on, ROUTER, 1))),
    ];
    if let Some(rbpf) = rbpf {
        sides.push(repeat(Box::new(|on| _ = rbpf.each(on, ROUTER, 1))));
    }
    lab.compare(on, sides)
}
