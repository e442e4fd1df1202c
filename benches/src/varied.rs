//! One thing varied, the others left: how far packets lie apart in memory, how long they are, and how many lcores work.

use crate::ffi::{Twin, Work};
use crate::lab::{Lab, Setup, settle};
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
/// Packets that come one after the other before the first one comes again; a packet is three lines of the cache and more, its
/// header's two and its first one. More than some 29,000 do not fit the window that a module has where it asks for no other.
const SETS: [(u32, &str); 2] = [(1_023, "set:L2"), (16_383, "set:L3")];
const SIZES: [(u16, &str); 3] = [(60, "size:60"), (590, "size:590"), (1_514, "size:1514")];
/// For lengths all packets are in the L2 cache as far as they are looked at.
const NEAR: u32 = 1_023;
/// Windows of time of each number of lcores.
const TURNS: u32 = 5;

/// Measures what is varied of a MAC swap.
pub(crate) fn measure(lab: &mut Lab, quick: bool) -> Result<()> {
    println!("{}", report::head("One thing varied: where packets lie, their length, the number of lcores"));
    for (count, variant) in SETS {
        one(lab, count, 60, variant)?;
    }
    for (len, variant) in SIZES {
        one(lab, NEAR, len, variant)?;
    }
    lcores(lab, if quick { Duration::from_millis(50) } else { Duration::from_millis(400) })
}

fn one(lab: &mut Lab, count: u32, len: u16, variant: &str) -> Result<()> {
    let figures = lab.measure(|lab| swaps(lab, count, len))?;
    let row = Measurement::new(("mac-swap", "net_ring", BURST, variant), figures[0]).beside(figures[1]);
    lab.add(row.aim(1.0, 4.0));
    Ok(())
}

/// A loop, the twin on it, and all packets.
struct Swap {
    on: Loop,
    twin: Twin,
    stash: Stash,
    taken: u64,
}

fn swaps(lab: &mut Lab, count: u32, len: u16) -> Result<Vec<Samples>> {
    let device = lab.new_device("net_ring");
    let setup = Setup::new(lab, BURST, "1ms").pool(count).port(&device);
    let on = setup.module("reflector", "").receive(&device, &["reflector"]).start(&lab.root)?;
    let stash = Stash::new(&on, count, len)?;
    let mut swap = Swap { on, twin: Twin::new(Work::MacSwap, BURST, 0), stash, taken: 0 };
    let feed = || -> Prepare<'_, Swap> {
        Box::new(|swap| {
            swap.taken += swap.stash.take(&mut swap.on);
            swap.stash.feed(&mut swap.on, PACKETS)
        })
    };
    let mut sides: Vec<Side<'_, Swap>> =
        vec![Box::new(|swap| polls(&mut swap.on, 0, BURSTS)), Box::new(|swap| swap.twin.run(&mut swap.on, 0, BURSTS))];
    let samples = quiet::interleave_prepared(&mut swap, &mut [feed(), feed()], &mut sides, lab.floor, lab.plan)?;
    swap.taken += swap.stash.take(&mut swap.on);
    ensure!(swap.taken.is_multiple_of(u64::from(PACKETS)), "{} packets came back: some are missing", swap.taken);
    drop(swap.stash);
    lab.finish(swap.on)?;
    Ok(samples)
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
