//! A module: compiled code that was checked against the ABI, ready to be instantiated once per lcore.

use super::exports::{check_exports, type_text};
use super::host::{Host, LogQueue};
use super::{engine, host, imports};
use crate::clock::Clock;
use crate::error::{Error, plain};
use crate::evidence::Probe;
use crate::grants::{ClockGrant, Grants, Hostcall};
use crate::load::{Native, Origin, revive, translate};
use perigee_abi::{ABI_VERSION, Batch, MAX_SPARES, STATE_ALIGN, STATE_UNIT, WINDOW_ALIGN, names};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;
use wasmtime::{Extern, Instance, InstancePre, Linker, Store, Val};

/// What a module is granted.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most linear memory in bytes, the window included.
    pub memory: u64,
    /// Most CPU time of one call.
    pub deadline: Duration,
    /// Most elements of all tables together.
    pub table: u32,
}

impl From<&Grants> for Limits {
    fn from(grants: &Grants) -> Self {
        Self { memory: grants.memory, deadline: grants.deadline, table: grants.table }
    }
}

impl Limits {
    /// These, and no hostcall.
    fn grants(self) -> Grants {
        Grants { memory: self.memory, deadline: self.deadline, table: self.table, ..Grants::default() }
    }

    /// These, and all that an instance can ask for: a trial is not about grants.
    pub(crate) fn and_all(self) -> Grants {
        let hostcalls = vec![Hostcall::Log, Hostcall::Counter, Hostcall::Time];
        Grants { hostcalls, clock: ClockGrant::Precise, log_lines: u32::MAX, create: true, ..self.grants() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::from(&Grants::default())
    }
}

/// The numbers that a module exports.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Numbers {
    /// ABI version.
    pub abi: u32,
    /// Address of the batch area.
    pub batch: u32,
    /// Address of the window.
    pub window: u32,
    /// Bytes of the window, alignment included.
    pub window_len: u32,
    /// Address of the mailbox; 0 where there is none.
    pub mailbox: u32,
    /// Bytes of the mailbox.
    pub mailbox_len: u32,
    /// Spare rooms wanted.
    pub spares: u32,
    /// Version of the state that `save` writes.
    pub state_version: u32,
    /// Address of the range in which the flat state region lies; 0 where there is none.
    pub state: u32,
    /// Bytes of that range, alignment included.
    pub state_len: u32,
}

impl Numbers {
    /// Address and length of the flat state region inside its range; a length of 0 where there is none. The length does not
    /// depend on where a linker has put the range: the next build takes over from this one.
    pub(crate) fn state_region(&self) -> (u32, u32) {
        let len = self.state_len.saturating_sub(STATE_ALIGN);
        (self.state.checked_next_multiple_of(STATE_ALIGN).unwrap_or(0), len - len % STATE_UNIT)
    }
}

/// Facts of a module, for `perigee inspect`.
#[derive(Clone, Debug, Serialize)]
pub struct ModuleInfo {
    /// Its name or file.
    pub name: String,
    /// Bytes of WebAssembly.
    pub size: u64,
    /// Where it comes from: its digest, and who vouches for it.
    pub origin: Origin,
    /// Its numbers.
    #[serde(flatten)]
    pub numbers: Numbers,
    /// Bytes of memory that it starts with.
    pub memory_min: u64,
    /// Bytes of memory that it may grow to by its own word.
    pub memory_max: Option<u64>,
    /// Bytes of packets that the window takes, after alignment.
    pub window_usable: u32,
    /// Callbacks that it has.
    pub callbacks: Vec<String>,
    /// All exports with their types.
    pub exports: Vec<String>,
    /// All imports with their types.
    pub imports: Vec<String>,
}

/// A compiled and checked module.
pub(crate) struct Module {
    name: String,
    pub(crate) pre: InstancePre<Host>,
    pub(crate) numbers: Numbers,
    info: ModuleInfo,
    /// What is kept of it for evidence of its failures.
    pub(crate) probe: Option<Probe>,
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("name", &self.name).field("numbers", &self.numbers).finish_non_exhaustive()
    }
}

impl Module {
    /// Compiles and checks a module from its bytes, binary or text, in this process and without limits of time: for trials.
    /// A run loads modules with [`crate::load::Loader`].
    ///
    /// # Errors
    /// Where it is no module, or breaks the ABI: the text says which export or import.
    pub(crate) fn compile(engine: &wasmtime::Engine, name: &str, bytes: &[u8], limits: Limits) -> Result<Self, Error> {
        let native = translate(engine, bytes).map_err(|what| Error::Module { name: name.to_owned(), what })?;
        Self::from_native(engine, name, &native, limits, Origin::of(bytes))
    }

    /// Checks a module that was compiled.
    ///
    /// # Errors
    /// Where it breaks the ABI: the text says which export or import.
    pub(crate) fn from_native(
        engine: &wasmtime::Engine,
        name: &str,
        native: &Native,
        limits: Limits,
        origin: Origin,
    ) -> Result<Self, Error> {
        let refuse = |what: String| Error::Module { name: name.to_owned(), what };
        let module = revive(engine, native).map_err(refuse)?;
        imports::check(&module).map_err(refuse)?;
        let callbacks = check_exports(&module, limits).map_err(refuse)?;
        let mut linker = Linker::new(engine);
        host::link(engine, &mut linker).map_err(|e| refuse(format!("{e:#}")))?;
        let pre = linker.instantiate_pre(&module).map_err(|e| refuse(format!("{e:#}")))?;
        let numbers = read_numbers(&pre, limits).map_err(refuse)?;
        let mut info = describe(name, native.wasm_len, &module, numbers, callbacks);
        info.origin = origin;
        check_areas(&info).map_err(refuse)?;
        Ok(Self { name: name.to_owned(), pre, numbers, info, probe: None })
    }

    /// Facts about it.
    pub(crate) fn describe(&self) -> &ModuleInfo {
        &self.info
    }

    /// True where it has this callback.
    pub(crate) fn has(&self, callback: &str) -> bool {
        self.info.callbacks.iter().any(|c| c == callback)
    }
}

/// Loads a module with an engine of its own, compiled in this process, and describes it. With limits of the compiler and a
/// policy: [`crate::load::Loader::inspect`].
///
/// # Errors
/// Where the file cannot be read, is no module, or breaks the ABI: the text says which export or import.
pub fn inspect(file: &Path, limits: Limits) -> Result<ModuleInfo, Error> {
    let bytes = std::fs::read(file).map_err(|source| Error::File { path: file.to_owned(), source })?;
    inspect_bytes(&file.file_name().unwrap_or_default().to_string_lossy(), &bytes, limits)
}

/// As [`inspect`], for bytes that are in no file.
///
/// # Errors
/// As for [`Module::compile`].
#[doc(hidden)]
pub fn inspect_bytes(name: &str, bytes: &[u8], limits: Limits) -> Result<ModuleInfo, Error> {
    // Its start and the functions that tell its numbers are guest code: they have a deadline too.
    let (engine, _ticker) = engine::new()?;
    Ok(Module::compile(&engine, name, bytes, limits)?.info)
}

/// Starts the module once, in a throw-away instance without packets, to ask for its numbers.
fn read_numbers(pre: &InstancePre<Host>, limits: Limits) -> Result<Numbers, String> {
    let clock = Clock::start(1_000_000_000);
    let host = Host::new(clock, LogQueue::new(), limits.grants(), 0);
    let (mut store, instance) = instantiate(pre, host)?;
    let mut number = |name: &str| number(&mut store, &instance, name);
    let numbers = Numbers {
        abi: number(names::ABI)?,
        batch: number(names::BATCH)?,
        window: number(names::WINDOW)?,
        window_len: number(names::WINDOW_LEN)?,
        mailbox: number(names::MAILBOX)?,
        mailbox_len: number(names::MAILBOX_LEN)?,
        spares: number(names::SPARES)?,
        state_version: number(names::STATE_VERSION)?,
        state: number(names::STATE)?,
        state_len: number(names::STATE_LEN)?,
    };
    if numbers.abi != ABI_VERSION {
        return Err(format!(
            "is built for ABI version {}, this host speaks version {ABI_VERSION}: rebuild it with the SDK of this version",
            numbers.abi
        ));
    }
    Ok(numbers)
}

/// A store with its limits, an instance in it, and the language runtime started.
pub(crate) fn instantiate(pre: &InstancePre<Host>, host: Host) -> Result<(Store<Host>, Instance), String> {
    let mut store = Store::new(pre.module().engine(), host);
    store.limiter(|host| host);
    store.epoch_deadline_callback(host::on_deadline);
    store.data_mut().restart_deadline();
    store.set_epoch_deadline(1);
    let instance = pre.instantiate(&mut store).map_err(|e| format!("does not start: {e:#}"))?;
    if let Ok(start) = instance.get_typed_func::<(), ()>(&mut store, names::INITIALIZE) {
        start.call(&mut store, ()).map_err(|e| format!("trap in {}: {e:#}", names::INITIALIZE))?;
    }
    Ok((store, instance))
}

/// A number that is exported as a global or as a function; 0 where it is optional and not there.
fn number(store: &mut Store<Host>, instance: &Instance, name: &str) -> Result<u32, String> {
    match instance.get_export(&mut *store, name) {
        None => Ok(0),
        Some(Extern::Global(global)) => match global.get(&mut *store) {
            Val::I32(value) => Ok(value.cast_unsigned()),
            other => Err(format!("export \"{name}\" is {other:?}, not an i32")),
        },
        Some(_) => {
            let f = instance.get_typed_func::<(), u32>(&mut *store, name).map_err(|e| format!("{e:#}"))?;
            f.call(store, ()).map_err(|e| format!("trap in \"{name}\": {e:#}"))
        }
    }
}

fn describe(name: &str, size: u64, module: &wasmtime::Module, numbers: Numbers, callbacks: Vec<String>) -> ModuleInfo {
    let memory = module.get_export(names::MEMORY).and_then(|e| e.memory().cloned());
    let align = |at: u64| at.next_multiple_of(WINDOW_ALIGN.into());
    let end = u64::from(numbers.window) + u64::from(numbers.window_len);
    let usable = end.saturating_sub(align(numbers.window.into()));
    ModuleInfo {
        name: name.to_owned(),
        size,
        origin: Origin::default(),
        numbers,
        memory_min: memory.as_ref().map_or(0, |m| m.minimum() * 65_536),
        memory_max: memory.as_ref().and_then(|m| Some(m.maximum()? * 65_536)),
        window_usable: u32::try_from(usable).unwrap_or(u32::MAX),
        callbacks,
        exports: module.exports().map(|e| format!("{}: {}", plain(e.name()), type_text(&e.ty()))).collect(),
        imports: module
            .imports()
            .map(|i| format!("{}.{}: {}", plain(i.module()), plain(i.name()), type_text(&i.ty())))
            .collect(),
    }
}

/// The areas lie inside the memory and apart: data in the window would be packets, and a message's bytes descriptors.
fn check_areas(info: &ModuleInfo) -> Result<(), String> {
    let n = &info.numbers;
    let areas = [
        ("batch area", n.batch, u32::try_from(size_of::<Batch>()).unwrap_or(u32::MAX)),
        ("mailbox", n.mailbox, n.mailbox_len),
        ("window", n.window, n.window_len),
        ("state region", n.state, n.state_len),
    ];
    let range = |at: u32, len: u32| (u64::from(at), u64::from(at) + u64::from(len));
    for (what, at, len) in areas {
        let (_, end) = range(at, len);
        if end > info.memory_min {
            return Err(format!(
                "its {what} at {at}, {len} bytes, ends behind its memory of {} bytes",
                info.memory_min
            ));
        }
    }
    for (i, (what, at, len)) in areas.iter().enumerate() {
        let (start, end) = range(*at, *len);
        for (other, other_at, other_len) in &areas[i + 1..] {
            let (other_start, other_end) = range(*other_at, *other_len);
            if start.max(other_start) < end.min(other_end) {
                return Err(format!("its {what} at {at} lies in its {other} at {other_at}"));
            }
        }
    }
    if !n.batch.is_multiple_of(64) {
        return Err(format!("its batch area at {} is not aligned to 64 bytes", n.batch));
    }
    if n.spares as usize > MAX_SPARES {
        return Err(format!("wants {} spare rooms, at most {MAX_SPARES} exist", n.spares));
    }
    if n.state_len != 0 && n.state_region().1 == 0 {
        return Err(format!(
            "its state region of {} bytes is too small: it needs {STATE_ALIGN} bytes for alignment and {STATE_UNIT} besides",
            n.state_len
        ));
    }
    if n.state_len != 0 && !info.callbacks.iter().any(|c| c == names::RESTORE) {
        return Err(format!(
            "has a state region, but exports no \"{}\": nothing would tell it that one was handed over",
            names::RESTORE
        ));
    }
    if info.window_usable == 0 {
        return Err(format!(
            "its window of {} bytes is too small: it needs {WINDOW_ALIGN} bytes for alignment and the packets' rooms besides",
            n.window_len
        ));
    }
    Ok(())
}
