//! The table of calls as programs for the kernel.

use super::calls::{CALLS, Only, REFUSED};
use super::plan::Plan;
use super::{Kind, Mode};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use std::collections::BTreeMap;

/// The filters of one kind of thread. Each may forbid what the other allows.
pub(super) fn programs(kind: Kind, plan: &Plan) -> Result<Vec<BpfProgram>, String> {
    let told = |e: seccompiler::BackendError| format!("seccomp filter of {} threads: {e}", kind.name());
    let is_open = matches!(kind, Kind::Control | Kind::Service | Kind::Api);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let mut whole: Vec<i64> = if is_open { Vec::new() } else { REFUSED.to_vec() };
    for call in CALLS.iter().filter(|call| call.is_allowed(kind, &plan.drivers)) {
        tracing::trace!(thread = kind.name(), call = call.name, only = ?call.only, "{}", call.why);
        let entry = rules.entry(call.number).or_default();
        match condition(call.only) {
            Some(condition) => entry.push(condition.and_then(|one| SeccompRule::new(vec![one])).map_err(told)?),
            None => whole.push(call.number),
        }
    }
    // A call without rules is allowed with any arguments, also where another row has a condition.
    rules.extend(whole.into_iter().map(|number| (number, Vec::new())));
    let denied = if plan.mode == Mode::Log { SeccompAction::Log } else { SeccompAction::Trap };
    let allowed = program(rules, denied, SeccompAction::Allow).map_err(told)?;
    if is_open {
        return Ok(vec![allowed]);
    }
    let refused = REFUSED.iter().map(|number| (*number, Vec::new())).collect();
    let no_access = SeccompAction::Errno(libc::EACCES.unsigned_abs());
    Ok(vec![program(refused, SeccompAction::Allow, no_access).map_err(told)?, allowed])
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    others: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, others, listed, arch)?.try_into()
}

fn condition(only: Only) -> Option<Result<SeccompCondition, seccompiler::BackendError>> {
    let (index, value) = match only {
        Only::Any => return None,
        Only::Value(index, value) => (index, value),
        Only::OwnProcess(index) => (index, u64::from(std::process::id())),
    };
    // Process numbers and descriptors are ints: the kernel looks at the lower half only.
    Some(SeccompCondition::new(index, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value))
}

/// Whether this kernel has filters for system calls.
#[must_use]
pub fn seccomp_works() -> bool {
    let actions = std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    ["trap", "errno", "log"].iter().all(|needed| actions.split_whitespace().any(|action| action == *needed))
}
