//! Compiles the native twins with the flags of pkg-config's libdpdk, as somebody who writes against DPDK in C would.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=twin.c");
    println!("cargo:rerun-if-changed=twin.h");
    println!("cargo:rerun-if-changed=step.c");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    let output = Command::new("pkg-config").args(["--cflags", "libdpdk"]).output();
    let output = output.ok().filter(|out| out.status.success());
    let output =
        output.expect("pkg-config does not find libdpdk. Install it: apt-get install libdpdk-dev, or let ./x do it");
    let mut build = cc::Build::new();
    build.files(["twin.c", "step.c"]).opt_level(3).warnings(true);
    for flag in String::from_utf8_lossy(&output.stdout).split_whitespace() {
        build.flag(flag);
    }
    build.compile("perigee_twin");
    // CRC32C, which was inline in DPDK 22.11 and is a function of this library in 24.11.
    println!("cargo:rustc-link-lib=rte_hash");
}
