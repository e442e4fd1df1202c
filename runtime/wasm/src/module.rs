//! A module: compiled code that was checked against the ABI, ready to be instantiated once per lcore.

use super::compile::{Native, revive, translate};
use super::exports::{check_exports, type_text};
use super::host::{Host, LogQueue};
use super::limits::Limits;
use super::stack::with_guest_stack;
use super::{engine, host, imports};
use crate::trace::Trace;
use crate::trap::Trapped;
use perigee_abi::{ABI_VERSION, Batch, MAX_SPARES, STATE_ALIGN, STATE_UNIT, WINDOW_ALIGN, names};
use perigee_core::clock::Clock;
use perigee_core::hex::hex;
use perigee_profile::{Code, Function, Machine};
use perigee_report::Error;
use perigee_report::text;
use perigee_report::{ModuleInfo, Numbers, Origin};
use sha2::{Digest, Sha256};
use std::path::Path;
use wasmtime::{Extern, Instance, InstancePre, Linker, Store, Val};

/// A compiled and checked module.
pub struct Module {
    name: String,
    /// What is instantiated, imports resolved.
    pub pre: InstancePre<Host>,
    /// What it exports as numbers.
    pub numbers: Numbers,
    info: ModuleInfo,
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("name", &self.name).field("numbers", &self.numbers).finish_non_exhaustive()
    }
}

impl Module {
    /// Compiles and checks a module from its bytes, binary or text, in this process and without limits of time: for trials.
    /// A run loads modules with `perigee_load::Loader`.
    ///
    /// # Errors
    /// Where it is no module, or breaks the ABI: the text says which export or import.
    pub fn compile(engine: &wasmtime::Engine, name: &str, bytes: &[u8], limits: Limits) -> Result<Self, Error> {
        let native = translate(engine, bytes).map_err(|what| Error::Module { name: name.to_owned(), what })?;
        Self::from_native(engine, name, &native, limits, origin_of(bytes))
    }

    /// Checks a module that was compiled.
    ///
    /// # Errors
    /// Where it breaks the ABI: the text says which export or import.
    pub fn from_native(
        engine: &wasmtime::Engine,
        name: &str,
        native: &Native,
        limits: Limits,
        origin: Origin,
    ) -> Result<Self, Error> {
        let refuse = |what: String| Error::Module { name: name.to_owned(), what };
        let module = revive(engine, native).map_err(refuse)?;
        tell_profile(name, &origin.sha256, &module);
        imports::check(&module).map_err(refuse)?;
        let callbacks = check_exports(&module, limits).map_err(refuse)?;
        let mut linker = Linker::new(engine);
        host::link(engine, &mut linker).map_err(|e| refuse(said(&e)))?;
        let pre = linker.instantiate_pre(&module).map_err(|e| refuse(said(&e)))?;
        let numbers = with_guest_stack(|| read_numbers(&pre, limits)).map_err(|e| refuse(e.to_string()))?;
        let numbers = numbers.map_err(refuse)?;
        let mut info = describe(name, native.wasm_len, &module, numbers, callbacks);
        info.origin = origin;
        check_areas(&info).map_err(refuse)?;
        Ok(Self { name: name.to_owned(), pre, numbers, info })
    }

    /// Facts about it.
    pub fn describe(&self) -> &ModuleInfo {
        &self.info
    }

    /// True where it has this callback.
    pub fn has(&self, callback: &str) -> bool {
        self.info.callbacks.iter().any(|c| c == callback)
    }
}

/// Where the code of a module of that name and digest lies, or what was made for it, where a profile is made.
pub(crate) fn tell_profile(name: &str, digest: &str, module: &wasmtime::Module) {
    let function = |function: wasmtime::ModuleFunction| Function {
        offset: function.offset as u64,
        len: function.len as u64,
        index: function.index.as_u32(),
        name: function.name,
    };
    perigee_profile::register(|| {
        Code::new(name, digest, Kept(module.clone()), module.functions().map(function).collect())
    });
}

/// A module whose code stays where it is.
struct Kept(wasmtime::Module);

impl Machine for Kept {
    fn bytes(&self) -> &[u8] {
        self.0.text()
    }
}

/// Where bytes come from that no policy was asked about.
pub fn origin_of(bytes: &[u8]) -> Origin {
    Origin { sha256: hex(&Sha256::digest(bytes)), ..Origin::default() }
}

/// Loads a module with an engine of its own, compiled in this process, and describes it. With limits of the compiler and a
/// policy: `perigee_load::Loader::inspect`.
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
pub fn instantiate(pre: &InstancePre<Host>, host: Host) -> Result<(Store<Host>, Instance), String> {
    let mut store = Store::new(pre.module().engine(), host);
    store.limiter(|host| host);
    store.epoch_deadline_callback(host::on_deadline);
    store.data_mut().deadline.begin_control();
    store.set_epoch_deadline(1);
    // Fails where the engine does not measure by fuel.
    let _ = store.set_fuel(store.data().deadline.fuel().1);
    let instance = pre.instantiate(&mut store).map_err(|e| format!("does not start: {}", ended("start", &e)))?;
    if let Ok(start) = instance.get_typed_func::<(), ()>(&mut store, names::INITIALIZE) {
        start.call(&mut store, ()).map_err(|e| ended(names::INITIALIZE, &e))?;
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
            let f = instance.get_typed_func::<(), u32>(&mut *store, name).map_err(|e| said(&e))?;
            f.call(store, ()).map_err(|e| ended(name, &e))
        }
    }
}

/// What the engine says of a module, which may have the module's names in it.
fn said(error: &wasmtime::Error) -> String {
    text::line(&format_args!("{error:#}"), text::REPORT)
}

/// How a call ended that was made to get to know the module; or why it was not made.
fn ended(function: &str, error: &wasmtime::Error) -> String {
    if error.is::<wasmtime::WasmBacktrace>() || error.is::<wasmtime::Trap>() {
        Trapped::new(error, Trace::of(function, error, 0)).to_string()
    } else {
        said(error)
    }
}

fn named(name: &str) -> String {
    text::line(name, text::NAME)
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
        exports: module.exports().map(|e| format!("{}: {}", named(e.name()), type_text(&e.ty()))).collect(),
        imports: module
            .imports()
            .map(|i| format!("{}.{}: {}", named(i.module()), named(i.name()), type_text(&i.ty())))
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
