//! Where `unsafe` may stand. A new line in this table is a design decision: the smaller it stays, the less there is to
//! prove (docs/architecture.md, "Unsafe code").

use super::Finding;
use crate::files::File;
use crate::source;

/// Files that may contain `unsafe`, and why each needs it.
#[rustfmt::skip]
const ALLOWED: &[(&str, &str)] = &[
    ("benches/modules/raw-udp-gen/src/generator.rs", "a generator on raw pointers, to compare the SDK with"),
    ("benches/soak/src/scenarios/race.rs", "writes over a batch area from a second thread, to try the host's checks"),
    ("benches/src/ffi.rs", "calls the twins in C"),
    ("benches/src/shared.rs", "maps memory of the kind that a record lies in"),
    ("benches/src/natives.rs", "calls the network functions in C"),
    ("benches/src/plain.rs", "calls C: an ordinary pool of DPDK's, and its port"),
    ("benches/src/rust_twin.rs", "calls C, and writes packets by address: a native twin in Rust"),
    ("benches/rbpf/src/lib.rs", "is called by C, and runs machine code of eBPF programs"),
    ("benches/src/stash.rs", "calls C: packets of a pool in its hands"),
    ("benches/src/opponents/ffi.rs", "calls C and machine code of eBPF programs"),
    ("cli/src/ready.rs", "takes over a descriptor that was handed to the process"),
    ("dpdk-sys/build.rs", "sets LIBCLANG_PATH for bindgen"),
    ("guest-sdk/codegen/src/lib.rs", "exports probes, and stores by hand to compare accessors with"),
    ("guest-sdk/src/area/heap.rs", "hands a static over to the allocator"),
    ("guest-sdk/src/area/memory_wasm.rs", "the statics that the host writes"),
    ("guest-sdk/src/area/mod.rs", "window, mailbox and instance as statics"),
    ("guest-sdk/src/export/instance.rs", "calls the same functions natively, for tests"),
    ("guest-sdk/src/export/mod.rs", "what a module's exported functions do with its statics"),
    ("guest-sdk/src/macros.rs", "exports a module's callbacks under their names"),
    ("guest-sdk/src/raw/host.rs", "hostcalls, and counters by their address"),
    ("guest-sdk/src/raw/parts.rs", "references to the parts of the batch area"),
    ("guest-sdk/src/raw/region.rs", "makes a slice of the flat state region"),
    ("guest-sdk/src/raw/room.rs", "makes slices of the bytes that descriptors point at"),
    ("guest-sdk/src/raw/simd.rs", "vector loads and stores"),
    ("guest-sdk/src/raw/steps.rs", "steps from descriptor to descriptor by address"),
    ("runtime/config/src/user.rs", "asks the kernel as whom this process acts"),
    ("runtime/core/src/clock.rs", "asks the kernel for a thread's processor time"),
    ("runtime/core/src/lanes.rs", "vector instructions that every x86-64 has"),
    ("runtime/core/src/tsc.rs", "asks the kernel for its raw clock"),
    ("runtime/dpdk/src/burst.rs", "hands DPDK a burst's places"),
    ("runtime/dpdk/src/device.rs", "calls C: what a device can do"),
    ("runtime/dpdk/src/dma.rs", "calls C: what cards reach"),
    ("runtime/dpdk/src/eal.rs", "calls C: starts DPDK"),
    ("runtime/dpdk/src/flow.rs", "calls C: flow rules of ports"),
    ("runtime/dpdk/src/lib.rs", "calls C: texts of errors"),
    ("runtime/dpdk/src/log.rs", "is called by C: what DPDK logs"),
    ("runtime/dpdk/src/memif.rs", "calls C: stops and starts a port"),
    ("runtime/dpdk/src/observer.rs", "calls into the kernel: a packet socket that looks on, and its ring"),
    ("runtime/dpdk/src/on_bus.rs", "is called by C when a card is asked back, and maps memory over registers of one that is gone"),
    ("runtime/dpdk/src/pacing.rs", "calls C: limits of queues, and clocks of cards"),
    ("runtime/dpdk/src/packet.rs", "calls C, and reads mbufs through their pointers"),
    ("runtime/dpdk/src/packet_bytes.rs", "reads packets through their pointers"),
    ("runtime/dpdk/src/packet_socket.rs", "calls into the kernel: packet sockets in the place of a driver's, and their rings"),
    ("runtime/dpdk/src/pool.rs", "calls C: mempools over the region"),
    ("runtime/dpdk/src/port.rs", "calls C: queues, and the start of ports"),
    ("runtime/dpdk/src/port_clock.rs", "calls C: clocks of ports"),
    ("runtime/dpdk/src/port_info.rs", "calls C: what is read of ports"),
    ("runtime/dpdk/src/timestamp.rs", "asks DPDK for the field of rx timestamps"),
    ("runtime/dpdk/src/region.rs", "maps the packets' memory in the host"),
    ("runtime/dpdk/src/ring.rs", "calls C: rings between lcores"),
    ("runtime/dpdk/src/rx_tx.rs", "calls C: rx and tx of bursts"),
    ("runtime/dpdk/src/stamp_trial.rs", "calls C: stamps of packets that were sent and received"),
    ("runtime/jail/src/kernel.rs", "calls into the kernel: filters, capabilities, handlers of signals"),
    ("runtime/jail/src/tests.rs", "makes system calls that a jail forbids"),
    ("runtime/jail/src/thread.rs", "confines threads in the handler of a signal"),
    ("runtime/load/src/confine.rs", "asks the kernel for limits on a process"),
    ("runtime/load/src/worker.rs", "forks a process for each module that is compiled"),
    ("runtime/machine/src/affinity.rs", "asks the kernel for the CPUs of a thread"),
    ("runtime/machine/src/netlink/kernel.rs", "calls into the kernel: a netlink socket, and names of XDP programs"),
    ("runtime/pcap/src/capture/kernel.rs", "calls into the kernel: a file in memory, descriptors, rights on files"),
    ("runtime/pcap/src/capture/libpcap.rs", "calls C: reads captures as net_pcap does"),
    ("runtime/pcap/src/filter/libpcap.rs", "calls C: compiles filters"),
    ("runtime/pcap/src/sys.rs", "declares foreign functions; decides nothing"),
    ("runtime/profile/src/sampler.rs", "calls into the kernel: timers of lcores' threads, and the handler of their signal"),
    ("runtime/profile/src/stack.rs", "reads the interrupted stack in the handler of a signal"),
    ("runtime/record/src/tests.rs", "tries to map a record as its readers must not"),
    ("runtime/record/src/words.rs", "maps memory that processes share, and reads and writes it by address"),
    ("runtime/record/src/writer.rs", "writes records into memory that is shared"),
    ("runtime/src/parts/maker.rs", "maps the region into an instance's window: where DPDK and wasm meet"),
    ("runtime/trial/src/window.rs", "maps a trial's window, and compares it with what it was"),
    ("runtime/wasm/src/area.rs", "reads and writes what a guest can write too"),
    ("runtime/wasm/src/compile.rs", "has the engine read native code that our compiler made"),
    ("runtime/wasm/src/engine.rs", "names features of a CPU to the engine"),
    ("runtime/wasm/src/ticker.rs", "gives the ticker its scheduling priority"),
    ("runtime/wasm/src/flat.rs", "maps flat state regions, and moves them from instance to instance"),
    ("runtime/wasm/src/instance.rs", "turns checked guest addresses into host pointers"),
    ("runtime/wasm/src/instance/access.rs", "copies from and to an instance's memory by address"),
    ("runtime/wasm/src/mirror.rs", "maps another instance's state region inside a linear memory"),
    ("runtime/wasm/src/memory.rs", "reserves linear memories and maps the window in them"),
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
