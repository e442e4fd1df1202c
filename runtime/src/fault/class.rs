//! Of what kind a module's failure is, so that failures can be counted and compared.

use serde::Serialize;
use wasmtime::Trap;

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultClass {
    /// A call used more CPU time than its deadline allows.
    Deadline,
    /// The call stack was used up.
    Stack,
    /// A load, store or bulk operation outside its memory.
    Memory,
    /// An element outside its table, an empty one, or a function of another type than the call says.
    Table,
    /// It gave up by itself: `unreachable`, which a panic or abort ends in.
    Unreachable,
    /// A division by zero, an overflow, or a float that is no integer.
    Arithmetic,
    /// A hostcall was used in a way that the ABI forbids.
    Hostcall,
    /// Its answer to a message, or to `save` or `restore`, breaks the ABI.
    Answer,
    /// A new instance does not start: it trapped before its first batch, or refused its configuration.
    Start,
    /// Any other trap.
    Trap,
}

impl FaultClass {
    /// All of them; a class's position is its number.
    pub const ALL: [Self; 10] = [
        Self::Deadline,
        Self::Stack,
        Self::Memory,
        Self::Table,
        Self::Unreachable,
        Self::Arithmetic,
        Self::Hostcall,
        Self::Answer,
        Self::Start,
        Self::Trap,
    ];

    /// Its name in statistics and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Stack => "stack",
            Self::Memory => "memory",
            Self::Table => "table",
            Self::Unreachable => "unreachable",
            Self::Arithmetic => "arithmetic",
            Self::Hostcall => "hostcall",
            Self::Answer => "answer",
            Self::Start => "start",
            Self::Trap => "trap",
        }
    }

    /// The class of what ended a call: a trap of the engine's, or an error that one of our hostcalls gave.
    pub(crate) fn of(error: &wasmtime::Error) -> Self {
        if error.is::<Overrun>() {
            return Self::Deadline;
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => Self::Stack,
            Some(Trap::MemoryOutOfBounds) => Self::Memory,
            Some(Trap::TableOutOfBounds | Trap::IndirectCallToNull | Trap::BadSignature | Trap::NullReference) => {
                Self::Table
            }
            Some(Trap::UnreachableCodeReached) => Self::Unreachable,
            Some(Trap::IntegerOverflow | Trap::IntegerDivisionByZero | Trap::BadConversionToInteger) => {
                Self::Arithmetic
            }
            Some(Trap::Interrupt) => Self::Deadline,
            Some(_) => Self::Trap,
            // What is no trap was made by a hostcall.
            None => Self::Hostcall,
        }
    }
}

impl std::fmt::Display for FaultClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A call has passed its deadline.
#[derive(Debug, thiserror::Error)]
#[error("deadline: the call used {used:.1?} of CPU time, {allowed:.1?} are allowed")]
pub(crate) struct Overrun {
    pub(crate) used: std::time::Duration,
    pub(crate) allowed: std::time::Duration,
}

/// How a call into a module ended, where it did not end well.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Trapped {
    pub(crate) class: FaultClass,
    /// The cause, then where it happened.
    pub(crate) text: String,
}

impl Trapped {
    /// From what the engine says of a call of `callback`.
    #[cold]
    pub(crate) fn new(callback: &str, error: &wasmtime::Error) -> Self {
        let text = format!("trap in \"{callback}\": {}\n{error:?}", error.root_cause());
        Self { class: FaultClass::of(error), text }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_class_is_at_its_number() {
        for (number, class) in FaultClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, number, "{class}");
        }
    }

    #[test]
    fn what_ended_a_call_has_a_class() {
        let class = |trap: Trap| FaultClass::of(&wasmtime::Error::new(trap));
        assert_eq!(class(Trap::StackOverflow), FaultClass::Stack);
        assert_eq!(class(Trap::BadSignature), FaultClass::Table);
        assert_eq!(class(Trap::IntegerDivisionByZero), FaultClass::Arithmetic);
        let overrun = Overrun { used: Duration::from_millis(12), allowed: Duration::from_millis(10) };
        assert_eq!(FaultClass::of(&wasmtime::Error::new(overrun).context("in a frame")), FaultClass::Deadline);
        assert_eq!(FaultClass::of(&wasmtime::Error::msg("a hostcall's word")), FaultClass::Hostcall);
    }
}
