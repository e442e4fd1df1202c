//! What this user may do: capabilities, namespaces, locked memory.

use super::{Finding, State};
use crate::pci::Machine;

/// Capabilities by their bit in `CapEff`.
const CAP_NET_ADMIN: u32 = 12;
const CAP_NET_RAW: u32 = 13;
const CAP_IPC_LOCK: u32 = 14;

pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    let has = capabilities(machine);
    let mut findings = vec![user(machine)];
    findings.push(capability(has(CAP_NET_RAW), "CAP_NET_RAW", "net_af_packet ports (the kernel's interfaces, copied)"));
    findings.push(capability(has(CAP_NET_ADMIN), "CAP_NET_ADMIN", "net_tap ports, promiscuous mode and MAC addresses"));
    findings.push(tun(machine));
    findings.push(af_xdp(machine));
    findings.push(user_namespaces(machine));
    findings.push(locked_memory(machine, has(CAP_IPC_LOCK)));
    findings.push(landlock(perigee_runtime::jail::landlock_version()));
    findings.push(seccomp(perigee_runtime::jail::seccomp_works()));
    findings
}

fn capabilities(machine: &Machine) -> impl Fn(u32) -> bool + use<> {
    let bits =
        machine.line("proc/self/status", "CapEff").and_then(|hex| u64::from_str_radix(&hex, 16).ok()).unwrap_or(0);
    move |bit| bits & (1 << bit) != 0
}

fn user(machine: &Machine) -> Finding {
    let ids = machine.line("proc/self/status", "Uid").unwrap_or_default();
    let effective = ids.split_whitespace().nth(1).unwrap_or("unknown");
    let means = "net_null, net_ring, net_memif and net_pcap with files need no rights at all";
    let found = if effective == "0" { "root".to_owned() } else { format!("user {effective}") };
    Finding::ok("rights", "user", found, means)
}

fn capability(has: bool, name: &str, purpose: &str) -> Finding {
    if has {
        return Finding::ok("rights", name, "yes", &format!("for {purpose}"));
    }
    let binary = std::env::current_exe().map_or_else(|_| "perigee".to_owned(), |path| path.display().to_string());
    let means = format!("without it there are no {purpose}");
    let mend =
        format!("sudo setcap cap_net_raw,cap_net_admin+ep {binary}, or run it in a network namespace: unshare -Urn");
    Finding::new(State::Missing, "rights", name, "no", &means, mend)
}

fn tun(machine: &Machine) -> Finding {
    if machine.path("dev/net/tun").exists() {
        return Finding::ok("rights", "/dev/net/tun", "is there", "for net_tap ports");
    }
    Finding::new(
        State::Missing,
        "rights",
        "/dev/net/tun",
        "is not there",
        "net_tap ports do not start",
        "sudo modprobe tun",
    )
}

fn af_xdp(machine: &Machine) -> Finding {
    let protocols = machine.read("proc/net/protocols");
    if protocols.lines().any(|line| line.split_whitespace().next() == Some("XDP")) {
        return Finding::ok("rights", "AF_XDP", "the kernel has it", "for net_af_xdp ports, which need root");
    }
    let means = "net_af_xdp ports do not start; net_af_packet does the same, slower";
    Finding::new(
        State::Missing,
        "rights",
        "AF_XDP",
        "the kernel has it not",
        means,
        "a kernel with CONFIG_XDP_SOCKETS=y",
    )
}

fn user_namespaces(machine: &Machine) -> Finding {
    let most = machine.number("proc/sys/user/max_user_namespaces").unwrap_or(0);
    let allowed = machine.number("proc/sys/kernel/unprivileged_userns_clone").unwrap_or(1);
    let restricted = machine.number("proc/sys/kernel/apparmor_restrict_unprivileged_userns").unwrap_or(0);
    if most > 0 && allowed == 1 && restricted == 0 {
        let means = "without root, net_af_packet and net_tap work in a network namespace of one's own: unshare -Urn";
        return Finding::ok("rights", "user namespaces", "allowed", means);
    }
    let mend = if most == 0 {
        "sudo sysctl user.max_user_namespaces=10000"
    } else if allowed != 1 {
        "sudo sysctl kernel.unprivileged_userns_clone=1"
    } else {
        "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    };
    Finding::new(
        State::Warn,
        "rights",
        "user namespaces",
        "not allowed",
        "without root, only ports that need no rights work",
        mend,
    )
}

fn locked_memory(machine: &Machine, has_lock: bool) -> Finding {
    let limits = machine.read("proc/self/limits");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"));
    let soft = line.and_then(|line| line.split_whitespace().next()).unwrap_or("0").to_owned();
    let enough = has_lock || soft == "unlimited" || soft.parse::<u64>().is_ok_and(|bytes| bytes >= 1 << 30);
    let found = if has_lock { format!("{soft} (CAP_IPC_LOCK lifts the limit)") } else { format!("{soft} bytes") };
    if enough {
        return Finding::ok("rights", "locked memory", found, "enough for the packets of PCI ports");
    }
    let means = "PCI ports by vfio-pci lock the packets' memory and do not start; virtual ports do not mind";
    let mend = "echo \"$USER - memlock unlimited\" | sudo tee /etc/security/limits.d/perigee.conf, and log in anew";
    Finding::new(State::Warn, "rights", "locked memory", found, means, mend)
}

/// Landlock, by the version of its rules.
fn landlock(version: Option<u32>) -> Finding {
    // With the fourth version comes TCP, with the sixth what programs do to each other beside files.
    match version {
        Some(version) if version >= 6 => {
            Finding::ok("rights", "landlock", format!("ABI {version}"), "the jail keeps files and connections away")
        }
        Some(version) => {
            let means = "the jail keeps files away, and not all kinds of connections";
            Finding::new(State::Warn, "rights", "landlock", format!("ABI {version}"), means, "a kernel from 6.12 on")
        }
        None => {
            let means = "in the jail, files are kept away by the user and seccomp alone";
            let mend = "a kernel from 5.13 on, with landlock in its boot parameter lsm=";
            Finding::new(State::Warn, "rights", "landlock", "this kernel has it not", means, mend)
        }
    }
}

fn seccomp(works: bool) -> Finding {
    if works {
        return Finding::ok("rights", "seccomp", "the kernel has it", "the jail bounds system calls by kind of thread");
    }
    let means = "no run starts but with --jail off";
    Finding::new(
        State::Missing,
        "rights",
        "seccomp",
        "the kernel has it not",
        means,
        "a kernel with CONFIG_SECCOMP_FILTER=y",
    )
}

#[cfg(test)]
mod test {
    use super::*;
    use std::fs;

    fn machine(status: &str) -> (tempfile::TempDir, Machine) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/self")).unwrap();
        fs::write(root.path().join("proc/self/status"), status).unwrap();
        let machine = Machine::pictured(root.path());
        (root, machine)
    }

    #[test]
    fn capabilities_are_bits() {
        let (_root, machine) = machine("Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000002000\n");
        let has = capabilities(&machine);
        assert!(has(CAP_NET_RAW) && !has(CAP_NET_ADMIN));
        assert_eq!(user(&machine).found, "user 1000");
    }

    #[test]
    fn the_jail_is_told() {
        assert_eq!(landlock(Some(7)).state, State::Ok);
        assert_eq!((landlock(Some(3)).state, landlock(None).state), (State::Warn, State::Warn));
        assert_eq!((seccomp(true).state, seccomp(false).state), (State::Ok, State::Missing));
    }

    #[test]
    fn locked_memory_is_compared() {
        let (root, machine) = machine("");
        let limits = |soft: &str| {
            let text = format!(
                "Limit     Soft Limit   Hard Limit   Units\nMax locked memory         {soft}    {soft}    bytes\n"
            );
            fs::write(root.path().join("proc/self/limits"), text).unwrap();
        };
        limits("8388608");
        assert_eq!(locked_memory(&machine, false).state, State::Warn);
        assert_eq!(locked_memory(&machine, true).state, State::Ok);
        limits("unlimited");
        assert_eq!(locked_memory(&machine, false).state, State::Ok);
    }
}
