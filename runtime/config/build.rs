//! Asks which DPDK is there: the checks name limits of its drivers. Nothing of it is linked, and where there is none it is
//! Debian 12's.

use std::process::Command;

/// From this release on net_tap has more queues.
const LATER: [u32; 2] = [24, 11];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    println!("cargo:rustc-check-cfg=cfg(dpdk_24_11)");
    let asked = Command::new("pkg-config").args(["--modversion", "libdpdk"]).output();
    let version = asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let numbers: Vec<u32> = version.trim().split('.').map_while(|number| number.parse().ok()).collect();
    if numbers.get(..2).is_some_and(|numbers| *numbers >= LATER[..]) {
        println!("cargo:rustc-cfg=dpdk_24_11");
    }
}
