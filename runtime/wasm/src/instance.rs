//! An instance of a module, on one lcore: its window mapped, its callbacks ready.
#![allow(unsafe_code, reason = "turns checked guest addresses into host pointers, and maps the window")]

use super::area::{Area, Mailbox};
use super::flat::Flat;
use super::host::{Host, Link};
use super::mirror::Mirror;
use super::module::{Module, instantiate};
use super::share::Reader;
use super::ticker::ticks;
use super::trace::Trace;
use crate::trap::Trapped;
use perigee_abi::{ABI_VERSION, MAX_COUNTERS, WINDOW_ALIGN, names};
use perigee_report::Numbers;
use perigee_report::text;
use std::ptr::NonNull;
use std::sync::Arc;
use wasmtime::{Memory, Store, TypedFunc};

mod access;
mod fields;
mod region;

pub use access::{GlobalValue, global_export};

/// A started module with its packets in sight.
pub struct Instance {
    store: Store<Host>,
    memory: Memory,
    /// The batch area.
    pub area: Area,
    mailbox: Mailbox,
    /// Guest address of the mapped region.
    pub window: u32,
    /// Its flat state region, where it declares one. Fields are dropped in order: the memory goes before.
    pub flat: Option<Flat>,
    /// Another instance's, in place of its own.
    mirror: Option<Mirror>,
    /// Version of the state that `save` writes.
    pub state_version: u32,
    calls: Calls,
    /// Ticks within which no call on the data path can have been late.
    patience: u64,
    /// Fuel of a call on the data path, and of any other, where calls are measured by that.
    fuel: Option<(u64, u64)>,
    /// The next call on the data path gets none.
    exhausted: bool,
    /// Fuel that calls on the data path have used since somebody asked.
    used: u64,
    numbers: Numbers,
    /// The engine's handle: what is exported beside the callbacks.
    instance: wasmtime::Instance,
    /// By how many bytes the code lies further behind in what was compiled than in the module's file.
    pub code_shift: u64,
}

/// The callbacks that are there.
struct Calls {
    init: Option<TypedFunc<u32, i32>>,
    prefill: Option<TypedFunc<u32, ()>>,
    generate: Option<TypedFunc<u32, ()>>,
    process: Option<TypedFunc<u32, ()>>,
    tick: Option<TypedFunc<(), ()>>,
    message: Option<TypedFunc<u32, i32>>,
    save: Option<TypedFunc<(), i32>>,
    restore: Option<TypedFunc<u32, i32>>,
}

/// Why a request to a module has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// It trapped, or passed its deadline: its state is not to be trusted any more.
    #[error("{0}")]
    Trap(Arc<Trapped>),
    /// It said no, or cannot be asked.
    #[error("{0}")]
    No(String),
    /// Its answer breaks the ABI.
    #[error("{0}")]
    Broken(String),
}

/// Which callback gets a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callback {
    /// `prefill`.
    Prefill,
    /// `generate`.
    Generate,
    /// `process`.
    Process,
    /// `tick`.
    Tick,
}

impl Callback {
    /// The function's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prefill => names::PREFILL,
            Self::Generate => names::GENERATE,
            Self::Process => names::PROCESS,
            Self::Tick => names::TICK,
        }
    }
}

impl Instance {
    /// Instantiates a module and lets `map` lay the region (of `region_len` bytes) into its window.
    ///
    /// # Errors
    /// As a text: the module traps at its start, or its window is too small.
    pub fn new(
        module: &Module,
        host: Host,
        region_len: usize,
        map: impl FnOnce(*mut u8) -> Result<(), perigee_report::Error>,
    ) -> Result<Self, String> {
        let n = module.numbers;
        if let Some(lacks) = module.describe().window_lacks(region_len as u64) {
            return Err(lacks);
        }
        let (patience, fuel) = (host.deadline.patience(), host.deadline.fuel());
        let (mut store, instance) = instantiate(&module.pre, host)?;
        let fuel = store.get_fuel().is_ok().then_some(fuel);
        store.data_mut().set_batch(n.batch);
        let memory = instance.get_memory(&mut store, names::MEMORY).ok_or("exports no memory")?;
        let base = NonNull::new(memory.data_ptr(&store)).ok_or("its memory is empty")?;
        let window = n.window.next_multiple_of(WINDOW_ALIGN);
        // SAFETY:
        // - Module::compile checked that window, batch area and mailbox lie inside the memory's minimum size.
        let at = |offset: u32| unsafe { base.add(offset as usize) };
        map(at(window).as_ptr()).map_err(|e| e.to_string())?;
        let (state, state_len) = n.state_region();
        let reader = match &mut store.data_mut().region {
            Link::Others(reader) => reader.take(),
            _ => None,
        };
        // SAFETY:
        // - Module::compile checked that the range lies inside the memory's minimum size and apart from the others; its
        //   first multiple of 2 MiB is one in the host too. The memory lives in the store beside it.
        let (flat, mirror) = unsafe { lay_state(at(state), state_len as usize, reader) }?;
        // SAFETY:
        // - inside the memory and aligned (checked there); the memory never moves and lives in the same store.
        let area = unsafe { Area::new(at(n.batch)) };
        // SAFETY:
        // - as above.
        let mailbox = unsafe { Mailbox::new(at(n.mailbox), n.mailbox_len as usize) };
        let calls = Calls {
            init: instance.get_typed_func(&mut store, names::INIT).ok(),
            prefill: instance.get_typed_func(&mut store, names::PREFILL).ok(),
            generate: instance.get_typed_func(&mut store, names::GENERATE).ok(),
            process: instance.get_typed_func(&mut store, names::PROCESS).ok(),
            tick: instance.get_typed_func(&mut store, names::TICK).ok(),
            message: instance.get_typed_func(&mut store, names::MESSAGE).ok(),
            save: instance.get_typed_func(&mut store, names::SAVE).ok(),
            restore: instance.get_typed_func(&mut store, names::RESTORE).ok(),
        };
        let mut instance = Self {
            store,
            memory,
            area,
            mailbox,
            window,
            flat,
            mirror,
            state_version: n.state_version,
            calls,
            patience,
            fuel,
            exhausted: false,
            used: 0,
            numbers: n,
            instance,
            code_shift: 0,
        };
        instance.area.update_header(|h| {
            h.stride = 64;
            h.abi = ABI_VERSION;
            h.window = window;
            h.window_len = u32::try_from(region_len).unwrap_or(u32::MAX);
            h.state = if state_len == 0 { 0 } else { state };
            h.state_len = state_len;
        });
        instance.resume_deadline();
        Ok(instance)
    }

    /// Calls back with a batch of `count` packets, which is published. A callback that is not there does nothing.
    #[inline]
    pub fn call(&mut self, callback: Callback, count: u32) -> Result<(), Arc<Trapped>> {
        let result = match callback {
            Callback::Prefill => {
                let f = self.calls.prefill.clone();
                f.map_or(Ok(()), |f| self.control_call(|store| f.call(store, count)))
            }
            _ => self.data_call(callback, count),
        };
        result.map_err(|e| self.trapped(callback.name(), &e))
    }

    /// A call on the data path.
    #[inline]
    fn data_call(&mut self, callback: Callback, count: u32) -> Result<(), wasmtime::Error> {
        self.enter();
        if let Some((fuel, _)) = self.fuel {
            return self.fuelled_call(callback, count, fuel);
        }
        let before = ticks();
        self.store.data_mut().deadline.begin();
        self.bare_call(callback, count)?;
        // One that came back by itself may be late all the same: in one long bulk operation nobody looks at the epoch.
        if ticks().wrapping_sub(before) < self.patience {
            return Ok(());
        }
        self.store.data().deadline.at_end().map_err(wasmtime::Error::new)
    }

    /// As [`Self::data_call`], where calls are measured by fuel.
    #[cold]
    fn fuelled_call(&mut self, callback: Callback, count: u32, fuel: u64) -> Result<(), wasmtime::Error> {
        let exhausted = std::mem::take(&mut self.exhausted);
        self.store.set_fuel(if exhausted { 0 } else { fuel })?;
        self.used += fuel;
        self.bare_call(callback, count)?;
        self.used -= self.store.get_fuel()?;
        Ok(())
    }

    #[inline]
    fn bare_call(&mut self, callback: Callback, count: u32) -> Result<(), wasmtime::Error> {
        let (store, calls) = (&mut self.store, &self.calls);
        match callback {
            Callback::Process => calls.process.as_ref().map_or(Ok(()), |f| f.call(store, count)),
            Callback::Tick => calls.tick.as_ref().map_or(Ok(()), |f| f.call(store, ())),
            _ => calls.generate.as_ref().map_or(Ok(()), |f| f.call(store, count)),
        }
    }

    /// Any other call: its time counts from here.
    fn control_call<T>(
        &mut self,
        call: impl FnOnce(&mut Store<Host>) -> Result<T, wasmtime::Error>,
    ) -> Result<T, wasmtime::Error> {
        let rests = self.enter();
        let answer = self.timed_call(call);
        if rests {
            self.rest();
        }
        answer
    }

    fn timed_call<T>(
        &mut self,
        call: impl FnOnce(&mut Store<Host>) -> Result<T, wasmtime::Error>,
    ) -> Result<T, wasmtime::Error> {
        if let Some((_, fuel)) = self.fuel {
            self.store.set_fuel(fuel)?;
            return call(&mut self.store);
        }
        self.store.data_mut().deadline.begin_control();
        self.store.set_epoch_deadline(1);
        let answer = call(&mut self.store);
        let late = self.store.data().deadline.at_end();
        self.resume_deadline();
        answer.and_then(|answer| late.map(|()| answer).map_err(wasmtime::Error::new))
    }

    /// The next call is on the data path, perhaps of another thread: it begins with a reading of that one's time.
    pub fn resume_deadline(&mut self) {
        self.store.data_mut().deadline.end_control();
        self.store.set_epoch_deadline(0);
    }

    /// No tick reaches its calls until [`Self::resume_deadline`]: for a benchmark, whose modules end by themselves.
    pub fn suspend_deadline(&mut self) {
        self.store.set_epoch_deadline(u64::MAX / 2);
    }

    /// Fuel that its calls on the data path have used since this was asked last: of one that failed, all that it had.
    pub fn take_used_fuel(&mut self) -> u64 {
        std::mem::take(&mut self.used)
    }

    /// Its next call on the data path fails at once, as if it had used up its time: in a simulation, which measures by fuel.
    pub fn exhaust(&mut self) {
        self.exhausted = self.fuel.is_some();
    }

    /// Gives the configuration, and the secrets in it; the module is ready afterwards.
    pub fn init(&mut self, config: &[u8]) -> Result<(), Refusal> {
        let document = self.store.data().secrets().document(config).map_err(Refusal::No)?;
        let initialised = self.init_by(&document);
        if !self.store.data().secrets().is_empty() {
            // What the module has not taken is gone: no later reply is longer than what was written for it, and has this behind it.
            self.mailbox.wipe();
        }
        initialised
    }

    fn init_by(&mut self, config: &[u8]) -> Result<(), Refusal> {
        let Some(f) = self.calls.init.clone() else {
            if config.is_empty() {
                return Ok(());
            }
            return Err(Refusal::No("has a configuration, but exports no \"init\" that would read it".to_owned()));
        };
        self.store.data_mut().naming = true;
        let result = self.request(names::INIT, &f, config);
        self.store.data_mut().naming = false;
        result.map(|_| ())
    }

    /// Sends a message; returns the reply.
    pub fn message(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
        let f = self.calls.message.clone().ok_or_else(|| missing(names::MESSAGE))?;
        let n = self.request(names::MESSAGE, &f, bytes)?;
        let mut reply = self.mailbox.read(n);
        self.store.data().secrets().hide(&mut reply);
        Ok(reply)
    }

    /// Sends a message of another module, which gets no reply. A refusal has no words: nobody reads them, and this is an lcore.
    pub fn hear(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let refusal = || Refusal::No(String::new());
        let f = self.calls.message.clone().ok_or_else(refusal)?;
        if !self.mailbox.write(bytes) {
            return Err(refusal());
        }
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let answer = self.control_call(|store| f.call(store, len));
        let answer = answer.map_err(|e| Refusal::Trap(self.trapped(names::MESSAGE, &e)))?;
        if answer < 0 { Err(refusal()) } else { Ok(()) }
    }

    /// Asks for the module's state.
    pub fn save(&mut self) -> Result<Vec<u8>, Refusal> {
        let f = self.calls.save.clone().ok_or_else(|| missing(names::SAVE))?;
        let answer = self.control_call(|store| f.call(store, ()));
        let answer = answer.map_err(|e| Refusal::Trap(self.trapped(names::SAVE, &e)))?;
        let n = self.answer(names::SAVE, answer)?;
        Ok(self.mailbox.read(n))
    }

    /// Hands over the state that another instance saved, which is of that version.
    pub fn restore(&mut self, version: u32, state: &[u8]) -> Result<(), Refusal> {
        let f = self.calls.restore.clone().ok_or_else(|| missing(names::RESTORE))?;
        self.announce_state(version);
        self.request(names::RESTORE, &f, state).map(|_| ())
    }

    /// Tells of which version the state is that it will be handed.
    pub fn announce_state(&mut self, version: u32) {
        self.area.update_header(|h| h.state_version = version);
    }

    /// Takes in how a call has ended.
    #[cold]
    fn trapped(&self, function: &str, error: &wasmtime::Error) -> Arc<Trapped> {
        Arc::new(Trapped::new(error, Trace::of(function, error, self.code_shift)))
    }

    fn request(&mut self, name: &str, f: &TypedFunc<u32, i32>, bytes: &[u8]) -> Result<usize, Refusal> {
        if !self.mailbox.write(bytes) {
            let (have, need) = (self.mailbox.len(), bytes.len());
            return Err(Refusal::No(format!(
                "its mailbox of {have} bytes does not hold the {need} bytes for \"{name}\": declare a larger one"
            )));
        }
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let answer = self.control_call(|store| f.call(store, len));
        let answer = answer.map_err(|e| Refusal::Trap(self.trapped(name, &e)))?;
        self.answer(name, answer)
    }

    /// A length, or a refusal with its text in the mailbox.
    fn answer(&self, name: &str, answer: i32) -> Result<usize, Refusal> {
        let n = answer.unsigned_abs() as usize;
        if answer < 0 {
            return Err(Refusal::No(format!("{name} refused: {}", self.words(n))));
        }
        if n > self.mailbox.len() {
            let have = self.mailbox.len();
            return Err(Refusal::Broken(format!("{name} answered with {n} bytes, its mailbox has {have}")));
        }
        Ok(n)
    }

    /// The module's words in its mailbox, so many bytes, as one line.
    fn words(&self, len: usize) -> String {
        let mut words = self.mailbox.read(len.min(4_096));
        self.store.data().secrets().hide(&mut words);
        text::line_of_bytes(words.trim_ascii(), text::WORDS)
    }

    /// It exports `save`.
    pub fn has_save(&self) -> bool {
        self.calls.save.is_some()
    }

    /// It exports `prefill`.
    pub fn has_prefill(&self) -> bool {
        self.calls.prefill.is_some()
    }

    /// Bytes of its memory now, the window included.
    pub fn memory_len(&mut self) -> usize {
        self.memory.data_size(&self.store)
    }

    /// Hostcalls that did nothing because they are not granted.
    pub fn denied(&self) -> u64 {
        self.store.data().denied()
    }

    /// Counters by the names given in `init`.
    pub fn counter_names(&self) -> Vec<Option<String>> {
        let mut names = self.store.data().counter_names.clone();
        names.truncate(MAX_COUNTERS);
        names
    }
}

/// Lays the instance's own state region, or the one that it reads, at its place.
///
/// # Safety
/// As for [`Flat::new`] and [`Mirror::new`].
unsafe fn lay_state(
    at: NonNull<u8>,
    len: usize,
    reader: Option<Reader>,
) -> Result<(Option<Flat>, Option<Mirror>), String> {
    match (len, reader) {
        (0, None) => Ok((None, None)),
        (0, Some(_)) => Err("has no state region, in whose place it could read another one".to_owned()),
        // SAFETY:
        // - the caller's promise.
        (len, None) => Ok((Some(unsafe { Flat::new(at, len) }?), None)),
        // SAFETY:
        // - the caller's promise.
        (len, Some(reader)) => Ok((None, Some(unsafe { Mirror::new(reader, at, len) }?))),
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::No(format!("exports no \"{name}\""))
}
