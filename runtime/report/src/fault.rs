//! Of what kind a failure of a module is, and how its place fares since.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
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
}

impl std::fmt::Display for FaultClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a seat's instance runs, and what is done about it if not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModuleState {
    /// It runs.
    #[default]
    Running,
    /// It has failed; a new instance comes after a while.
    Waiting,
    /// It has failed, and stays down until the module is replaced or restarted.
    Down,
    /// It has failed too often: the breaker has opened, and it stays down until the module is replaced or restarted.
    BreakerOpen,
}

impl ModuleState {
    /// As it is written in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Down => "down",
            Self::BreakerOpen => "breaker_open",
        }
    }

    /// No new instance comes by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Down | Self::BreakerOpen)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_class_is_at_its_number() {
        for (number, class) in FaultClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, number, "{class}");
        }
    }
}
