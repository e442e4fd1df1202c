//! What is wrong with a configuration.

use std::fmt;

/// Something in a configuration that is wrong or surprising.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `chain[1].source.port`.
    pub path: String,
    /// What: `chain "load": unknown port "x"`.
    pub what: String,
    /// What to do about it: `known ports: a, b`. Empty where there is nothing to add.
    pub help: String,
    /// Whether it keeps the run from starting.
    pub severity: Severity,
}

/// Whether a problem keeps a run from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The run would not do what the file says.
    Error,
    /// The run starts, though something in the file is probably not meant so.
    Warning,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "; {}", self.help) }
    }
}
