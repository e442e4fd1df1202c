//! Has the linker compress the debug information of the command: with it the file has a third of its size, and backtraces are
//! as readable. Split debug information (`split-debuginfo`) would leave line tables and names, which are most of it, where they are.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bins=-Wl,--compress-debug-sections=zlib");
}
