//! What a command that is no run lets a module use, whatever the module's papers say: a bundle comes from a stranger, and so may
//! a configuration that is only to be checked.

use super::Grants;
use std::time::Duration;

/// Most CPU time of one call, where a run may allow any.
pub const CALL: Duration = Duration::from_secs(60);
/// Most time of all calls that are replayed.
pub const REPLAY: Duration = Duration::from_mins(10);

impl Grants {
    /// These, within what a command allows: memory, tables and stack are what a configuration can grant at most, and a call
    /// has [`CALL`].
    ///
    /// # Errors
    /// No configuration can grant this: the text says what of it.
    pub fn bounded(&self) -> Result<Self, String> {
        crate::grantable(self)?;
        let (deadline, control_deadline) = (self.deadline.min(CALL), self.control_deadline.min(CALL));
        Ok(Self { deadline, control_deadline, ..self.clone() })
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn nothing_is_allowed_beyond_what_a_configuration_can_grant() {
        let usual = Grants::default();
        assert_eq!(usual.bounded(), Ok(usual.clone()));
        let long = Grants { deadline: Duration::from_hours(1_000), ..usual.clone() };
        assert_eq!(long.bounded().map(|grants| grants.deadline), Ok(CALL));
        let long = Grants { control_deadline: Duration::from_hours(1_000), ..usual.clone() };
        assert_eq!(long.bounded().map(|grants| grants.control_deadline), Ok(CALL));
        for (grants, said) in [
            (
                Grants { memory: u64::MAX, ..usual.clone() },
                "memory is 18446744073709551615 bytes; it must be 64K to 4G",
            ),
            (Grants { stack: 1 << 30, ..usual.clone() }, "stack is 1073741824 bytes; it must be 16K to 1M"),
            (Grants { table: u32::MAX, ..usual.clone() }, "table is 4294967295; it must be 0 to 1048576"),
            (Grants { deadline: Duration::ZERO, ..usual.clone() }, "deadline is 0"),
            (Grants { counters: u32::MAX, ..usual }, "counters is 4294967295"),
        ] {
            let refused = grants.bounded().expect_err(said);
            assert!(refused.contains(said), "{refused}");
        }
    }
}
