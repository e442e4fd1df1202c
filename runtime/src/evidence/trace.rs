//! What a trap says of itself: its class, its text, and where it happened.

use super::escaped;
use serde::{Deserialize, Serialize};
use wasmtime::{Trap, WasmBacktrace};

/// A call that did not come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trace {
    /// The callback.
    pub(crate) callback: String,
    /// WebAssembly's name of the trap; `deadline`, `exit` or `host` where the host ended the call.
    pub(crate) class: String,
    /// The cause as a text.
    pub(crate) text: String,
    /// The functions that were active, the innermost first.
    pub(crate) frames: Vec<Frame>,
}

/// A function that was active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Frame {
    /// Its index in the module.
    pub(crate) function: u32,
    /// Where it was: bytes behind the function's beginning.
    pub(crate) offset: u32,
    /// The same from the module's beginning.
    pub(crate) module_offset: u64,
    /// Its name, as the module's name section has it, demangled.
    pub(crate) name: String,
}

impl Trace {
    /// Of a call of `callback` that ended with `error`. `shift` is by how much the code lies further behind in the module
    /// that was compiled than in the file.
    pub(crate) fn of(callback: &str, error: &wasmtime::Error, shift: u64) -> Self {
        let text = error.root_cause().to_string();
        let class = match error.downcast_ref::<Trap>() {
            Some(trap) => format!("{trap:?}"),
            None if text.starts_with("deadline") => "deadline".to_owned(),
            None if text.contains("proc_exit") => "exit".to_owned(),
            None => "host".to_owned(),
        };
        let frames = error.downcast_ref::<WasmBacktrace>().map(|b| frames(b, shift)).unwrap_or_default();
        Self { callback: callback.to_owned(), class, text: escaped(&text, 1_000), frames }
    }

    /// Whether two traps are the same: the class, and each frame to the byte.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let place = |f: &Frame| (f.function, f.offset);
        self.callback == other.callback
            && self.class == other.class
            && self.frames.iter().map(place).eq(other.frames.iter().map(place))
    }
}

impl std::fmt::Display for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} in {:?}: {}", self.class, self.callback, self.text)?;
        for (i, frame) in self.frames.iter().enumerate() {
            let Frame { function, offset, module_offset, name } = frame;
            writeln!(f, "{i:>4}: {module_offset:#8x}  {name} (function {function} + {offset:#x})")?;
        }
        if self.frames.is_empty() {
            writeln!(f, "no frames: the module was not in a function of its own")?;
        }
        Ok(())
    }
}

fn frames(backtrace: &WasmBacktrace, shift: u64) -> Vec<Frame> {
    // The engine demangles where it prints, and nowhere else: one line for each frame, its name behind the module's.
    let text = backtrace.to_string();
    let mut names = text.lines().skip(1).filter_map(|line| line.split_once('!')).map(|(_, name)| name);
    let frame = |info: &wasmtime::FrameInfo| Frame {
        function: info.func_index(),
        offset: info.func_offset().and_then(|o| u32::try_from(o).ok()).unwrap_or(0),
        module_offset: (info.module_offset().unwrap_or(0) as u64).saturating_sub(shift),
        name: escaped(names.next().unwrap_or("?"), 300),
    };
    backtrace.frames().iter().map(frame).collect()
}
