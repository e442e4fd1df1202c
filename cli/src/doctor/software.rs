//! DPDK with its drivers, and the toolchains that build modules.

use super::{Finding, State};
use crate::pci::Machine;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const WASM_TARGET: &str = "wasm32-unknown-unknown";
/// What Debian's own compiler needs to build for WebAssembly: cargo, and the source of its standard library.
const DEBIAN_TOOLCHAIN: [&str; 3] = ["usr/bin/cargo", "usr/bin/rustc", "usr/lib/rustlib/src/rust/library/std"];

pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    let mut findings = vec![drivers(machine)];
    findings.extend([rust(machine), linker_for_c(), text_format()]);
    findings
}

/// The drivers that this process would load: a directory beside the library that it is linked with.
fn drivers(machine: &Machine) -> Finding {
    let Some((library, directory)) = eal(&machine.read("proc/self/maps")) else {
        let means = "its drivers are in this binary";
        return Finding::ok("software", "DPDK", "linked statically", means);
    };
    let version = output("pkg-config", &["--modversion", "libdpdk"]).unwrap_or_else(|| "unknown version".to_owned());
    let mut ports: Vec<String> = machine
        .list(directory.strip_prefix("/").unwrap_or(&directory))
        .iter()
        .filter_map(|file| Some(file.strip_prefix("librte_")?.strip_suffix(".so")?.to_owned()))
        .filter(|driver| driver.starts_with("net_"))
        .collect();
    ports.sort();
    let found = format!("{version}, {library}, {} port drivers in {}", ports.len(), directory.display());
    let wanted = ["net_null", "net_ring", "net_pcap", "net_tap", "net_af_packet", "net_af_xdp", "net_memif"];
    let lacks: Vec<&str> = wanted.into_iter().filter(|driver| !ports.iter().any(|port| port == driver)).collect();
    if lacks.is_empty() {
        return Finding::ok("software", "DPDK", found, "all virtual ports have their drivers");
    }
    let means = format!("no driver for {}: such ports do not start", lacks.join(", "));
    let state = if ports.is_empty() { State::Missing } else { State::Warn };
    Finding::new(state, "software", "DPDK", found, &means, "sudo apt install librte-meta-all")
}

/// The EAL library among a process's mappings, and the directory from which it loads drivers.
fn eal(maps: &str) -> Option<(String, PathBuf)> {
    let path =
        maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(|path| path.contains("/librte_eal.so."))?;
    let library = Path::new(path).file_name()?.to_str()?.to_owned();
    let abi = library.strip_prefix("librte_eal.so.")?.to_owned();
    let directory = Path::new(path).parent()?.join("dpdk").join(format!("pmds-{abi}"));
    Some((library, directory))
}

fn rust(machine: &Machine) -> Finding {
    let libraries = output("rustc", &["--print", "target-libdir", "--target", WASM_TARGET]);
    if libraries.is_some_and(|directory| Path::new(&directory).is_dir()) {
        let found = output("rustc", &["--version"]).unwrap_or_default();
        return Finding::ok("software", "Rust for WebAssembly", found, "modules in Rust can be built");
    }
    if DEBIAN_TOOLCHAIN.iter().all(|path| machine.path(path).exists()) {
        let found = output("/usr/bin/rustc", &["--version"]).unwrap_or_default();
        let means = "modules in Rust can be built, with a standard library that is built along";
        return Finding::ok("software", "Rust for WebAssembly", format!("Debian's {found}"), means);
    }
    let found = format!("no target {WASM_TARGET}");
    let mend = format!("rustup target add {WASM_TARGET}, or: sudo apt install rustc-web cargo-web rust-web-src lld");
    Finding::new(State::Missing, "software", "Rust for WebAssembly", found, "modules in Rust cannot be built", mend)
}

fn linker_for_c() -> Finding {
    let clang = output("clang", &["-print-targets"]).is_some_and(|targets| targets.contains("wasm32"));
    // Debian's packages put the release number behind the name.
    let linker = ["wasm-ld", "wasm-ld-14", "wasm-ld-19"].iter().find_map(|name| output(name, &["--version"]));
    let (found, state) = match (clang, linker) {
        (true, Some(version)) => (format!("clang, {version}"), State::Ok),
        (true, None) => ("clang without wasm-ld".to_owned(), State::Warn),
        (false, _) => ("no clang with target wasm32".to_owned(), State::Warn),
    };
    match state {
        State::Ok => Finding::ok("software", "C for WebAssembly", found, "modules in C can be built"),
        _ => Finding::new(
            state,
            "software",
            "C for WebAssembly",
            found,
            "modules in C cannot be built",
            "sudo apt install clang lld",
        ),
    }
}

fn text_format() -> Finding {
    Finding::ok("software", "WebAssembly text", "built in", "modules in .wat need no toolchain")
}

/// The first line that a program prints, where it is there and ends well.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let run = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    run.status.success().then(|| String::from_utf8_lossy(&run.stdout).trim().to_owned())
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn drivers_lie_beside_the_library() {
        let maps = "7f00-7f01 r-xp 00000000 08:01 42    /usr/lib/x86_64-linux-gnu/librte_eal.so.23.0\n";
        let (library, directory) = eal(maps).unwrap();
        assert_eq!(library, "librte_eal.so.23.0");
        assert_eq!(directory, Path::new("/usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0"));
        assert!(eal("7f00-7f01 r-xp 00000000 08:01 42    /usr/bin/perigee\n").is_none());
    }
}
