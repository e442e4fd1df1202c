//! The engine: how modules are compiled.

use super::memory::Creator;
use super::ticker::Ticker;
use perigee_core::lock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use wasmtime::{Config, OptLevel, WasmBacktraceDetails};

/// Stack of a guest, unless it is granted another. An lcore's thread has this and plenty for the host's frames.
pub const WASM_STACK: usize = 512 << 10;
/// Stack of a thread that runs guests.
pub const THREAD_STACK: usize = 4 << 20;

/// For which CPU modules are compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// This machine's, with all that it can do.
    #[default]
    Host,
    /// The same code on every machine of its kind: on x86-64, what each server of the last fifteen years can do (x86-64-v2 of
    /// the System V ABI). For counts of instructions that are compared from machine to machine.
    Common,
}

/// How a call's time is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Metering {
    /// By the machine's time: a tick each millisecond.
    #[default]
    Epochs,
    /// By what is executed, which is the same each time (wasmtime's fuel: mostly one for an instruction); and nothing else of the
    /// machine shows either: NaN has one form.
    Fuel,
}

/// The engines of a run: the size of a guest's stack is a fact of its engine, so there is one for each size in use. They
/// differ in nothing else, and what one has compiled the others can run.
#[derive(Clone, Debug, Default)]
pub struct Engines {
    target: Target,
    metering: Metering,
    made: Arc<Mutex<BTreeMap<u64, wasmtime::Engine>>>,
}

impl Engines {
    /// None yet; those to come compile for this CPU.
    #[must_use]
    pub fn for_target(target: Target) -> Self {
        Self { target, ..Self::default() }
    }

    /// None yet; calls into what they run are measured so.
    #[must_use]
    pub fn metered(metering: Metering) -> Self {
        Self { metering, ..Self::default() }
    }

    /// How calls are measured.
    #[must_use]
    pub fn metering(&self) -> Metering {
        self.metering
    }

    /// The engine for guests with a stack of so many bytes; made when it is first asked for.
    pub fn of(&self, stack: u64) -> Result<wasmtime::Engine, perigee_report::Error> {
        let mut engines = lock(&self.made);
        if let Some(engine) = engines.get(&stack) {
            return Ok(engine.clone());
        }
        let mut settings = settings(self.metering);
        settings.max_wasm_stack(usize::try_from(stack).unwrap_or(WASM_STACK));
        if self.target == Target::Common {
            common(&mut settings)?;
        }
        let engine = make(&settings)?;
        engines.insert(stack, engine.clone());
        Ok(engine)
    }

    /// Advances all epochs.
    pub(super) fn tick(&self) {
        let engines = lock(&self.made);
        engines.values().for_each(wasmtime::Engine::increment_epoch);
    }
}

/// One engine, for guests with the usual stack, and the ticker that it needs.
pub fn new() -> Result<(wasmtime::Engine, Ticker), perigee_report::Error> {
    let engines = Engines::default();
    let engine = engines.of(WASM_STACK as u64)?;
    Ok((engine, Ticker::start(&engines)))
}

/// An engine for a process that compiles one module: with one thread, whose memory can be limited. What it compiles, all
/// engines of a run can run.
pub fn for_worker(metering: Metering) -> Result<wasmtime::Engine, perigee_report::Error> {
    make(settings(metering).parallel_compilation(false))
}

fn make(config: &Config) -> Result<wasmtime::Engine, perigee_report::Error> {
    super::stack::look();
    wasmtime::Engine::new(config)
        .map_err(|e| perigee_report::Error::Memory(format!("the wasm engine did not start: {e:#}")))
}

/// Our memories, and as few features as modules need.
fn settings(metering: Metering) -> Config {
    let virtual_time = metering == Metering::Fuel;
    let mut config = Config::new();
    config
        .with_host_memory(Arc::new(Creator))
        // A copy-on-write image would be mapped over a memory that is not the engine's own (wasmtime#10740).
        .memory_init_cow(false)
        .memory_may_move(false)
        .memory_reservation(4 << 30)
        .memory_guard_size(32 << 20)
        .guard_before_linear_memory(false)
        .epoch_interruption(!virtual_time)
        .consume_fuel(virtual_time)
        .cranelift_nan_canonicalization(virtual_time)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_simd(true)
        .wasm_bulk_memory(true)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false);
    config
}

/// Nothing is asked of this machine's CPU beyond what its kind has.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[allow(unsafe_code, reason = "the engine's word for settings that it does not check")]
fn common(config: &mut Config) -> Result<(), perigee_report::Error> {
    // A target by its name takes the machine's features away.
    let named = config.target("x86_64-unknown-linux-gnu");
    named.map_err(|e| perigee_report::Error::Memory(format!("the wasm engine has no common target: {e:#}")))?;
    for feature in ["has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt"] {
        // SAFETY:
        // - features of the CPU alone, which the engine compares with the machine's before it runs what it compiled.
        unsafe { config.cranelift_flag_enable(feature) };
    }
    Ok(())
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
#[expect(clippy::unnecessary_wraps, reason = "where there is a name for it, it may be unknown")]
fn common(_: &mut Config) -> Result<(), perigee_report::Error> {
    Ok(())
}
