//! What an instance is limited to, beside what it is granted.

use perigee_config::{ClockGrant, Grants, Hostcall};
use std::time::Duration;

/// What a module is granted.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most linear memory in bytes, the window included.
    pub memory: u64,
    /// Most CPU time of one call on the data path: `process`, `generate` or `tick`.
    pub deadline: Duration,
    /// Most CPU time of any other call, its start among them.
    pub control_deadline: Duration,
    /// Most elements of all tables together.
    pub table: u32,
    /// To so many modules it may tell something.
    pub targets: usize,
    /// It is to read another's state region.
    pub reads: bool,
}

impl From<&Grants> for Limits {
    fn from(grants: &Grants) -> Self {
        let (deadline, control_deadline) = (grants.deadline, grants.control_deadline);
        let (targets, reads) = (grants.tell.len(), grants.state_of.is_some());
        Self { memory: grants.memory, deadline, control_deadline, table: grants.table, targets, reads }
    }
}

impl Limits {
    /// These, and no hostcall.
    pub(super) fn grants(self) -> Grants {
        let Self { memory, deadline, control_deadline, table, targets, reads } = self;
        // Where nobody is there to hear it, or to be read, names do not matter.
        let (tell, state_of) = (vec![String::new(); targets], reads.then(String::new));
        Grants { memory, deadline, control_deadline, table, tell, state_of, ..Grants::default() }
    }

    /// These, and all that an instance can ask for: a trial is not about grants.
    pub fn and_all(self) -> Grants {
        let hostcalls = vec![Hostcall::Log, Hostcall::Counter, Hostcall::Time];
        Grants { hostcalls, clock: ClockGrant::Precise, log_lines: u32::MAX, create: true, ..self.grants() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::from(&Grants::default())
    }
}
