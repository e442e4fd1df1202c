//! What a trap says of itself: its class, its text, and where it happened.

use perigee_report::text;
use serde::{Deserialize, Serialize};
use wasmtime::{Trap, WasmBacktrace};

/// A call that did not come back. An lcore makes it, so it is made of short copies: names are cut before anything is done
/// with them, and nobody looks into them. They stand here as the module's name section has them, mangled or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The callback.
    pub callback: String,
    /// WebAssembly's name of the trap; `deadline`, `exit` or `host` where the host ended the call.
    pub class: String,
    /// The cause as a text.
    pub text: String,
    /// The functions that were active, the innermost first.
    pub frames: Vec<Frame>,
}

/// A function that was active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Its index in the module.
    pub function: u32,
    /// Where it was: bytes behind the function's beginning.
    pub offset: u32,
    /// The same from the module's beginning.
    pub module_offset: u64,
    /// The beginning of its name in the module's name section.
    pub name: String,
}

/// Most frames of a backtrace that came in a file.
const MOST_FRAMES: usize = 64;

impl Trace {
    /// Of a call of `callback` that ended with `error`. `shift` is by how much the code lies further behind in the module
    /// that was compiled than in the file.
    pub fn of(callback: &str, error: &wasmtime::Error, shift: u64) -> Self {
        let text = cause(error);
        let class = match error.downcast_ref::<Trap>() {
            Some(trap) => format!("{trap:?}"),
            None if text.starts_with("deadline") => "deadline".to_owned(),
            None if text.contains("proc_exit") => "exit".to_owned(),
            None => "host".to_owned(),
        };
        let frames = error.downcast_ref::<WasmBacktrace>().map(|b| frames(b, shift)).unwrap_or_default();
        Self { callback: callback.to_owned(), class, text, frames }
    }

    /// One that came in a file, whose texts can be anything.
    pub fn foreign(self) -> Self {
        let frame = |frame: Frame| Frame { name: text::line(&frame.name, text::NAME), ..frame };
        Self {
            callback: text::line(&self.callback, text::NAME),
            class: text::line(&self.class, text::NAME),
            text: text::line(&self.text, text::REPORT),
            frames: self.frames.into_iter().take(MOST_FRAMES).map(frame).collect(),
        }
    }

    /// Whether two traps are the same: the class, and each frame to the byte.
    pub fn is_same(&self, other: &Self) -> bool {
        let place = |f: &Frame| (f.function, f.offset);
        self.callback == other.callback
            && self.class == other.class
            && self.frames.iter().map(place).eq(other.frames.iter().map(place))
    }

    /// Its frames, each on a line of its own that begins with a line break.
    pub fn places(&self) -> impl std::fmt::Display + '_ {
        std::fmt::from_fn(|f| {
            self.frames.iter().enumerate().try_for_each(|(i, frame)| {
                let Frame { function, offset, module_offset, name } = frame;
                write!(f, "\n{i:>4}: {module_offset:#8x}  {name} (function {function} + {offset:#x})")
            })
        })
    }
}

impl std::fmt::Display for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {:?}: {}", self.class, self.callback, self.text)?;
        if self.frames.is_empty() {
            return writeln!(f, "\nno frames: the module was not in a function of its own");
        }
        writeln!(f, "{}", self.places())
    }
}

/// What ended the call, and what stands beside it: the address of an access outside the memory.
fn cause(error: &wasmtime::Error) -> String {
    let root = text::line(error.root_cause(), text::REPORT);
    // The first is nearest to the host; the backtrace is among them, and is told frame by frame.
    let context = error.chain().take(error.chain().count().saturating_sub(1));
    let context = context.map(|e| text::line(e, text::NAME)).filter(|text| !text.starts_with("error while executing"));
    let context: Vec<_> = context.collect();
    if context.is_empty() { root } else { format!("{root} ({})", context.join(", ")) }
}

fn frames(backtrace: &WasmBacktrace, shift: u64) -> Vec<Frame> {
    let frame = |info: &wasmtime::FrameInfo| Frame {
        function: info.func_index(),
        offset: info.func_offset().and_then(|o| u32::try_from(o).ok()).unwrap_or(0),
        module_offset: (info.module_offset().unwrap_or(0) as u64).saturating_sub(shift),
        name: text::line(info.func_name().unwrap_or("?"), text::NAME),
    };
    backtrace.frames().iter().map(frame).collect()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_trace_out_of_a_file_is_bounded_and_does_no_harm() {
        let evil = format!("a\u{1b}[2J\u{9b}\u{202e}\n   0: forged{}", "x".repeat(100_000));
        let frame = Frame { function: 1, offset: 2, module_offset: 3, name: evil.clone() };
        let trace = Trace { callback: evil.clone(), class: evil.clone(), text: evil, frames: vec![frame; 100] };
        let told = trace.clone().foreign().to_string();
        assert!(told.len() < 20_000 && text::is_plain(&told), "{told}");
        assert_eq!(told.lines().count(), 1 + MOST_FRAMES, "{told}");
        assert!(!told.contains("\n   0: forged"), "{told}");
    }

    #[test]
    fn frames_stand_on_lines_of_their_own() {
        let frame = |name: &str| Frame { function: 7, offset: 0x11, module_offset: 0x1234, name: name.to_owned() };
        let (callback, text) = ("process".to_owned(), "wasm trap: unreachable".to_owned());
        let trace = Trace { callback, class: "U".to_owned(), text, frames: vec![frame("b"), frame("a")] };
        assert_eq!(
            trace.places().to_string(),
            "\n   0:   0x1234  b (function 7 + 0x11)\n   1:   0x1234  a (function 7 + 0x11)"
        );
        assert!(trace.is_same(&Trace { text: String::new(), ..trace.clone() }));
    }
}
