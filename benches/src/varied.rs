//! One thing varied, the others left: how far packets lie apart in memory, how long they are, and how many lcores work.

use crate::ffi::{Twin, Work};
use crate::lab::{Lab, Setup, settle};
use crate::machine;
use crate::quiet::{self, Figures, Prepare, Samples, Side};
use crate::report::{self, Measurement};
use crate::stash::Stash;
use crate::works::{generator_config, polls};
use anyhow::{Result, ensure};
use perigee_runtime::bench::Loop;
use std::path::Path;
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const BURST: u16 = 64;
/// Bursts of a slice: what fits into a ring of 1,024.
const BURSTS: u32 = 15;
const PACKETS: u32 = BURSTS * BURST as u32;
/// Packets that come one after the other before the first one comes again. More than some 29,000 do not fit the window that a module has
/// where it asks for no other.
const SETS: [(u32, &str); 2] = [(1_023, "set:L2"), (16_383, "set:L3")];
/// About as many as fit the window of 512 MiB that `benches/modules/far` asks for: each 2 MiB have 936 rooms.
const FAR: u32 = 232_000;
/// Of the module that has it.
const MEMORY: &str = "1G";
/// Of a line of the cache, and how many of them a packet's header is.
const LINE: u64 = 64;
const HEADER_LINES: u64 = 2;
/// Length of a packet whose payload is scanned.
const SCANNED: u16 = 1_500;
const SIZES: [(u16, &str); 3] = [(60, "size:60"), (590, "size:590"), (1_514, "size:1514")];
/// For lengths all packets are in the L2 cache as far as they are looked at.
const NEAR: u32 = 1_023;
/// Cycles that a stage may take.
const STAGE: f64 = 4.0;
/// Windows of time of each number of lcores.
const TURNS: u32 = 5;

/// A work on packets that come back.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    work: Work,
    /// What does it, and its configuration.
    module: (&'static str, &'static str),
    /// How many packets there are, and how long they are.
    count: u32,
    len: u16,
}

const SWAP: Case = Case { name: "mac-swap", work: Work::MacSwap, module: ("reflector", ""), count: NEAR, len: 60 };
const FAR_SWAP: Case = Case { module: ("far", "{ work = \"swap\" }"), count: FAR, ..SWAP };
const SCAN: Case =
    Case { name: "payload-scan", work: Work::Sum, module: ("far", "{ work = \"scan\" }"), count: NEAR, len: SCANNED };

impl Case {
    /// Bytes in the lines that a round touches: a packet's header, and of its data what is looked at.
    fn touched(&self) -> u64 {
        let looked_at = if self.work == Work::Sum { u64::from(self.len) } else { 14 };
        u64::from(self.count) * LINE * (HEADER_LINES + looked_at.div_ceil(LINE))
    }

    /// A row's name, with what is touched.
    fn variant(&self, name: &str) -> String {
        let mib = self.touched() as f64 / f64::from(1 << 20);
        format!("{name}, {mib:.*} MiB", usize::from(mib < 10.0))
    }
}

/// Measures what is varied.
pub(crate) fn measure(lab: &mut Lab, quick: bool) -> Result<()> {
    println!("{}", report::head("One thing varied: where packets lie, their length, the number of lcores"));
    for (count, name) in SETS {
        let case = Case { count, ..SWAP };
        one(lab, &case, &case.variant(name), Some(STAGE))?;
    }
    in_memory(lab, &FAR_SWAP, Some(STAGE))?;
    for (len, name) in SIZES {
        one(lab, &Case { len, ..SWAP }, name, Some(STAGE))?;
    }
    one(lab, &SCAN, &SCAN.variant("set:near"), None)?;
    in_memory(lab, &Case { count: FAR, ..SCAN }, None)?;
    lcores(lab, if quick { Duration::from_millis(50) } else { Duration::from_millis(400) })
}

/// Where more is touched than the caches of this machine hold.
fn in_memory(lab: &mut Lab, case: &Case, more: Option<f64>) -> Result<()> {
    let cache = machine::largest_cache();
    if case.touched() <= cache {
        let mib = |bytes: u64| bytes >> 20;
        println!("{}: {} MiB are not more than the {} of the cache", case.name, mib(case.touched()), mib(cache));
        return Ok(());
    }
    one(lab, case, &case.variant("set:memory"), more)
}

/// `more`: so many cycles above the twin are aimed at.
fn one(lab: &mut Lab, case: &Case, variant: &str, more: Option<f64>) -> Result<()> {
    let figures = lab.measure(|lab| in_turns(lab, case))?;
    let row = Measurement::new((case.name, "net_ring", BURST, variant), figures[0]).beside(figures[1]);
    lab.add(match more {
        Some(more) => row.aim(1.0, more),
        None => row,
    });
    Ok(())
}

/// A loop, the twin on it, and all packets.
struct Turns {
    on: Loop,
    twin: Twin,
    stash: Stash,
    taken: u64,
}

fn in_turns(lab: &mut Lab, case: &Case) -> Result<Vec<Samples>> {
    let device = lab.new_device("net_ring");
    let (module, config) = case.module;
    let setup = Setup::new(lab, BURST, "1ms").pool(case.count).memory(MEMORY).port(&device);
    let mut on = setup.module(module, config).receive(&device, &[module]).start(&lab.root)?;
    let mut twin = Twin::new(case.work, BURST, 0);
    verify(&mut on, &mut twin, case)?;
    let stash = Stash::new(&on, case.count, case.len)?;
    let mut turns = Turns { on, twin, stash, taken: 0 };
    let feed = || -> Prepare<'_, Turns> {
        Box::new(|turns| {
            turns.taken += turns.stash.take(&mut turns.on);
            turns.stash.feed(&mut turns.on, PACKETS)
        })
    };
    let mut sides: Vec<Side<'_, Turns>> = vec![
        Box::new(|turns| polls(&mut turns.on, 0, BURSTS)),
        Box::new(|turns| turns.twin.run(&mut turns.on, 0, BURSTS)),
    ];
    let samples = quiet::interleave_prepared(&mut turns, &mut [feed(), feed()], &mut sides, lab.floor, lab.plan)?;
    turns.taken += turns.stash.take(&mut turns.on);
    ensure!(turns.taken.is_multiple_of(u64::from(PACKETS)), "{} packets came back: some are missing", turns.taken);
    drop(turns.stash);
    lab.finish(turns.on)?;
    Ok(samples)
}

/// The module does what the twin does: a scan leaves the same sum, and a swap of both is none.
fn verify(on: &mut Loop, twin: &mut Twin, case: &Case) -> Result<()> {
    let n = usize::from(BURST);
    twin.fill(on, BURST.into())?;
    ensure!(on.load(0, n) == n, "the chain has no packets");
    twin.fill_random(on, 0, case.len, 0);
    on.publish(0);
    let is_same = if case.work == Work::Sum {
        let before = Twin::results(on, 0);
        on.call(0, n);
        let by_module = Twin::results(on, 0);
        twin.kernel(on, 0, 1);
        by_module == Twin::results(on, 0) && by_module != before
    } else {
        let heads = |on: &mut Loop| Twin::heads(on, 0);
        let before = heads(on);
        on.call(0, n);
        let by_module = heads(on);
        twin.kernel(on, 0, 1);
        by_module != before && heads(on) == before
    };
    on.unload(0);
    ensure!(is_same, "{}: the module does not what its twin does", case.name);
    Ok(())
}

/// What a second lcore gains, by a module and by C: cycles of one CPU for a packet of all lcores together.
fn lcores(lab: &mut Lab, window: Duration) -> Result<()> {
    let cpus = perigee_runtime::config::allowed_cpus();
    let Some(second) = cpus.iter().copied().find(|cpu| *cpu != lab.cpu) else {
        println!("there is one CPU, so there is no row for a second lcore");
        return Ok(());
    };
    let sets = [vec![lab.cpu], vec![lab.cpu, second]];
    let mut cycles: [[Vec<f64>; 2]; 2] = Default::default();
    for _ in 0..TURNS {
        for (cpus, cycles) in sets.iter().zip(&mut cycles) {
            let rates = together(lab, cpus, window)?;
            for (cycles, rate) in cycles.iter_mut().zip(rates) {
                cycles.push(lab.tsc_hz as f64 / rate);
            }
        }
    }
    let [one, two] = cycles.map(|sides| sides.map(Figures::of_windows));
    let row = |variant, sides: [Figures; 2]| {
        Measurement::new(("template", "net_null", BURST, variant), sides[0]).beside(sides[1])
    };
    lab.add(row("lcores:1", one));
    // As much as the twin gains, within a twentieth.
    let gained = two[1].cycles / one[1].cycles;
    lab.add(row("lcores:2", two).aim_at(one[0].cycles * gained * 1.05));
    Ok(())
}

/// Packets per second of all CPUs together: by modules, then by C.
fn together(lab: &mut Lab, cpus: &[u32], window: Duration) -> Result<[f64; 2]> {
    let setups: Vec<_> = cpus
        .iter()
        .map(|cpu| {
            let device = lab.new_device("net_null");
            let setup = Setup::new(lab, BURST, "1ms").on(*cpu).port(&device);
            setup.module("udp-gen", generator_config(Work::Template)).generate("udp-gen", &[], &device)
        })
        .collect();
    let (lock, barrier, root) = (Mutex::new(0), Barrier::new(setups.len()), &lab.root);
    let results: Vec<Result<[f64; 2]>> = thread::scope(|scope| {
        let one = |setup| lcore(setup, root, window, &lock, &barrier);
        let threads: Vec<_> = setups.iter().map(|setup| scope.spawn(move || one(setup))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|p| std::panic::resume_unwind(p))).collect()
    });
    lab.tsc_hz = lock.into_inner().unwrap_or(lab.tsc_hz);
    results.into_iter().try_fold([0.0; 2], |all, rates| rates.map(|rates| [all[0] + rates[0], all[1] + rates[1]]))
}

/// A loop of its own. `lock` has the rate of the clock, and lets one start or end at a time.
fn lcore(setup: &Setup, root: &Path, window: Duration, lock: &Mutex<u64>, barrier: &Barrier) -> Result<[f64; 2]> {
    let start = || -> Result<Loop> {
        let mut hz = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let on = setup.start(root)?;
        *hz = on.tsc_hz();
        Ok(on)
    };
    let mut on = start();
    let mut twin = Twin::new(Work::Template, BURST, 0);
    let mut rate = |work: &mut dyn FnMut(&mut Loop) -> u64| {
        // Also where the loop has not started: the others wait for it.
        barrier.wait();
        let (start, mut packets) = (Instant::now(), 0);
        while let Ok(on) = &mut on
            && start.elapsed() < window
        {
            packets += work(on);
        }
        packets as f64 / start.elapsed().as_secs_f64()
    };
    let rates = [rate(&mut |on| polls(on, 0, 64)), rate(&mut |on| twin.run(on, 0, 64))];
    barrier.wait();
    let _one = lock.lock().unwrap_or_else(PoisonError::into_inner);
    settle(on?)?;
    Ok(rates)
}
