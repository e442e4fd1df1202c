//! eBPF: the guest's part of the MAC swap, by DPDK's machine code and by rbpf's, beside a module's.

use super::ffi::{DpdkBpf, Rbpf};
use crate::ffi::{Twin, Work};
use crate::lab::{Lab, Setup};
use crate::quiet::{SLICE, Samples, Side};
use crate::report::{self, Measurement};
use anyhow::{Result, ensure};
use perigee_runtime::bench::Loop;

const BURST: u16 = 64;
/// Where `./x bench` has built rbpf.
pub(super) const RBPF: &str = "target/rbpf/release/libperigee_bench_rbpf.so";
/// Numbers of the chains.
const SWAP: usize = 0;
const NOP: usize = 1;

pub(super) fn measure(lab: &mut Lab) -> Result<()> {
    println!(
        "{}",
        report::head("eBPF: the work on packets that are there, MAC swap (the twin is the program's machine code)")
    );
    let figures = lab.measure(one)?;
    let [publish, call, crossing, collect, kernel, dpdk, ref rest @ ..] = figures[..] else { return Ok(()) };
    let quiet = figures.iter().map(|figures| figures.quiet_slices).min().unwrap_or(0);
    let row = |variant, cycles| Measurement::derived(("mac-swap", "net_null", BURST, variant), cycles, quiet);
    let guest = call.cycles - crossing.cycles;
    let all = call.cycles + publish.cycles + collect.cycles;
    let twin = |m: Measurement, figures: crate::quiet::Figures, name| m.beside(figures).twin_in(name);
    lab.add(twin(row("guest : rte_bpf", guest), dpdk, "rte_bpf").aim(1.0, 0.0));
    lab.add(twin(row("with border : rte_bpf", all), dpdk, "rte_bpf").aim(1.0, 3.0));
    if let [rbpf] = rest {
        lab.add(twin(row("guest : rbpf", guest), *rbpf, "rbpf").aim(1.0, 0.0));
        lab.add(twin(row("with border : rbpf", all), *rbpf, "rbpf"));
    }
    lab.add(Measurement::new(("mac-swap", "net_null", BURST, "kernel:c"), kernel));
    Ok(())
}

fn one(lab: &mut Lab) -> Result<Vec<Samples>> {
    let words = mac_swap();
    let setup = Setup::new(lab, BURST, "1ms")
        .port("net_null0")
        .port("net_null1")
        .module("reflector", "")
        .own_module("nop")
        .receive("net_null0", &["reflector"])
        .receive("net_null1", &["nop"]);
    let mut on = setup.start(&lab.root)?;
    let n = usize::from(BURST);
    for chain in [SWAP, NOP] {
        ensure!(on.load(chain, n) == n, "a chain has no packets");
        on.call(chain, n);
    }
    let dpdk = DpdkBpf::new(&words, &[])?;
    let rbpf = Rbpf::new(&lab.root.join(RBPF), &words, &[]);
    if let Err(why) = &rbpf {
        println!("rbpf is not here, so its rows are missing: {why:#}");
    }
    let rbpf = rbpf.ok();
    verify(&mut on, &dpdk, rbpf.as_ref())?;
    let times = SLICE / u32::from(BURST);
    let repeat = |mut piece: Box<dyn FnMut(&mut Loop)>| -> Side<'_, Loop> {
        Box::new(move |on| {
            (0..times).for_each(|_| piece(on));
            u64::from(times) * u64::from(BURST)
        })
    };
    let mut kernel = Twin::new(Work::MacSwap, BURST, 0);
    // Publishing takes the verdicts back, which the call gives anew before they are collected.
    let mut sides: Vec<Side<'_, Loop>> = vec![
        repeat(Box::new(|on| on.publish(SWAP))),
        repeat(Box::new(move |on| on.call(SWAP, n))),
        repeat(Box::new(move |on| on.call(NOP, n))),
        repeat(Box::new(|on| on.collect(SWAP))),
        Box::new(|on| kernel.kernel(on, SWAP, times)),
        Box::new(|on| dpdk.each(on, SWAP, times)),
    ];
    if let Some(rbpf) = &rbpf {
        sides.push(Box::new(|on| rbpf.each(on, SWAP, times)));
    }
    let samples = lab.compare(&mut on, sides)?;
    [SWAP, NOP].into_iter().for_each(|chain| on.unload(chain));
    lab.finish(on)?;
    Ok(samples)
}

/// All three do the same.
fn verify(on: &mut Loop, dpdk: &DpdkBpf<'_>, rbpf: Option<&Rbpf<'_>>) -> Result<()> {
    let mut twin = Twin::new(Work::MacSwap, BURST, 0);
    twin.fill_random(on, SWAP, 60, 0);
    let before = crate::ffi::packets(on, SWAP)?;
    twin.kernel(on, SWAP, 1);
    let by_twin = crate::ffi::packets(on, SWAP)?;
    twin.kernel(on, SWAP, 1);
    dpdk.each(on, SWAP, 1);
    let by_dpdk = crate::ffi::packets(on, SWAP)?;
    match rbpf {
        Some(rbpf) => rbpf.each(on, SWAP, 1),
        None => twin.kernel(on, SWAP, 1),
    };
    let by_rbpf = crate::ffi::packets(on, SWAP)?;
    ensure!(
        by_twin == by_dpdk && by_rbpf == before && before != by_twin,
        "the programs do not swap what the twin swaps"
    );
    Ok(())
}

/// A program that swaps the first six bytes with the next six.
fn mac_swap() -> Vec<u64> {
    const LOAD: [u8; 2] = [0x61, 0x69];
    const STORE: [u8; 2] = [0x63, 0x6b];
    let at = |code: u8, registers: u8, offset: u8| [code, registers, offset, 0, 0, 0, 0, 0];
    // Registers: destination in the low half, source in the high one. r1 is the packet.
    let program = [
        at(LOAD[0], 0x12, 0),
        at(LOAD[1], 0x13, 4),
        at(LOAD[0], 0x14, 6),
        at(LOAD[1], 0x15, 10),
        at(STORE[0], 0x41, 0),
        at(STORE[1], 0x51, 4),
        at(STORE[0], 0x21, 6),
        at(STORE[1], 0x31, 10),
        // r0 = 0, and the end.
        at(0xb7, 0, 0),
        at(0x95, 0, 0),
    ];
    program.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect()
}
