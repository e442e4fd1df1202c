//! The machine code of modules: where it lies, and what its functions are called. It is kept for as long as the process is, once a
//! profile is made: a module that was replaced must not give its addresses to the next one.

use crate::sampler::monotonic_ns;
use perigee_core::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Modules whose code the handler knows. Code of later ones is named as well, but not looked for on the stack under a hostcall.
const KNOWN: usize = 256;

/// A profile is made.
static WANTED: AtomicBool = AtomicBool::new(false);
/// Where code lies, for the handler, which may take no lock.
static RANGES: [Range; KNOWN] = [const { Range { start: AtomicU64::new(0), end: AtomicU64::new(0) } }; KNOWN];
static RANGE_COUNT: AtomicUsize = AtomicUsize::new(0);
static CODES: Mutex<Vec<Code>> = Mutex::new(Vec::new());

struct Range {
    start: AtomicU64,
    end: AtomicU64,
}

/// What has a module's machine code in memory.
pub trait Machine: Send + Sync {
    /// All of it, where it lies.
    fn bytes(&self) -> &[u8];
}

impl Machine for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// The machine code of a module.
pub struct Code {
    /// The module's name in the configuration.
    pub name: String,
    /// SHA-256 of the module's bytes, in hexadecimal: which of those that had the name.
    pub digest: String,
    /// Where its code begins.
    pub(crate) start: u64,
    /// Its functions, in the order of their addresses.
    pub(crate) functions: Vec<Function>,
    /// When it was loaded, in nanoseconds of CLOCK_MONOTONIC.
    pub(crate) loaded_ns: u64,
    /// What has it in memory.
    pub(crate) machine: Box<dyn Machine>,
}

/// A function of a module.
#[derive(Clone, Debug)]
pub struct Function {
    /// Where it begins, behind the code's start.
    pub offset: u64,
    /// Bytes of it.
    pub len: u64,
    /// Its index in the module.
    pub index: u32,
    /// What the module's name section calls it: anything.
    pub name: Option<String>,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").field("name", &self.name).field("start", &self.start).finish_non_exhaustive()
    }
}

impl Code {
    /// Of a module of that name and digest, loaded now.
    #[must_use]
    pub fn new(name: &str, digest: &str, machine: impl Machine + 'static, mut functions: Vec<Function>) -> Self {
        functions.sort_by_key(|function| function.offset);
        Self {
            name: name.to_owned(),
            digest: digest.to_owned(),
            start: machine.bytes().as_ptr().expose_provenance() as u64,
            functions,
            loaded_ns: monotonic_ns(),
            machine: Box::new(machine),
        }
    }

    pub(crate) fn contains(&self, address: u64) -> bool {
        address.wrapping_sub(self.start) < self.machine.bytes().len() as u64
    }

    /// The machine code of one of its functions.
    pub(crate) fn bytes(&self, function: &Function) -> Option<&[u8]> {
        let (offset, len) = (usize::try_from(function.offset).ok()?, usize::try_from(function.len).ok()?);
        self.machine.bytes().get(offset..offset.checked_add(len)?)
    }

    /// The function at an address; `None` between functions, where the engine has ways in and out.
    pub(crate) fn function(&self, address: u64) -> Option<&Function> {
        let offset = address.checked_sub(self.start)?;
        let before = self.functions.partition_point(|function| function.offset <= offset).checked_sub(1)?;
        self.functions.get(before).filter(|function| offset - function.offset < function.len)
    }
}

/// Code is wanted from now on.
pub(crate) fn want() {
    WANTED.store(true, Ordering::Release);
}

/// Tells where a module's code lies. Without a profile nothing is asked and nothing kept.
pub fn register(code: impl FnOnce() -> Code) {
    if !WANTED.load(Ordering::Acquire) {
        return;
    }
    let code = code();
    let mut codes = lock(&CODES);
    if let Some(range) = RANGES.get(codes.len()) {
        range.start.store(code.start, Ordering::Relaxed);
        range.end.store(code.start.saturating_add(code.machine.bytes().len() as u64), Ordering::Relaxed);
        RANGE_COUNT.store(codes.len() + 1, Ordering::Release);
    }
    codes.push(code);
}

/// Whether an address lies in the code of a module. The signal's handler asks.
pub(crate) fn is_guest(address: u64) -> bool {
    let known = RANGES.get(..RANGE_COUNT.load(Ordering::Acquire)).unwrap_or_default();
    known
        .iter()
        .any(|range| address >= range.start.load(Ordering::Relaxed) && address < range.end.load(Ordering::Relaxed))
}

/// All code so far.
pub(crate) fn with_all<T>(work: impl FnOnce(&[Code]) -> T) -> T {
    work(&lock(&CODES))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_function_is_found_by_any_of_its_addresses() {
        let function = |offset, len, index| Function { offset, len, index, name: None };
        let functions = vec![function(16, 20, 4), function(0, 10, 3)];
        let code = Code { start: 1000, ..Code::new("m", "", vec![0; 100], functions) };
        let at = |address| code.function(address).map(|function| function.index);
        assert_eq!(
            [999, 1000, 1009, 1010, 1016, 1035, 1036].map(at),
            [None, Some(3), Some(3), None, Some(4), Some(4), None]
        );
        assert!(code.contains(1000) && code.contains(1099) && !code.contains(1100) && !code.contains(999));
    }
}
