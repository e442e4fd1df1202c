//! How a call into a module ended, where it did not end well.

use super::trace::Trace;
use perigee_report::FaultClass;
use wasmtime::Trap;

/// The class of what ended a call: a trap of the engine's, or an error that one of our hostcalls gave.
pub fn class_of(error: &wasmtime::Error) -> FaultClass {
    if error.is::<Overrun>() {
        return FaultClass::Deadline;
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => FaultClass::Stack,
        Some(Trap::MemoryOutOfBounds) => FaultClass::Memory,
        Some(Trap::TableOutOfBounds | Trap::IndirectCallToNull | Trap::BadSignature | Trap::NullReference) => {
            FaultClass::Table
        }
        Some(Trap::UnreachableCodeReached) => FaultClass::Unreachable,
        Some(Trap::IntegerOverflow | Trap::IntegerDivisionByZero | Trap::BadConversionToInteger) => {
            FaultClass::Arithmetic
        }
        Some(Trap::Interrupt | Trap::OutOfFuel) => FaultClass::Deadline,
        Some(_) => FaultClass::Trap,
        // What is no trap was made by a hostcall.
        None => FaultClass::Hostcall,
    }
}

/// A call has passed its deadline.
#[derive(Debug, thiserror::Error)]
#[error("deadline: the call used {used:.1?} of CPU time, {allowed:.1?} are allowed")]
pub struct Overrun {
    /// CPU time that it has used.
    pub used: std::time::Duration,
    /// CPU time that it was allowed.
    pub allowed: std::time::Duration,
}

/// How a call into a module ended, where it did not end well. An lcore makes it, and whoever tells it makes its text.
#[derive(Debug)]
pub struct Trapped {
    /// Of what kind the failure is.
    pub class: FaultClass,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    /// The engine, or a hostcall, ended the call.
    Call(Trace),
    /// The call came back, and what it left is against the ABI.
    Words(String),
}

impl Trapped {
    /// From what the engine says of a call.
    #[cold]
    pub fn new(error: &wasmtime::Error, trace: Trace) -> Self {
        Self { class: class_of(error), cause: Cause::Call(trace) }
    }

    /// Where it happened; `None` where the call came back.
    pub fn trace(&self) -> Option<&Trace> {
        match &self.cause {
            Cause::Call(trace) => Some(trace),
            Cause::Words(_) => None,
        }
    }

    /// What it left is against the ABI: in what.
    #[cold]
    pub fn answer(what: String) -> Self {
        Self { class: FaultClass::Answer, cause: Cause::Words(what) }
    }
}

/// The cause, then where it happened, a line for each frame.
impl std::fmt::Display for Trapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.cause {
            Cause::Call(trace) => write!(f, "trap in \"{}\": {}{}", trace.callback, trace.text, trace.places()),
            Cause::Words(what) => f.write_str(what),
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_ended_a_call_has_a_class() {
        let class = |trap: Trap| class_of(&wasmtime::Error::new(trap));
        assert_eq!(class(Trap::StackOverflow), FaultClass::Stack);
        assert_eq!(class(Trap::BadSignature), FaultClass::Table);
        assert_eq!(class(Trap::IntegerDivisionByZero), FaultClass::Arithmetic);
        let overrun = Overrun { used: Duration::from_millis(12), allowed: Duration::from_millis(10) };
        assert_eq!(class_of(&wasmtime::Error::new(overrun).context("in a frame")), FaultClass::Deadline);
        assert_eq!(class_of(&wasmtime::Error::msg("a hostcall's word")), FaultClass::Hostcall);
    }
}
