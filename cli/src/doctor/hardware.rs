//! Huge pages, CPUs, clocks.

use super::{Finding, State};
use crate::pci::Machine;

pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    let mut findings = vec![huge_pages(machine), cpus(machine), isolation(machine)];
    findings.extend(governor(machine));
    findings.extend(tsc(machine));
    findings.push(clocksource(machine));
    findings
}

fn huge_pages(machine: &Machine) -> Finding {
    let pool = |size: &str, file: &str| {
        machine.number(format!("sys/kernel/mm/hugepages/hugepages-{size}/{file}")).unwrap_or(0)
    };
    // Those that are promised to somebody are counted as free until they are touched.
    let free = |size: &str| pool(size, "free_hugepages").saturating_sub(pool(size, "resv_hugepages"));
    let sizes: Vec<(&str, &str, u64, u64)> = [("2048kB", "2 MiB"), ("1048576kB", "1 GiB")]
        .map(|(size, name)| (size, name, free(size), pool(size, "nr_hugepages")))
        .into_iter()
        .filter(|(_, _, _, all)| *all > 0)
        .collect();
    let found: Vec<String> =
        sizes.iter().map(|(_, name, free, all)| format!("{free} of {all} pages of {name} free")).collect();
    let found = if found.is_empty() { "none reserved".to_owned() } else { found.join(", ") };
    // What EAL and the packets of a small run need. Rooms of packets lie in pages of 2 MiB and in no larger ones.
    let enough = sizes.iter().any(|(size, _, free, _)| *size == "2048kB" && *free >= 64);
    if enough {
        let means = "packets lie in huge pages; DPDK's own memory does for cards, and with huge_pages = \"on\"";
        return Finding::ok("machine", "huge pages", found, means);
    }
    let means =
        "packets lie in ordinary pages: runs, but slower to start and with more TLB misses; PCI ports want huge pages";
    // Not /proc/sys/vm/nr_hugepages, which takes a number of pages of the machine's default size: that may be 1 GiB.
    let mend = "echo 512 | sudo tee /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
    Finding::new(State::Warn, "machine", "huge pages", found, means, mend)
}

fn cpus(machine: &Machine) -> Finding {
    let list = machine.line("proc/self/status", "Cpus_allowed_list").unwrap_or_default();
    let smt = if machine.read("sys/devices/system/cpu/smt/active") == "1" {
        "hyper-threads share a core: give busy chains CPUs of different cores (lscpu -e)"
    } else {
        "chains without `lcores` are spread over these; several on one CPU are polled in turn"
    };
    if list.is_empty() {
        return Finding::new(State::Warn, "machine", "CPUs", "the kernel does not say which may be used", smt, "");
    }
    let online = machine.read("sys/devices/system/cpu/online");
    let found = if online.is_empty() || online == list { list } else { format!("{list} (online: {online})") };
    Finding::ok("machine", "CPUs", found, smt)
}

fn isolation(machine: &Machine) -> Finding {
    let isolated = machine.read("sys/devices/system/cpu/isolated");
    let list = machine.read("sys/devices/system/cpu/online");
    let last: u64 = list.rsplit([',', '-']).next().and_then(|cpu| cpu.parse().ok()).unwrap_or(0);
    if !isolated.is_empty() {
        return Finding::ok(
            "machine",
            "isolated CPUs",
            isolated,
            "nothing else is scheduled there: put the chains' lcores on them",
        );
    }
    if last < 3 {
        return Finding::ok(
            "machine",
            "isolated CPUs",
            "none",
            "too few CPUs to set some apart: expect jitter from other processes",
        );
    }
    let means = "other processes run on the chains' lcores now and then: longer worst latencies";
    let mend = format!("add to the kernel's command line: isolcpus=2-{last} nohz_full=2-{last} rcu_nocbs=2-{last}");
    Finding::new(State::Warn, "machine", "isolated CPUs", "none", means, mend)
}

fn governor(machine: &Machine) -> Option<Finding> {
    let governor = machine.read("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    match governor.as_str() {
        // A virtual machine has none to choose.
        "" => None,
        "performance" => Some(Finding::ok("machine", "frequency governor", governor, "the clock stays up")),
        _ => {
            let mend = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor";
            let means = "the clock changes with the load: measurements vary";
            Some(Finding::new(State::Warn, "machine", "frequency governor", governor, means, mend))
        }
    }
}

fn tsc(machine: &Machine) -> Option<Finding> {
    if !cfg!(target_arch = "x86_64") {
        return None;
    }
    let flags = machine.line("proc/cpuinfo", "flags").unwrap_or_default();
    let lacks: Vec<&str> =
        ["constant_tsc", "nonstop_tsc"].into_iter().filter(|flag| !flags.split(' ').any(|has| has == *flag)).collect();
    if lacks.is_empty() {
        return Some(Finding::ok(
            "machine",
            "time stamp counter",
            "constant_tsc, nonstop_tsc",
            "time on the data path is exact",
        ));
    }
    let found = format!("without {}", lacks.join(", "));
    let means = "its rate may change with the CPU's clock or sleep: times and cycles of a run are not to be trusted";
    Some(Finding::new(
        State::Warn,
        "machine",
        "time stamp counter",
        found,
        means,
        "use a CPU or a virtual machine type that has them",
    ))
}

fn clocksource(machine: &Machine) -> Finding {
    let files = "sys/devices/system/clocksource/clocksource0";
    let source = machine.read(format!("{files}/current_clocksource"));
    let available = machine.read(format!("{files}/available_clocksource"));
    match source.as_str() {
        "tsc" | "kvm-clock" | "hyperv_clocksource_tsc_page" | "arch_sys_counter" => {
            Finding::ok("machine", "clock source", source, "the kernel keeps time by the same counter")
        }
        _ => {
            let means = "the kernel distrusts the time stamp counter, or a machine without it is pictured: read dmesg | grep -i tsc";
            let mend = if available.split(' ').any(|name| name == "tsc") {
                "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource"
            } else {
                ""
            };
            let found = if source.is_empty() { "unknown".to_owned() } else { source };
            Finding::new(State::Warn, "machine", "clock source", found, means, mend)
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::fs;

    #[test]
    fn huge_pages_are_counted() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::pictured(root.path());
        assert_eq!(huge_pages(&machine).found, "none reserved");
        let directory = root.path().join("sys/kernel/mm/hugepages/hugepages-2048kB");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("nr_hugepages"), "512\n").unwrap();
        fs::write(directory.join("free_hugepages"), "10\n").unwrap();
        let finding = huge_pages(&machine);
        assert_eq!((finding.state, finding.found.as_str()), (State::Warn, "10 of 512 pages of 2 MiB free"));
        fs::write(directory.join("free_hugepages"), "512\n").unwrap();
        assert_eq!(huge_pages(&machine).state, State::Ok);
        fs::write(directory.join("resv_hugepages"), "500\n").unwrap();
        assert_eq!(huge_pages(&machine).found, "12 of 512 pages of 2 MiB free");
        // One of 1 GiB is of no use for rooms.
        let large = root.path().join("sys/kernel/mm/hugepages/hugepages-1048576kB");
        fs::create_dir_all(&large).unwrap();
        fs::write(large.join("nr_hugepages"), "1\n").unwrap();
        fs::write(large.join("free_hugepages"), "1\n").unwrap();
        assert_eq!(huge_pages(&machine).state, State::Warn);
    }

    #[test]
    fn large_machines_want_isolated_cpus() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::pictured(root.path());
        let directory = root.path().join("sys/devices/system/cpu");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("online"), "0-15\n").unwrap();
        assert!(isolation(&machine).mend.contains("isolcpus=2-15 "));
        fs::write(directory.join("online"), "0-1\n").unwrap();
        assert_eq!(isolation(&machine).state, State::Ok);
    }
}
