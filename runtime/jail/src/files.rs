//! Which files can still be reached: landlock's rules, as far as the kernel has them.

use super::kernel::landlock_version;
use super::plan::{Driver, Plan};
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope,
    path_beneath_rules,
};
use std::os::fd::OwnedFd;

/// The newest rules that are known here; the kernel takes those that it has.
const KNOWN: ABI = ABI::V7;

/// What is read while a run goes on: the process's own state, and what the kernel says of CPUs and interfaces.
const READ: [&str; 4] = ["/proc/self", "/proc/net", "/sys/devices/system", "/sys/class/net"];

/// Rules, ready to be put on threads.
pub(super) struct Files {
    /// `None` where the kernel has no landlock.
    pub(super) ruleset: Option<OwnedFd>,
    /// What is enforced, for people.
    pub(super) told: String,
}

/// Makes the rules of a plan.
pub(super) fn ruleset(plan: &Plan) -> Result<Files, String> {
    let Some(version) = landlock_version() else {
        tracing::warn!("this kernel has no landlock: files are kept from the process by its user and seccomp alone");
        return Ok(Files { ruleset: None, told: "no landlock in this kernel".to_owned() });
    };
    let told = |e: landlock::RulesetError| format!("landlock: {e}");
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(KNOWN)))
        .map_err(told)?;
    // Clients of memif look for sockets that another process has made.
    if !plan.drivers.iter().any(|driver| matches!(driver, Driver::Memif | Driver::Other)) {
        rules = rules.scope(Scope::AbstractUnixSocket).map_err(told)?;
    }
    let created = rules.create().map_err(told)?;
    let created = created
        .add_rules(path_beneath_rules(READ, AccessFs::ReadFile | AccessFs::ReadDir))
        .and_then(|created| created.add_rules(path_beneath_rules(&plan.writable, writing())))
        .and_then(|created| created.add_rules(path_beneath_rules(&plan.clearable, AccessFs::RemoveFile)))
        .map_err(told)?;
    Ok(Files { ruleset: created.into(), told: format!("landlock ABI {version}") })
}

/// All that is done to plain files and directories: no devices, no programs.
fn writing() -> landlock::BitFlags<AccessFs> {
    AccessFs::from_all(KNOWN)
        & !(AccessFs::Execute
            | AccessFs::MakeChar
            | AccessFs::MakeBlock
            | AccessFs::IoctlDev
            | AccessFs::MakeFifo
            | AccessFs::MakeSock)
}
