//! Where `unsafe` may stand. A new line in this table is a design decision: the smaller it stays, the less there is to
//! prove (docs/architecture.md, "Unsafe code").

use super::Finding;
use crate::files::File;
use crate::source;

/// Files that may contain `unsafe`, and why each needs it.
#[rustfmt::skip]
const ALLOWED: &[(&str, &str)] = &[
    ("benches/modules/raw-udp-gen/src/generator.rs", "a generator on raw pointers, to compare the SDK with"),
    ("benches/src/ffi.rs", "calls the twins in C"),
    ("dpdk-sys/build.rs", "sets LIBCLANG_PATH for bindgen"),
    ("dpdk-sys/src/lib.rs", "declares foreign functions; decides nothing"),
    ("guest-sdk/codegen/src/lib.rs", "exports probes, and stores by hand to compare accessors with"),
    ("guest-sdk/src/area/entry.rs", "what a module's exported functions do with its statics"),
    ("guest-sdk/src/area/heap.rs", "hands a static over to the allocator"),
    ("guest-sdk/src/area/instance.rs", "calls the same functions natively, for tests"),
    ("guest-sdk/src/area/memory_wasm.rs", "the statics that the host writes"),
    ("guest-sdk/src/area/mod.rs", "window, mailbox and instance as statics"),
    ("guest-sdk/src/macros.rs", "exports a module's callbacks under their names"),
    ("guest-sdk/src/raw/host.rs", "hostcalls, and counters by their address"),
    ("guest-sdk/src/raw/parts.rs", "references to the parts of the batch area"),
    ("guest-sdk/src/raw/region.rs", "makes a slice of the flat state region"),
    ("guest-sdk/src/raw/room.rs", "makes slices of the bytes that descriptors point at"),
    ("guest-sdk/src/raw/simd.rs", "vector loads and stores"),
    ("guest-sdk/src/raw/steps.rs", "steps from descriptor to descriptor by address"),
    ("runtime/src/dpdk/device.rs", "calls C: what a device can do"),
    ("runtime/src/dpdk/eal.rs", "calls C: starts DPDK"),
    ("runtime/src/dpdk/mod.rs", "calls C: texts of errors"),
    ("runtime/src/dpdk/packet.rs", "calls C, and reads mbufs through their pointers"),
    ("runtime/src/dpdk/pool.rs", "calls C: mempools over the region"),
    ("runtime/src/dpdk/port.rs", "calls C: queues, rx and tx of bursts"),
    ("runtime/src/dpdk/port_info.rs", "calls C: what is read of ports"),
    ("runtime/src/dpdk/region.rs", "maps the packets' memory in the host"),
    ("runtime/src/dpdk/ring.rs", "calls C: rings between lcores"),
    ("runtime/src/lanes.rs", "vector instructions that every x86-64 has"),
    ("runtime/src/setup/maker.rs", "maps the region into an instance's window: where DPDK and wasm meet"),
    ("runtime/src/trial/window.rs", "maps a trial's window, and compares it with what it was"),
    ("runtime/src/wasm/area.rs", "reads and writes what a guest can write too"),
    ("runtime/src/wasm/engine.rs", "gives the ticker its scheduling priority"),
    ("runtime/src/wasm/flat.rs", "maps flat state regions, and moves them from instance to instance"),
    ("runtime/src/wasm/host.rs", "asks the kernel for a thread's processor time"),
    ("runtime/src/wasm/instance.rs", "turns checked guest addresses into host pointers"),
    ("runtime/src/wasm/memory.rs", "reserves linear memories and maps the window in them"),
];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    check_against(files, ALLOWED)
}

fn check_against(files: &[File], allowed: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.is(&[".rs"])) {
        let lines = source::lines_with_word(&file.text, "unsafe");
        let is_allowed = allowed.iter().any(|(path, _)| *path == file.path);
        match (lines.first(), is_allowed) {
            (Some(line), false) => findings.push(Finding::Error(format!(
                "{}:{line}: unsafe code in a file that is not in the table of xtask/src/tidy/unsafe_code.rs",
                file.path
            ))),
            (None, true) => findings.push(stale(&file.path)),
            _ => {}
        }
    }
    let missing = allowed.iter().filter(|(path, _)| files.iter().all(|file| file.path != *path));
    findings.extend(missing.map(|(path, _)| stale(path)));
    findings
}

fn stale(path: &str) -> Finding {
    Finding::Error(format!("{path} has no unsafe code: take it out of the table in xtask/src/tidy/unsafe_code.rs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        let files = [File { path: path.into(), text: text.into() }];
        check_against(&files, &[("runtime/src/window.rs", "maps")]).len()
    }

    #[test]
    fn the_table_decides() {
        assert_eq!(found("runtime/src/window.rs", "unsafe { map() }"), 0);
        // The file itself, and that the one in the table is not there.
        assert_eq!(found("runtime/src/run.rs", "unsafe { map() }"), 2);
    }

    #[test]
    fn the_table_is_kept_true() {
        assert_eq!(found("runtime/src/window.rs", "// unsafe no more"), 1);
        assert_eq!(found("runtime/src/run.rs", "fn run() {}"), 1);
    }
}
