//! Instructions, counted exactly: the same number on every run of the same binary, however noisy the machine is.

use crate::ffi::{self, Twin};
use crate::lab::{Lab, apart};
use crate::pieces::{BURST, CHAINS, MIXED, NOP, load, setup};
use crate::report::{self, Instructions};
use crate::sdk;
use anyhow::{Context as _, Result, ensure};
use perigee_runtime::LoneFilter as Lone;
use perigee_runtime::bench::Loop;
use std::hint::black_box;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Longer than all takes: a tick or a deadline in the middle would be counted too.
const TICK: &str = "10s";

/// Filters, and how many frames of a burst of UDP by IPv4 pass them: one that looks at the type of the frame, one that stops at
/// the protocol, one that goes through all headers to a port.
const FILTERS: [(&str, usize); 3] =
    [("ip", BURST as usize), ("tcp port 80", 0), ("udp portrange 1-65535", BURST as usize)];
/// The chain with those frames.
const TEMPLATE: usize = 0;
/// The one whose packets come from a port.
const MAC_SWAP: usize = 2;

/// With these glibc copies bytes in the same way on each CPU, which else chooses by what it can do.
const TUNABLES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-SSSE3,-ERMS,-FSRM");

/// Goes on in a process whose library functions are the same on every machine: they are bound before `main`.
pub(crate) fn with_common_functions() -> Result<()> {
    if std::env::var_os(TUNABLES.0).is_some_and(|value| value == TUNABLES.1) {
        return Ok(());
    }
    let program = std::env::current_exe().context("where am I?")?;
    let mut again = Command::new(program);
    Err(again.args(std::env::args_os().skip(1)).env(TUNABLES.0, TUNABLES.1).exec()).context("cannot start myself again")
}

/// What was counted.
#[derive(Default)]
struct Counts(Vec<Instructions>);

impl Counts {
    /// Counts one piece of the work on a burst.
    fn add(&mut self, what: (&str, &str), run: impl FnMut()) -> Result<()> {
        self.add_within(what, 0, run)
    }

    /// Counts a piece that takes memory, which is a few instructions more or less from time to time: at most one in a hundred.
    fn add_allocating(&mut self, what: (&str, &str), run: impl FnMut()) -> Result<()> {
        self.add_within(what, 10, run)
    }

    /// The larger of two counts, which may differ by so many thousandths.
    fn add_within(&mut self, (work, piece): (&str, &str), thousandths: u64, mut run: impl FnMut()) -> Result<()> {
        // By one address each time: put in line, the same work may take another instruction here than there.
        let count = |work: &mut dyn FnMut()| ffi::count_steps(black_box(work));
        let empty = count(&mut || {})?;
        // The first time may bind a shared library's function.
        run();
        let counts = [count(&mut run)?, count(&mut run)?];
        let [least, most] = [counts[0].min(counts[1]), counts[0].max(counts[1])];
        ensure!((most - least) * 1_000 <= most * thousandths, "{work} {piece} takes {counts:?} instructions");
        let instructions = most - empty;
        self.0.push(Instructions {
            work: work.to_owned(),
            burst: BURST,
            piece: piece.to_owned(),
            burst_instructions: instructions,
            per_packet: report::round(instructions as f64 / f64::from(BURST)),
        });
        Ok(())
    }
}

/// Counts the pieces of each work.
pub(crate) fn count(lab: &mut Lab) -> Result<Vec<Instructions>> {
    println!("\nInstructions of one burst of {BURST}, and by packet");
    let mut counts = Counts::default();
    apart(|| pieces(lab, &mut counts))?;
    for case in &sdk::CASES {
        sdk::compare(lab, case)?;
        apart(|| beside_raw(lab, case, &mut counts))?;
    }
    for i in &counts.0 {
        println!("{:<13} {:<21} {:>7} {:>8.2}", i.work, i.piece, i.burst_instructions, i.per_packet);
    }
    Ok(counts.0)
}

fn pieces(lab: &mut Lab, counts: &mut Counts) -> Result<()> {
    let mut on = setup(lab, TICK).for_all_machines().start(&lab.root)?;
    load(&mut on)?;
    let n = usize::from(BURST);
    counts.add(("nothing", "crossing"), || on.call(NOP, n))?;
    for (chain, (work, name)) in CHAINS.into_iter().enumerate() {
        let mut twin = Twin::new(work, BURST, 0);
        counts.add((name, "publish"), || on.publish(chain))?;
        counts.add((name, "call"), || on.call(chain, n))?;
        counts.add((name, "collect"), || on.collect(chain))?;
        counts.add((name, "twin's kernel"), || {
            twin.kernel(&mut on, chain, 1);
        })?;
    }
    filters(&mut on, counts)?;
    on.give_hashes(MAC_SWAP);
    counts.add(("mac-swap", "publish with hashes"), || on.publish(MAC_SWAP))?;
    // What being watched costs an lcore, once for each answer with figures, however many packets there are in between.
    counts.add_allocating(("watched", "report"), || {
        black_box(on.report());
    })?;
    (0..=NOP).for_each(|chain| on.unload(chain));
    // From port to port: nothing but the host's work, one verdict for all, and a batch of mixed ones.
    for (chain, name) in [(NOP, "nothing"), (MAC_SWAP, "mac-swap"), (MIXED, "mixed")] {
        on.suspend_deadline(chain);
        counts.add((name, "poll"), || {
            on.poll(chain);
        })?;
        on.resume_deadline(chain);
    }
    lab.finish(on)
}

/// Filters on frames that udp-gen has made: a chain without one runs none of this.
fn filters(on: &mut Loop, counts: &mut Counts) -> Result<()> {
    for (text, passing) in FILTERS {
        let filter = Lone::new(text).map_err(anyhow::Error::msg)?;
        let passed = on.filter(TEMPLATE, &filter);
        ensure!(passed == passing, "{passed} of {BURST} frames pass {text:?}");
        counts.add(("filter", text), || {
            on.filter(TEMPLATE, &filter);
        })?;
    }
    Ok(())
}

/// The call of udp-gen, and of the module that does the same on raw pointers.
fn beside_raw(lab: &mut Lab, case: &sdk::Case, counts: &mut Counts) -> Result<()> {
    let mut on: Loop = sdk::setup(lab, case, TICK).for_all_machines().start(&lab.root)?;
    sdk::load(&mut on)?;
    for (chain, piece) in [(sdk::SDK, "SDK's call"), (sdk::RAW, "raw call")] {
        counts.add((case.name, piece), || on.call(chain, sdk::BURST.into()))?;
    }
    sdk::unload(&mut on);
    lab.finish(on)
}
