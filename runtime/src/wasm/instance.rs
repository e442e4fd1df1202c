//! An instance of a module, on one lcore: its window mapped, its callbacks ready.
#![allow(unsafe_code, reason = "turns checked guest addresses into host pointers, and maps the window")]

use super::area::{Area, Mailbox};
use super::engine::{EPOCH, ticks};
use super::flat::Flat;
use super::host::Host;
use super::module::{Module, Numbers, instantiate};
use crate::evidence::{Kind, Witness};
use crate::fault::Trapped;
use perigee_abi::{ABI_VERSION, MAX_COUNTERS, WINDOW_ALIGN, names};
use std::ptr::NonNull;
use wasmtime::{Memory, Store, TypedFunc};

mod access;

pub(crate) use access::GlobalValue;

/// A started module with its packets in sight.
pub(crate) struct Instance {
    store: Store<Host>,
    memory: Memory,
    pub(crate) area: Area,
    mailbox: Mailbox,
    /// Guest address of the mapped region.
    pub(crate) window: u32,
    /// Its flat state region, where it declares one. Fields are dropped in order: the memory goes before.
    pub(crate) flat: Option<Flat>,
    pub(crate) state_version: u32,
    calls: Calls,
    epoch_ticks: u64,
    numbers: Numbers,
    /// The engine's handle: what is exported beside the callbacks.
    instance: wasmtime::Instance,
    /// Where evidence of a failure is wanted.
    pub(crate) witness: Option<Box<Witness>>,
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
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// It trapped, or passed its deadline: its state is not to be trusted any more.
    #[error("{0}")]
    Trap(Trapped),
    /// It said no, or cannot be asked.
    #[error("{0}")]
    No(String),
    /// Its answer breaks the ABI.
    #[error("{0}")]
    Broken(String),
}

/// Which callback gets a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Callback {
    Prefill,
    Generate,
    Process,
    Tick,
}

impl Callback {
    /// The function's name.
    pub(crate) const fn name(self) -> &'static str {
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
    pub(crate) fn new(
        module: &Module,
        host: Host,
        region_len: usize,
        map: impl FnOnce(*mut u8) -> Result<(), crate::Error>,
    ) -> Result<Self, String> {
        let n = module.numbers;
        let usable = module.describe().window_usable;
        if region_len > usable as usize {
            return Err(format!(
                "its window takes {usable} bytes of packets, this run's pools need {region_len}: declare a window of at \
                 least {} bytes, or lower the `pool` sizes",
                region_len + WINDOW_ALIGN as usize
            ));
        }
        // Two more: the first may come at once, and a call may begin a tick after its deadline was set.
        let epoch_ticks = u64::try_from(host.deadline().as_nanos() / EPOCH.as_nanos()).unwrap_or(u64::MAX - 2) + 2;
        let (mut store, instance) = instantiate(&module.pre, host)?;
        store.data_mut().set_batch(n.batch);
        let memory = instance.get_memory(&mut store, names::MEMORY).ok_or("exports no memory")?;
        let base = NonNull::new(memory.data_ptr(&store)).ok_or("its memory is empty")?;
        let window = n.window.next_multiple_of(WINDOW_ALIGN);
        // SAFETY:
        // - Module::compile checked that window, batch area and mailbox lie inside the memory's minimum size.
        let at = |offset: u32| unsafe { base.add(offset as usize) };
        map(at(window).as_ptr()).map_err(|e| e.to_string())?;
        let (state, state_len) = n.state_region();
        let flat = match state_len {
            0 => None,
            // SAFETY:
            // - Module::compile checked that the range lies inside the memory's minimum size and apart from the others; its
            //   first multiple of 2 MiB is one in the host too. The memory lives in the store beside it.
            len => Some(unsafe { Flat::new(at(state), len as usize) }?),
        };
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
            state_version: n.state_version,
            calls,
            epoch_ticks,
            numbers: n,
            instance,
            witness: None,
        };
        instance.area.update_header(|h| {
            h.stride = 64;
            h.abi = ABI_VERSION;
            h.window = window;
            h.window_len = u32::try_from(region_len).unwrap_or(u32::MAX);
            h.state = if state_len == 0 { 0 } else { state };
            h.state_len = state_len;
        });
        Ok(instance)
    }

    /// Allows the next calls their time. Asks the system for the time, so: at most once a tick.
    #[inline]
    pub(crate) fn restart_deadline(&mut self) {
        self.store.data_mut().restart_deadline();
        self.store.set_epoch_deadline(self.epoch_ticks);
    }

    /// Calls back with a batch of `count` packets, which is published. A callback that is not there does nothing.
    #[inline]
    pub(crate) fn call(&mut self, callback: Callback, count: u32) -> Result<(), wasmtime::Error> {
        let before = ticks();
        let (store, calls) = (&mut self.store, &self.calls);
        let result = match callback {
            Callback::Process => calls.process.as_ref().map_or(Ok(()), |f| f.call(store, count)),
            Callback::Generate => calls.generate.as_ref().map_or(Ok(()), |f| f.call(store, count)),
            Callback::Prefill => calls.prefill.as_ref().map_or(Ok(()), |f| f.call(store, count)),
            Callback::Tick => calls.tick.as_ref().map_or(Ok(()), |f| f.call(store, ())),
        };
        result.and_then(|()| self.in_time(before)).inspect_err(|e| self.note_trap(callback.name(), e))
    }

    /// A call that came back by itself may be late all the same: in one long bulk operation nobody looks at the epoch.
    #[inline]
    fn in_time(&self, ticks_before: u64) -> Result<(), wasmtime::Error> {
        if ticks().wrapping_sub(ticks_before) < self.epoch_ticks.saturating_sub(2).max(1) {
            return Ok(());
        }
        self.store.data().check_deadline()
    }

    /// Gives the configuration; the module is ready afterwards.
    pub(crate) fn init(&mut self, config: &[u8]) -> Result<(), Refusal> {
        let Some(f) = self.calls.init.clone() else {
            if config.is_empty() {
                return Ok(());
            }
            return Err(Refusal::No("has a configuration, but exports no \"init\" that would read it".to_owned()));
        };
        self.store.data_mut().naming = true;
        let result = self.request(Kind::Init, names::INIT, &f, config);
        self.store.data_mut().naming = false;
        result.map(|_| ())
    }

    /// Sends a message; returns the reply.
    pub(crate) fn message(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
        let f = self.calls.message.clone().ok_or_else(|| missing(names::MESSAGE))?;
        let n = self.request(Kind::Message, names::MESSAGE, &f, bytes)?;
        Ok(self.mailbox.read(n))
    }

    /// Asks for the module's state.
    pub(crate) fn save(&mut self) -> Result<Vec<u8>, Refusal> {
        let f = self.calls.save.clone().ok_or_else(|| missing(names::SAVE))?;
        self.record_request(Kind::Save, &[]);
        self.restart_deadline();
        let before = ticks();
        let answer = f
            .call(&mut self.store, ())
            .and_then(|n| self.in_time(before).map(|()| n))
            .inspect_err(|e| self.note_trap(names::SAVE, e));
        let answer = answer.map_err(|e| Refusal::Trap(Trapped::new(names::SAVE, &e)))?;
        let n = self.answer(names::SAVE, answer)?;
        Ok(self.mailbox.read(n))
    }

    /// Hands over the state that another instance saved, which is of that version.
    pub(crate) fn restore(&mut self, version: u32, state: &[u8]) -> Result<(), Refusal> {
        let f = self.calls.restore.clone().ok_or_else(|| missing(names::RESTORE))?;
        self.area.update_header(|h| h.state_version = version);
        self.request(Kind::Restore, names::RESTORE, &f, state).map(|_| ())
    }

    fn request(&mut self, kind: Kind, name: &str, f: &TypedFunc<u32, i32>, bytes: &[u8]) -> Result<usize, Refusal> {
        if !self.mailbox.write(bytes) {
            let (have, need) = (self.mailbox.len(), bytes.len());
            return Err(Refusal::No(format!(
                "its mailbox of {have} bytes does not hold the {need} bytes for \"{name}\": declare a larger one"
            )));
        }
        self.record_request(kind, bytes);
        self.restart_deadline();
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let before = ticks();
        let answer = f
            .call(&mut self.store, len)
            .and_then(|n| self.in_time(before).map(|()| n))
            .inspect_err(|e| self.note_trap(name, e));
        let answer = answer.map_err(|e| Refusal::Trap(Trapped::new(name, &e)))?;
        self.answer(name, answer)
    }

    /// A length, or a refusal with its text in the mailbox.
    fn answer(&self, name: &str, answer: i32) -> Result<usize, Refusal> {
        let n = answer.unsigned_abs() as usize;
        if answer < 0 {
            let text = self.mailbox.read(n.min(4_096));
            return Err(Refusal::No(format!("{name} refused: {}", String::from_utf8_lossy(&text).trim())));
        }
        if n > self.mailbox.len() {
            let have = self.mailbox.len();
            return Err(Refusal::Broken(format!("{name} answered with {n} bytes, its mailbox has {have}")));
        }
        Ok(n)
    }

    /// It exports `save`.
    pub(crate) fn has_save(&self) -> bool {
        self.calls.save.is_some()
    }

    /// It exports `prefill`.
    pub(crate) fn has_prefill(&self) -> bool {
        self.calls.prefill.is_some()
    }

    /// Bytes of its memory now, the window included.
    pub(crate) fn memory_len(&mut self) -> usize {
        self.memory.data_size(&self.store)
    }

    /// Hostcalls that did nothing because they are not granted.
    pub(crate) fn denied(&self) -> u64 {
        self.store.data().denied()
    }

    /// Counters by the names given in `init`.
    pub(crate) fn counter_names(&self) -> Vec<Option<String>> {
        let mut names = self.store.data().counter_names.clone();
        names.truncate(MAX_COUNTERS);
        names
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::No(format!("exports no \"{name}\""))
}
