//! Compiles the native twins with the flags of pkg-config's libdpdk, as somebody who writes against DPDK in C would.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=twin.c");
    println!("cargo:rerun-if-changed=twin.h");
    println!("cargo:rerun-if-changed=packets.c");
    println!("cargo:rerun-if-changed=plain.c");
    println!("cargo:rerun-if-changed=step.c");
    println!("cargo:rerun-if-changed=functions");
    println!("cargo:rerun-if-changed=opponents.c");
    println!("cargo:rerun-if-changed=opponents.h");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    let output = Command::new("pkg-config").args(["--cflags", "libdpdk"]).output();
    let output = output.ok().filter(|out| out.status.success());
    let output =
        output.expect("pkg-config does not find libdpdk. Install it: apt-get install libdpdk-dev, or let ./x do it");
    let mut build = cc::Build::new();
    let functions = ["packets", "router", "nat", "acl", "balancer", "stash"];
    build.files(functions.map(|name| format!("functions/{name}.c")));
    build.files(["twin.c", "packets.c", "plain.c", "step.c", "opponents.c"]).opt_level(3).warnings(true);
    // DPDK's headers are packed, and x86 reads at any address: DPDK itself is built so.
    build.flag_if_supported("-Wno-address-of-packed-member");
    for flag in String::from_utf8_lossy(&output.stdout).split_whitespace() {
        build.flag(flag);
    }
    build.compile("perigee_twin");
    // CRC32C, which was inline in DPDK 22.11 and is a function of this library in 24.11.
    println!("cargo:rustc-link-lib=rte_hash");
    // What routers, firewalls and filters in C look up with.
    for lib in ["rte_lpm", "rte_fib", "rte_acl", "rte_bpf"] {
        println!("cargo:rustc-link-lib={lib}");
    }
}
