//! Generated modules: functions that wasm-smith makes of random numbers, called by callbacks that fit the ABI, so that nearly
//! all load and run. No panic, no signal, whatever they do.

mod shape;

use anyhow::{Context, Result};
use arbitrary::Unstructured;
use perigee_runtime::Limits;
use perigee_runtime::trial::{Failure, Packet, Setting, Subject, Trial};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Batches that each gets.
pub const BATCHES: u32 = 1_000;
/// A deadline that many batches fit into, and a window with a few rooms.
const LIMITS: Limits = Limits {
    memory: 160 << 20,
    deadline: Duration::from_millis(2),
    control_deadline: Duration::from_millis(2),
    targets: 0,
    reads: false,
    table: 65_536,
};
/// Bytes of randomness that a module is made of.
const ENTROPY: usize = 4_096;

/// What became of generated modules.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Made, and given to the host.
    pub generated: u64,
    /// Taken by the host.
    pub loaded: u64,
    /// Started: `init` said yes.
    pub started: u64,
    /// Lived through all batches.
    pub lived: u64,
    /// Batches that ended well.
    pub batches: u64,
    /// Writes into rooms that were not theirs, seen by the trial.
    pub trespasses: u64,
    /// Why they were not taken, or ended: by the first words of the reason.
    pub ends: BTreeMap<String, u64>,
    /// What became of their packets.
    pub fates: BTreeMap<String, u64>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.generated += other.generated;
        self.loaded += other.loaded;
        self.started += other.started;
        self.lived += other.lived;
        self.batches += other.batches;
        self.trespasses += other.trespasses;
        for (ours, theirs) in [(&mut self.ends, other.ends), (&mut self.fates, other.fates)] {
            theirs.into_iter().for_each(|(name, n)| *ours.entry(name).or_insert(0) += n);
        }
    }

    fn ended(&mut self, text: &str) {
        *self.ends.entry(reason(text)).or_insert(0) += 1;
    }
}

/// The first words of a reason, without numbers: one of a few.
fn reason(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    if let Some((_, cause)) = text.split_once("wasm trap: ") {
        // Behind it stand the addresses of an access outside the memory, which differ each time.
        return cause.lines().next().and_then(|line| line.split(" (").next()).unwrap_or("").to_owned();
    }
    let cause = line.rsplit_once("\": ").map_or(line, |(_, cause)| cause);
    let cause = cause.split_once(": the call used").map_or(cause, |(word, _)| word);
    cause.chars().filter(|c| !c.is_ascii_digit()).take(160).collect()
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) fn splitmix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Random bytes: the same for the same seed.
fn bytes(seed: u64, n: usize) -> Vec<u8> {
    (0..n.div_ceil(8) as u64).flat_map(|i| splitmix(seed ^ splitmix(i)).to_le_bytes()).take(n).collect()
}

/// The module of a seed, as WebAssembly.
///
/// # Errors
/// The randomness does not suffice, or what was made of it cannot be read: both are mistakes of this program.
pub fn module(seed: u64) -> Result<Vec<u8>> {
    let entropy = bytes(seed, ENTROPY);
    let mut source = Unstructured::new(&entropy);
    let made = wasm_smith::Module::new(shape::config(seed), &mut source).context("wasm-smith makes nothing of it")?;
    shape::wrap(&made.to_bytes(), seed)
}

/// Makes so many modules, from `seed` on, tries each, and says what became of them. All cores take part.
///
/// # Errors
/// As for [`module`]; what the host refuses or ends is no error.
pub fn try_all(count: u64, seed: u64, batches: u32) -> Result<Tally> {
    let next = AtomicU64::new(0);
    let all = Mutex::new(Ok(Tally::default()));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            let tried = module(seed.wrapping_add(number)).map(|wasm| try_one(&wasm, number, batches));
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            match (&mut *all, tried) {
                (Ok(tally), Ok(one)) => tally.add(one),
                (Ok(_), Err(error)) => *all = Err(error.context(format!("seed {}", seed.wrapping_add(number)))),
                (Err(_), _) => return,
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // A guest's stack and the host's frames above it: as an lcore's.
    let stack = 4 << 20;
    std::thread::scope(|scope| -> Result<()> {
        for _ in 0..cores {
            std::thread::Builder::new().stack_size(stack).spawn_scoped(scope, work)?;
        }
        Ok(())
    })?;
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Loads, starts and calls a module.
fn try_one(wasm: &[u8], seed: u64, batches: u32) -> Tally {
    let mut tally = Tally { generated: 1, ..Tally::default() };
    let subject = match Subject::from_bytes("generated", wasm, LIMITS) {
        Ok(subject) => subject,
        Err(error) => {
            tally.ended(&error.to_string());
            return tally;
        }
    };
    tally.loaded = 1;
    let setting = Setting { rooms: 40, hold: 8, seed, config: Vec::new(), ..Setting::default() };
    match Trial::start(&subject, &setting).and_then(|mut trial| {
        tally.started = 1;
        calls(&mut trial, seed, batches, &mut tally)
    }) {
        Ok(()) => tally.lived = 1,
        Err(failure) => tally.ended(&failure.to_string()),
    }
    tally
}

/// All the calls that a run makes: batches, ticks, and what the control side asks.
fn calls(trial: &mut Trial, seed: u64, batches: u32, tally: &mut Tally) -> Result<(), Failure> {
    for number in 0..batches {
        let n = number % 5;
        let packet = |i: u32| Packet {
            bytes: bytes(seed ^ u64::from(number << 8 | i), 14 + (number as usize * 7 + i as usize) % 200),
            ..Packet::default()
        };
        let packets: Vec<Packet> = (0..n).map(packet).collect();
        let outcome = if number % 64 == 63 { trial.tick(false)? } else { trial.process(&packets)? };
        tally.batches += 1;
        tally.trespasses += outcome.trespasses.len() as u64;
        for seen in outcome.packets.iter().chain(&outcome.listed) {
            let name = match seen.fate {
                perigee_runtime::trial::Fate::Tx(_) => "tx".to_owned(),
                perigee_runtime::trial::Fate::Ring(_) => "ring".to_owned(),
                fate => fate.to_string(),
            };
            *tally.fates.entry(name).or_insert(0) += 1;
        }
        if number % 256 == 255 {
            // A refusal is an answer; a trap is the end.
            let asked = |answer: Result<(), Failure>| match answer {
                Err(Failure::Trap(text)) => Err(Failure::Trap(text)),
                _ => Ok(()),
            };
            asked(trial.message(b"what now?").map(drop))?;
            asked(trial.save().map(drop))?;
            asked(trial.restore(b"as before"))?;
            let _ = trial.log();
        }
    }
    Ok(())
}
